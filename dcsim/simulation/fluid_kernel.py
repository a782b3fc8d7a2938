"""Weighted max-min fairness, repaired where a change can reach.

Progressive filling (Bertsekas and Gallager, Data Networks, 1992, section 6.5.2) raises one
common level until a link is full; the flows on it are held there and the rest go on. So
the level of a link depends only on links of lower level. After a change the links that it
touches become suspects, taken in the order of the level at which they would be full:

- a suspect that turns out full below the levels of flows held elsewhere takes them over,
  and the links that lose them become suspects;
- a suspect that is no longer full at its old level lets its flows go when the filling
  arrives there, and all their links become suspects;
- a suspect whose level is as before ends the spread.

Everything else keeps its rate. The functions are plain Python over arrays; the module
`fluid_compiled` compiles the very same functions, with equal results to the last bit.
"""

import numpy as np

from dcsim.simulation.fluid_state import (
    DATE_HEAP,
    DIRTY,
    LINK_HEAP,
    TOUCHED,
    WORK,
    Floats,
    Ints,
    Rows,
    State,
)

#: Levels and dates closer than this, relatively, are the same one.
SAME = 1e-12
INF = np.inf

#: What a survey costs beside its visits to places, in visits.
SURVEY_WORK = 8


def heap_up(queues: Ints, which: int, items: Rows, index: int) -> None:
    """Move the item at `index` of a heap towards the root while its key is smaller."""
    item = queues[which, index]
    value = items[item]["key"]
    while index > 0:
        parent = (index - 1) >> 1
        other = queues[which, parent]
        if items[other]["key"] <= value:
            break
        queues[which, index] = other
        items[other]["seat"] = index
        index = parent
    queues[which, index] = item
    items[item]["seat"] = index


def heap_down(queues: Ints, which: int, items: Rows, index: int, size: int) -> None:
    """Move the item at `index` of a heap towards the leaves while its key is larger."""
    item = queues[which, index]
    value = items[item]["key"]
    while True:
        child = 2 * index + 1
        if child >= size:
            break
        other = queues[which, child]
        if child + 1 < size:
            sibling = queues[which, child + 1]
            if items[sibling]["key"] < items[other]["key"]:
                child += 1
                other = sibling
        if items[other]["key"] >= value:
            break
        queues[which, index] = other
        items[other]["seat"] = index
        index = child
    queues[which, index] = item
    items[item]["seat"] = index


def heap_set(queues: Ints, sizes: Ints, which: int, items: Rows, item: int, value: float) -> None:
    """Insert `item` into a heap with the key `value`, or move it when it is in already."""
    index = items[item]["seat"]
    old = items[item]["key"]
    items[item]["key"] = value
    if index < 0:
        index = sizes[which]
        sizes[which] = index + 1
        queues[which, index] = item
        heap_up(queues, which, items, index)
    elif value < old:
        heap_up(queues, which, items, index)
    else:
        heap_down(queues, which, items, index, sizes[which])


def heap_remove(queues: Ints, sizes: Ints, which: int, items: Rows, item: int) -> None:
    """Take `item` out of a heap; nothing happens when it is not in."""
    index = items[item]["seat"]
    if index < 0:
        return
    last = sizes[which] - 1
    sizes[which] = last
    items[item]["seat"] = -1
    if index < last:
        moved = queues[which, last]
        queues[which, index] = moved
        heap_up(queues, which, items, index)
        heap_down(queues, which, items, items[moved]["seat"], last)


def full_level(s: State, link: int) -> float:
    """Level at which the link is full by the present books; inf when nobody waits on it."""
    books = s.links[link]
    if books["free_count"] == 0:
        return INF
    return max(books["room"], 0.0) / books["free_weight"]


def survey(s: State, link: int, floor: float) -> float:
    """Open the books of a link: the level at which it is full, all else as it is known.

    Solves sum of weight x min(level, level of the flow) = capacity by Newton's method from
    `floor`, a level below which nothing changes any more; the function is concave, so the
    iteration rises to the solution and ends there.
    """
    books = s.links[link]
    first = books["first"]
    last = first + books["count"]
    threshold = floor
    known = -1
    while True:
        room = books["capacity"]
        free = 0.0
        guesses = 0
        fixed = 0
        for p in range(first, last):
            place = s.places[p]
            level = place["level"]
            if level <= threshold:
                room -= place["weight"] * level
                place["fixed"] = 1
                fixed += 1
            else:
                free += place["weight"]
                place["fixed"] = 0
                if level < INF:
                    guesses += 1
        s.sizes[WORK] += last - first + SURVEY_WORK
        books["room"] = room
        books["free_weight"] = free
        books["free_count"] = last - first - fixed
        books["guesses"] = guesses
        level = full_level(s, link)
        if guesses == 0 or fixed == known:
            return level
        known = fixed
        threshold = max(threshold, level)


def set_key(s: State, link: int, value: float) -> None:
    """Queue a suspect at the level where it must be looked at."""
    heap_set(s.queues, s.sizes, LINK_HEAP, s.links, link, value)


def suspect(s: State, link: int, floor: float) -> None:
    """Doubt the level of a link."""
    s.links[link]["suspect"] = 1
    set_key(s, link, min(survey(s, link, floor), s.links[link]["level"]))


def clear(s: State, link: int, level: float) -> None:
    """Trust a suspect again, at `level`."""
    heap_remove(s.queues, s.sizes, LINK_HEAP, s.links, link)
    s.links[link]["suspect"] = 0
    s.links[link]["level"] = level


def touch(s: State, flow: int) -> None:
    """Remember a flow's level before its first move."""
    if s.flows[flow]["touched"] == 0:
        s.flows[flow]["touched"] = 1
        s.flows[flow]["old_level"] = s.flows[flow]["level"]
        s.queues[TOUCHED, s.sizes[TOUCHED]] = flow
        s.sizes[TOUCHED] += 1


def hold_flow(s: State, item: int, link: int, level: float) -> None:
    """Hold a flow at `level` on `link`; book it on the other links of its route."""
    touch(s, item)
    flow = s.flows[item]
    old = flow["level"]
    flow["level"] = level
    flow["owner"] = link
    for h in range(flow["hops"]):
        hop = s.hops[item, h]
        place = s.places[hop["place"]]
        other = hop["link"]
        if other == link:
            place["level"] = INF
            continue
        books = s.links[other]
        if books["suspect"] == 0:
            place["level"] = level
            if books["level"] < INF and level < old:
                suspect(s, other, level)
        elif place["fixed"] == 1:
            books["room"] += place["weight"] * (place["level"] - level)
            place["level"] = level
        else:
            books["room"] -= place["weight"] * level
            books["free_weight"] -= place["weight"]
            books["free_count"] -= 1
            if place["level"] < INF:
                books["guesses"] -= 1
            place["fixed"] = 1
            place["level"] = level


def let_go(s: State, item: int, floor: float) -> None:
    """Undo the level of a flow; all links of its route become suspects."""
    touch(s, item)
    flow = s.flows[item]
    flow["level"] = INF
    flow["owner"] = -1
    for h in range(flow["hops"]):
        hop = s.hops[item, h]
        place = s.places[hop["place"]]
        other = hop["link"]
        old = place["level"]
        place["level"] = INF
        books = s.links[other]
        if books["suspect"] == 0:
            suspect(s, other, floor)
        elif place["fixed"] == 1:
            place["fixed"] = 0
            books["room"] += place["weight"] * old
            books["free_weight"] += place["weight"]
            books["free_count"] += 1
            level = min(full_level(s, other), books["level"])
            if level < books["key"]:
                set_key(s, other, level)
        elif old < INF:
            books["guesses"] -= 1


def release(s: State, link: int, floor: float) -> None:
    """Let go all flows that the link held back at its old level."""
    s.links[link]["level"] = INF
    first = s.links[link]["first"]
    for p in range(first, first + s.links[link]["count"]):
        flow = s.places[p]["flow"]
        if s.flows[flow]["owner"] == link:
            let_go(s, flow, floor)


def hold(s: State, link: int, level: float) -> None:
    """Declare a suspect full at `level`: it holds back every flow that would go higher."""
    clear(s, link, level)
    margin = SAME * level
    first = s.links[link]["first"]
    for p in range(first, first + s.links[link]["count"]):
        if s.places[p]["level"] > level + margin:
            flow = s.places[p]["flow"]
            if s.flows[flow]["owner"] != link or abs(s.flows[flow]["level"] - level) > margin:
                hold_flow(s, flow, link, level)


def doubt_everything(s: State) -> None:
    """Start the filling from nothing on every link."""
    for link in range(len(s.links)):
        clear(s, link, INF)
        first = s.links[link]["first"]
        for p in range(first, first + s.links[link]["count"]):
            flow = s.places[p]["flow"]
            touch(s, flow)
            s.flows[flow]["level"] = INF
            s.flows[flow]["owner"] = -1
            s.places[p]["level"] = INF
    for link in range(len(s.links)):
        if s.links[link]["count"] > 0:
            suspect(s, link, 0.0)


def fill(s: State, patience: int) -> bool:
    """Settle all suspects from the lowest level up; False when `patience` looks do not do."""
    while s.sizes[LINK_HEAP] > 0:
        patience -= 1
        if patience < 0:
            return False
        link = s.queues[LINK_HEAP, 0]
        key = s.links[link]["key"]
        old = s.links[link]["level"]
        limit = key * (1.0 + SAME)
        level = full_level(s, link)
        if min(level, old) <= limit:
            level = survey(s, link, key)
        if min(level, old) > limit:
            set_key(s, link, min(level, old))
        elif level > old * (1.0 + SAME):
            release(s, link, key)
            set_key(s, link, full_level(s, link))
        elif s.links[link]["free_count"] == 0:
            clear(s, link, INF)
        elif level >= old * (1.0 - SAME):
            hold(s, link, old)
        else:
            hold(s, link, level)
    return True


def settle(s: State, now: float) -> None:
    """Book what the touched flows have carried so far and date their ends anew."""
    for i in range(s.sizes[TOUCHED]):
        item = s.queues[TOUCHED, i]
        flow = s.flows[item]
        flow["touched"] = 0
        old = flow["old_level"]
        if flow["seat"] >= 0 and abs(flow["level"] - old) <= SAME * old:
            flow["level"] = old
            continue
        carried = flow["weight"] * old * (now - flow["settled"])
        flow["remaining"] = max(flow["remaining"] - carried, 0.0)
        flow["settled"] = now
        rate = flow["weight"] * flow["level"]
        date = INF
        if flow["remaining"] == 0.0:
            date = now
        elif rate > 0.0:
            date = now + flow["remaining"] / rate
        heap_set(s.queues, s.sizes, DATE_HEAP, s.flows, item, date)
    s.sizes[TOUCHED] = 0


def make_dirty(s: State, link: int) -> None:
    """Note that the flows or the capacity of a link have changed."""
    if s.links[link]["dirty"] == 0:
        s.links[link]["dirty"] = 1
        s.queues[DIRTY, s.sizes[DIRTY]] = link
        s.sizes[DIRTY] += 1


def add_flow(s: State, flow: int, now: float) -> None:
    """Put a flow whose hops, weight and size are set onto its links."""
    s.flows[flow]["level"] = 0.0
    touch(s, flow)
    s.flows[flow]["level"] = INF
    s.flows[flow]["owner"] = -1
    s.flows[flow]["entered"] = now
    s.flows[flow]["settled"] = now
    for h in range(s.flows[flow]["hops"]):
        hop = s.hops[flow, h]
        link = s.links[hop["link"]]
        hop["place"] = link["first"] + link["count"]
        link["count"] += 1
        place = s.places[hop["place"]]
        place["level"] = INF
        place["flow"] = flow
        place["hop"] = h
        place["weight"] = hop["usage"] * s.flows[flow]["weight"]
        make_dirty(s, hop["link"])


def remove_flow(s: State, flow: int) -> None:
    """Take a flow off its links; those that hold nobody back need no second look."""
    heap_remove(s.queues, s.sizes, DATE_HEAP, s.flows, flow)
    s.flows[flow]["owner"] = -1
    for h in range(s.flows[flow]["hops"]):
        hop = s.hops[flow, h]
        link = s.links[hop["link"]]
        link["count"] -= 1
        last = link["first"] + link["count"]
        if hop["place"] != last:
            moved = s.places[last]
            place = s.places[hop["place"]]
            place["level"] = moved["level"]
            place["flow"] = moved["flow"]
            place["hop"] = moved["hop"]
            place["weight"] = moved["weight"]
            s.hops[place["flow"], place["hop"]]["place"] = hop["place"]
        if link["level"] < INF:
            make_dirty(s, hop["link"])


def resolve(s: State, now: float) -> None:
    """Bring all rates and dates up to the changes made since the last call."""
    for i in range(s.sizes[DIRTY]):
        link = s.queues[DIRTY, i]
        s.links[link]["dirty"] = 0
        suspect(s, link, 0.0)
    s.sizes[DIRTY] = 0
    # Rounding could, in theory, make two links take a flow from each other for ever.
    if not fill(s, 1000 + 100 * len(s.links)):
        doubt_everything(s)
        fill(s, 1 << 62)
    settle(s, now)


def take_finished(s: State, now: float, finished: Ints) -> int:
    """Remove the flows that end by `now`, into `finished`; their number.

    A flow that would end within a rounding error of its duration ends now, so that equal
    flows end together and their links are solved once.
    """
    count = 0
    while s.sizes[DATE_HEAP] > 0:
        flow = s.queues[DATE_HEAP, 0]
        date = s.flows[flow]["key"]
        if date == INF or date > now + SAME * (date - s.flows[flow]["entered"]):
            break
        remove_flow(s, flow)
        finished[count] = flow
        count += 1
    return count


def advance(
    s: State, now: float, leaving: Ints, changed: Ints, entering: Ints, finished: Ints
) -> int:
    """Make all changes of one instant and solve once; the number of flows that ended.

    Flows that end by `now` go into `finished`, those that are `leaving` excepted.
    `changed` links have a new capacity; `entering` flows have their hops and size set.
    """
    for i in range(len(leaving)):
        remove_flow(s, leaving[i])
    count = take_finished(s, now, finished)
    for i in range(len(changed)):
        make_dirty(s, changed[i])
    for i in range(len(entering)):
        add_flow(s, entering[i], now)
    resolve(s, now)
    return count


def run_all(
    s: State,
    order: Ints,
    enter: Floats,
    finished: Ints,
    completion: Floats,
    position: int,
    patience: int,
) -> int:
    """Run flows that enter at `enter`, in this `order`, to their ends, into `completion`.

    `position` flows have entered before. Returns the position reached when `patience`
    visits were not enough, so that other kernels can go on from there, and -1 at the end.
    """
    total = len(order)
    limit = s.sizes[WORK] + patience
    while s.sizes[WORK] <= limit:
        now = INF
        if position < total:
            now = enter[order[position]]
        if s.sizes[DATE_HEAP] > 0:
            now = min(now, s.flows[s.queues[DATE_HEAP, 0]]["key"])
        if now == INF:
            return -1
        for i in range(take_finished(s, now, finished)):
            completion[finished[i]] = now
        while position < total and enter[order[position]] <= now:
            add_flow(s, order[position], now)
            position += 1
        resolve(s, now)
    return position

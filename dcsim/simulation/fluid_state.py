"""Flat arrays that hold links, flows and which flow crosses which link."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[Any]

#: Rows of `State.queues` and their lengths in `State.sizes`; WORK counts visits to places.
LINK_HEAP, DATE_HEAP, TOUCHED, DIRTY, WORK = range(5)

#: A link. `level` is that of the flows it holds back, inf when it holds none. The next five
#: are the books of a link under suspicion: capacity not taken by flows held elsewhere,
#: weight and number of the flows it would hold back, how many of these have a level of
#: their own so far, and the level where it must be looked at next.
LINK = np.dtype(
    [
        ("capacity", "f8"),
        ("level", "f8"),
        ("room", "f8"),
        ("free_weight", "f8"),
        ("free_count", "i8"),
        ("guesses", "i8"),
        ("key", "f8"),
        ("seat", "i8"),
        ("suspect", "i8"),
        ("dirty", "i8"),
        ("first", "i8"),
        ("count", "i8"),
    ]
)

#: A flow. Its rate is weight x level; its level is that of its `owner`, the link that holds
#: it back (-1 and inf while undecided). `key` is the date of its end at the present rate.
FLOW = np.dtype(
    [
        ("level", "f8"),
        ("owner", "i8"),
        ("weight", "f8"),
        ("hops", "i8"),
        ("old_level", "f8"),
        ("touched", "i8"),
        ("remaining", "f8"),
        ("settled", "f8"),
        ("entered", "f8"),
        ("key", "f8"),
        ("seat", "i8"),
    ]
)

#: A hop of a flow's route: the link, how much of it a unit of rate uses, and its place there.
HOP = np.dtype([("link", "i8"), ("usage", "f8"), ("place", "i8")])

#: A place on a link, taken by one hop of a flow; `weight` is usage x weight. `level` is the
#: flow's when another link holds it back, else inf; `fixed` says how the books count it.
PLACE = np.dtype(
    [("level", "f8"), ("weight", "f8"), ("fixed", "i4"), ("hop", "i4"), ("flow", "i8")]
)


class State(NamedTuple):
    """Everything the solver knows; the arrays are changed in place.

    `links` has shape (n_links,), `flows` (n_slots,), `hops` (n_slots, most_hops); link l
    owns the places `first` … `first + count - 1` of `places`. Few arrays of records rather
    than many of numbers: every call of a compiled function counts references to each.
    """

    links: Rows
    flows: Rows
    hops: Rows
    places: Rows
    queues: Ints
    sizes: Ints


def new_state(capacity: Floats, room: Ints, slots: int, most_hops: int) -> State:
    """An idle network; `room[l]` flows can cross link l at once, `slots` flows in all."""
    links = np.zeros(len(capacity), dtype=LINK)
    links["capacity"] = capacity
    links["level"] = np.inf
    links["seat"] = -1
    links["first"][1:] = np.cumsum(room[:-1])
    flows = np.zeros(slots, dtype=FLOW)
    flows["owner"] = -1
    flows["weight"] = 1.0
    flows["seat"] = -1
    hops = np.zeros((slots, most_hops), dtype=HOP)
    hops["usage"] = 1.0
    return State(
        links=links,
        flows=flows,
        hops=hops,
        places=np.zeros(int(room.sum()), dtype=PLACE),
        queues=np.zeros((4, max(len(capacity), slots)), dtype=np.int64),
        sizes=np.zeros(5, dtype=np.int64),
    )


def resized(s: State, room: Ints, slots: int, most_hops: int) -> State:
    """The same network in larger arrays; no number may be smaller than before."""
    new = new_state(s.links["capacity"], room, slots, most_hops)
    first = new.links["first"].copy()
    new.links[:] = s.links
    new.links["first"] = first
    new.flows[: len(s.flows)] = s.flows
    new.hops[: s.hops.shape[0], : s.hops.shape[1]] = s.hops
    new.queues[:, : s.queues.shape[1]] = s.queues
    new.sizes[:] = s.sizes
    count = s.links["count"]
    offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    target = np.repeat(first, count) + offset
    new.places[target] = s.places[np.repeat(s.links["first"], count) + offset]
    moved = new.places[target]
    new.hops["place"][moved["flow"], moved["hop"]] = target
    return new


def hops_of(route: Ints, usage: Floats) -> tuple[Ints, Floats]:
    """Distinct links of a route in order, and how much of each it uses in all."""
    links, first, which = np.unique(route, return_index=True, return_inverse=True)
    total = np.zeros(len(links))
    np.add.at(total, which, usage)
    order = np.argsort(first)
    return links[order], total[order]

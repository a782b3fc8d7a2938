"""Conservative backfilling on nodes: a reservation is a time and the nodes for it.

In step i of the plan, from `times[i]` until `times[i + 1]`, `free[row[i], node]` accelerators
are free, and `level[row[i], f]` nodes have at least f free, so that a hopeless step is seen in
two comparisons. A new step takes the next unused row: `row` is a permutation of all rows, the
first `steps` in use, because moving whole rows would take most of the time.
"""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.node_fit import place
from dcsim.simulation.replay.heap import pop, push
from dcsim.simulation.replay.nodes import placement_offsets
from dcsim.simulation.replay.queue import remove_started

Ints = NDArray[np.int64]
Counts = NDArray[np.int16]  # few bytes, since the plan's rows are most of the traffic
Floats = NDArray[np.float64]

MOST_PER_NODE = 2**15 - 1

_PLAN = "f8[::1], i8[::1], i2[:, ::1], i8[:, ::1], i8"


@kernel(f"i8({_PLAN}, f8)")
def step_at(times: Floats, row: Ints, free: Counts, level: Ints, steps: int, at: float) -> int:
    """Index of the step that begins at `at`; -i - 1 where it had to be added."""
    i = int(np.searchsorted(times[:steps], at))
    if i < steps and times[i] == at:
        return i
    new = row[steps]
    for j in range(steps, i, -1):
        times[j] = times[j - 1]
        row[j] = row[j - 1]
    times[i], row[i] = at, new
    free[new] = free[row[i - 1]]
    level[new] = level[row[i - 1]]
    return -i - 1


@kernel(f"i8({_PLAN}, f8, f8, i8[::1], i8[::1], i8, i8, i8)")
def occupy_nodes(
    times: Floats,
    row: Ints,
    free: Counts,
    level: Ints,
    steps: int,
    start: float,
    end: float,
    nodes: Ints,
    counts: Ints,
    begin: int,
    finish: int,
    sign: int,
) -> int:
    """Take (`sign` 1) or give back (-1) a placement from `start` to `end`; the new step count."""
    if start >= end:
        return steps
    first = step_at(times, row, free, level, steps, start)
    if first < 0:
        first, steps = -first - 1, steps + 1
    last = step_at(times, row, free, level, steps, end)
    if last < 0:
        last, steps = -last - 1, steps + 1
    for i in range(first, last):
        at = row[i]
        for j in range(begin, finish):
            node = nodes[j]
            before = free[at, node]
            after = before - sign * counts[j]
            free[at, node] = after
            level[at, min(before, after) + 1 : max(before, after) + 1] -= sign
    return steps


@kernel("void(i2[::1], i2[::1])")
def lower(lowest: Counts, other: Counts) -> None:
    """The smaller of both in each node, into `lowest`."""
    for node in range(lowest.size):
        lowest[node] = min(lowest[node], other[node])


@kernel("b1(i2[::1], i8, i8)")
def room_for(free: Counts, need: int, per_node: int) -> bool:
    """Whether a job of `need` accelerators fits on nodes with `free`; equals `node_fit.fits`."""
    # two plain counts over one type, which compile to vector instructions
    whole, rest = need // per_node, np.int16(need % per_node)
    full = np.int16(per_node)
    empty = enough = 0
    for node in range(free.size):
        if free[node] == full:
            empty += 1
    if rest == 0 or empty < whole:
        return empty >= whole
    for node in range(free.size):
        if free[node] >= rest:
            enough += 1
    return enough > whole


@kernel("i8(i8[::1], i2[:, ::1], i8, i8, i8, i8, i2[::1])")
def last_hopeless(
    row: Ints, free: Counts, first: int, last: int, need: int, per_node: int, lowest: Counts
) -> int:
    """The last step from which on to `last` the job fits in no one place; -1 if it does.

    Then no start from `first` up to that step can do. `lowest` becomes what is free in every
    step from `first` to `last`, where the job fits.
    """
    lowest[:] = free[row[first]]
    for step in range(first + 1, last + 1):
        lower(lowest, free[row[step]])
    if room_for(lowest, need, per_node):
        return -1
    lowest[:] = free[row[last]]
    step = last
    while room_for(lowest, need, per_node):
        step -= 1
        lower(lowest, free[row[step]])
    return step


@kernel(f"Tuple((f8, i8))({_PLAN}, f8, f8, i8, i8[::1], i8[::1], i8)")
def reserve(
    times: Floats,
    row: Ints,
    free: Counts,
    level: Ints,
    steps: int,
    now: float,
    duration: float,
    need: int,
    nodes: Ints,
    counts: Ints,
    begin: int,
) -> tuple[float, int]:
    """Earliest time from `now` at which the job can be placed for all its duration.

    Writes the placement from `begin`; returns the time and the placement's end.
    """
    i = checked = 0
    while i + 1 < steps and times[i + 1] <= now:
        i += 1
    lowest = np.empty(free.shape[1], free.dtype)
    size = level.shape[1] - 1
    whole, rest = need // size, need % size
    candidate = now
    while True:
        step, checked = i, max(i, checked)
        hopeless = -1
        while step < steps and (step == i or times[step] < candidate + duration):
            if step >= checked:
                at = row[step]
                if level[at, size] < whole or (rest > 0 and level[at, rest] <= whole):
                    hopeless = step
                    break
            step += 1
        checked = step
        if hopeless < 0:
            hopeless = last_hopeless(row, free, i, step - 1, need, size, lowest)
        if hopeless < 0:
            room = np.zeros(level.shape[1], np.int64)
            for units in lowest:
                room[units] += 1
            return candidate, place(lowest.astype(np.int64), room, need, nodes, counts, begin)
        i = hopeless + 1
        candidate = times[i]


_ARRAYS = "f8[::1], i8[::1], i2[:, ::1], i8[:, ::1]"


@kernel(f"Tuple(({_ARRAYS}))({_PLAN})")
def grown(
    times: Floats, row: Ints, free: Counts, level: Ints, steps: int
) -> tuple[Floats, Ints, Counts, Ints]:
    """The plan's arrays, twice as long when four more steps might not fit."""
    size = times.size
    if steps + 4 < size:
        return times, row, free, level
    more_times = np.full(2 * size, np.inf)
    more_row = np.arange(2 * size)
    more_free = np.zeros((2 * size, free.shape[1]), np.int16)
    more_level = np.zeros((2 * size, level.shape[1]), np.int64)
    more_times[:size] = times
    more_row[:size] = row
    more_free[:size] = free
    more_level[:size] = level
    return more_times, more_row, more_free, more_level


@kernel(f"i8({_PLAN})")
def merge_steps(times: Floats, row: Ints, free: Counts, level: Ints, steps: int) -> int:
    """Drop steps that change nothing; the new step count."""
    write = 1
    for read in range(1, steps):
        same = True
        here, before = row[read], row[write - 1]
        for node in range(free.shape[1]):
            if free[here, node] != free[before, node]:
                same = False
                break
        if not same:
            times[write] = times[read]
            row[write], row[read] = row[read], row[write]
            write += 1
    return write


@kernel("i8(f8[::1], i8[::1], i8, f8)")
def drop_past(times: Floats, row: Ints, steps: int, now: float) -> int:
    """Forget the steps that end by `now`; the new step count."""
    past = 0
    while past + 1 < steps and times[past + 1] <= now:
        past += 1
    if past > 0:
        unused = row[:past].copy()
        for i in range(past, steps):
            times[i - past] = times[i]
            row[i - past] = row[i]
        steps -= past
        row[steps : steps + past] = unused
    return steps


@kernel("Tuple((f8[::1], i8[::1], i8[::1], i8[::1]))(f8[::1], f8[::1], i8[::1], f8[::1], i8, i8)")
def replay_conservative_nodes(
    submit: Floats, run: Floats, procs: Ints, est: Floats, n_nodes: int, per_node: int
) -> tuple[Floats, Ints, Ints, Ints]:
    """Start time and placement of each job; rules of `conservative.replay_conservative`.

    A reservation keeps the nodes it was given until it is re-placed. Arguments and result
    as `nodes.replay_nodes`.
    """
    jobs = submit.size
    start = np.full(jobs, np.nan)
    end = np.full(jobs, np.inf)
    reserved = np.full(jobs, np.inf)
    offsets = placement_offsets(procs, per_node)
    finish = offsets[:-1].copy()
    nodes = np.zeros(offsets[jobs], np.int64)
    counts = np.zeros(offsets[jobs], np.int64)
    times = np.full(16, -np.inf)
    row = np.arange(16)
    free = np.full((16, n_nodes), per_node, np.int16)
    level = np.zeros((16, per_node + 1), np.int64)
    level[0] = n_nodes
    steps = 1
    queue = np.empty(jobs + 1, np.int64)
    started = np.empty(jobs + 1, np.int64)
    heap = np.empty(min(jobs, n_nodes * per_node) + 1, np.int64)
    tail = arrived = active = 0
    next_due = np.inf
    while arrived < jobs or active > 0 or tail > 0:
        now = next_due
        if active > 0 and end[heap[0]] < now:
            now = end[heap[0]]
        if arrived < jobs and submit[arrived] < now:
            now = submit[arrived]
        steps = drop_past(times, row, steps, now)
        early = False
        while active > 0 and end[heap[0]] == now:
            job = heap[0]
            active = pop(heap, active, end)
            est_end = start[job] + est[job]
            if est_end > now:
                early = True
                times, row, free, level = grown(times, row, free, level, steps)
                steps = occupy_nodes(
                    times,
                    row,
                    free,
                    level,
                    steps,
                    now,
                    est_end,
                    nodes,
                    counts,
                    offsets[job],
                    finish[job],
                    -1,
                )
        waiting = tail
        while arrived < jobs and submit[arrived] == now:
            queue[tail] = arrived
            tail += 1
            arrived += 1
        for position in range(0 if early else waiting, tail):
            job = queue[position]
            times, row, free, level = grown(times, row, free, level, steps)
            if position < waiting:
                if reserved[job] <= now:
                    continue
                steps = occupy_nodes(
                    times,
                    row,
                    free,
                    level,
                    steps,
                    reserved[job],
                    reserved[job] + est[job],
                    nodes,
                    counts,
                    offsets[job],
                    finish[job],
                    -1,
                )
            reserved[job], finish[job] = reserve(
                times,
                row,
                free,
                level,
                steps,
                now,
                est[job],
                procs[job],
                nodes,
                counts,
                offsets[job],
            )
            steps = occupy_nodes(
                times,
                row,
                free,
                level,
                steps,
                reserved[job],
                reserved[job] + est[job],
                nodes,
                counts,
                offsets[job],
                finish[job],
                1,
            )
        if early:
            steps = merge_steps(times, row, free, level, steps)
        count = 0
        next_due = np.inf
        for position in range(tail):
            job = queue[position]
            if reserved[job] <= now:
                start[job] = now
                end[job] = now + run[job]
                active = push(heap, active, end, job)
                started[count] = position
                count += 1
            elif reserved[job] < next_due:
                next_due = reserved[job]
        if count > 0:
            tail = remove_started(queue, 0, tail, started, count)
    return start, nodes, counts, offsets

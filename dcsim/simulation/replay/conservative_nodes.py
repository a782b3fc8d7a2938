"""Conservative backfilling on nodes: a reservation is a time and the nodes for it.

In step i of the plan, from `times[i]` until `times[i + 1]`, `free[row[i], node]` accelerators
are free, and `level[row[i], f]` nodes have f free, so that a hopeless step is seen fast. A new
step takes the next unused row: `row` is a permutation of all rows, the first `steps` in use,
because moving whole rows would take most of the time.
"""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.node_fit import fits, place
from dcsim.simulation.replay.heap import pop, push
from dcsim.simulation.replay.nodes import placement_offsets
from dcsim.simulation.replay.pool import remove_started

Ints = NDArray[np.int64]
Counts = NDArray[np.int32]  # half the bytes, since the plan's rows are most of the traffic
Floats = NDArray[np.float64]

_PLAN = "f8[::1], i8[::1], i4[:, ::1], i8[:, ::1], i8"


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
            level[at, free[at, node]] -= 1
            free[at, node] -= sign * counts[j]
            level[at, free[at, node]] += 1
    return steps


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
    i = 0
    while i + 1 < steps and times[i + 1] <= now:
        i += 1
    lowest = np.empty(free.shape[1], np.int32)
    room = np.empty(level.shape[1], np.int64)
    candidate = now
    while True:
        possible = fits(level[row[i]], need)
        step = i
        while possible and step + 1 < steps and times[step + 1] < candidate + duration:
            step += 1
            possible = fits(level[row[step]], need)
        if not possible:
            i = step + 1
            candidate = times[i]
            continue
        lowest[:] = free[row[i]]
        for later in range(i + 1, step + 1):
            here = free[row[later]]
            for node in range(lowest.size):
                lowest[node] = min(lowest[node], here[node])
        room[:] = 0
        for units in lowest:
            room[units] += 1
        if fits(room, need):
            whole = lowest.astype(np.int64)
            return candidate, place(whole, room, need, nodes, counts, begin)
        i += 1
        candidate = times[i]


_ARRAYS = "f8[::1], i8[::1], i4[:, ::1], i8[:, ::1]"


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
    more_free = np.zeros((2 * size, free.shape[1]), np.int32)
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
    free = np.full((16, n_nodes), per_node, np.int32)
    level = np.zeros((16, per_node + 1), np.int64)
    level[0, per_node] = n_nodes
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

"""Conservative backfilling on nodes: a reservation is a time and the nodes for it.

The plan holds `free[i, node]` accelerators from `times[i]` until `times[i + 1]`, and
`level[i, f]`, how many nodes have f free in step i, so that a hopeless step is seen fast.
"""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.node_fit import fits, place
from dcsim.simulation.replay.heap import pop, push
from dcsim.simulation.replay.nodes import placement_offsets
from dcsim.simulation.replay.pool import remove_started

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_PLAN = "f8[::1], i8[:, ::1], i8[:, ::1], i8"


@kernel(f"i8({_PLAN}, f8)")
def step_at(times: Floats, free: Ints, level: Ints, steps: int, at: float) -> int:
    """Index of the step that begins at `at`; -i - 1 where it had to be added."""
    i = int(np.searchsorted(times[:steps], at))
    if i < steps and times[i] == at:
        return i
    for j in range(steps, i, -1):
        times[j] = times[j - 1]
        free[j] = free[j - 1]
        level[j] = level[j - 1]
    times[i] = at
    free[i] = free[i - 1]
    level[i] = level[i - 1]
    return -i - 1


@kernel(f"i8({_PLAN}, f8, f8, i8[::1], i8[::1], i8, i8, i8)")
def occupy_nodes(
    times: Floats,
    free: Ints,
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
    first = step_at(times, free, level, steps, start)
    if first < 0:
        first, steps = -first - 1, steps + 1
    last = step_at(times, free, level, steps, end)
    if last < 0:
        last, steps = -last - 1, steps + 1
    for i in range(first, last):
        for j in range(begin, finish):
            node = nodes[j]
            level[i, free[i, node]] -= 1
            free[i, node] -= sign * counts[j]
            level[i, free[i, node]] += 1
    return steps


@kernel(f"Tuple((f8, i8))({_PLAN}, f8, f8, i8, i8[::1], i8[::1], i8)")
def reserve(
    times: Floats,
    free: Ints,
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
    lowest = np.empty(free.shape[1], np.int64)
    room = np.empty(level.shape[1], np.int64)
    candidate = now
    while True:
        lowest[:] = free[i]
        possible = fits(level[i], need)
        step = i
        while possible and step + 1 < steps and times[step + 1] < candidate + duration:
            step += 1
            possible = fits(level[step], need)
            lowest = np.minimum(lowest, free[step])
        if possible:
            room[:] = 0
            for units in lowest:
                room[units] += 1
            if fits(room, need):
                return candidate, place(lowest, room, need, nodes, counts, begin)
            i += 1
        else:
            i = step + 1
        candidate = times[i]


@kernel("Tuple((f8[::1], i8[:, ::1], i8[:, ::1]))(f8[::1], i8[:, ::1], i8[:, ::1], i8)")
def grown(times: Floats, free: Ints, level: Ints, steps: int) -> tuple[Floats, Ints, Ints]:
    """The plan's arrays, twice as long when four more steps might not fit."""
    if steps + 4 < times.size:
        return times, free, level
    rows = 2 * times.size
    more_times = np.full(rows, np.inf)
    more_free = np.zeros((rows, free.shape[1]), np.int64)
    more_level = np.zeros((rows, level.shape[1]), np.int64)
    more_times[:steps] = times[:steps]
    more_free[:steps] = free[:steps]
    more_level[:steps] = level[:steps]
    return more_times, more_free, more_level


@kernel(f"i8({_PLAN})")
def merge_steps(times: Floats, free: Ints, level: Ints, steps: int) -> int:
    """Drop steps that change nothing; the new step count."""
    write = 1
    for read in range(1, steps):
        if (free[read] != free[write - 1]).any():
            times[write] = times[read]
            free[write] = free[read]
            level[write] = level[read]
            write += 1
    return write


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
    free = np.full((16, n_nodes), per_node)
    level = np.zeros((16, per_node + 1), np.int64)
    level[0, per_node] = n_nodes
    steps = 1
    queue = np.empty(jobs + 1, np.int64)
    started = np.empty(jobs + 1, np.int64)
    heap = np.empty(min(jobs, n_nodes * per_node) + 1, np.int64)
    tail = arrived = active = 0
    next_due = np.inf
    while arrived < jobs or active > 0:
        now = next_due
        if active > 0 and end[heap[0]] < now:
            now = end[heap[0]]
        if arrived < jobs and submit[arrived] < now:
            now = submit[arrived]
        past = 0
        while past + 1 < steps and times[past + 1] <= now:
            past += 1
        if past > 0:
            for i in range(past, steps):
                times[i - past] = times[i]
                free[i - past] = free[i]
                level[i - past] = level[i]
            steps -= past
        early = False
        while active > 0 and end[heap[0]] == now:
            job = heap[0]
            active = pop(heap, active, end)
            est_end = start[job] + est[job]
            if est_end > now:
                early = True
                times, free, level = grown(times, free, level, steps)
                steps = occupy_nodes(
                    times,
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
            times, free, level = grown(times, free, level, steps)
            if position < waiting:
                if reserved[job] <= now:
                    continue
                steps = occupy_nodes(
                    times,
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
                times, free, level, steps, now, est[job], procs[job], nodes, counts, offsets[job]
            )
            steps = occupy_nodes(
                times,
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
            steps = merge_steps(times, free, level, steps)
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

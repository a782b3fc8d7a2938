"""One scheduling pass over nodes of equal size, with placement by `node_fit`.

The functions write placements and update the state they are given, so that a replay runs
them on its own arrays; a caller that only wants a decision passes copies.
"""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.node_fit import fits, place, release, take

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_ARRAYS = "i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[::1]"


@kernel("i8(i8[::1], f8[::1], i8, i8)")
def insert_running(running: Ints, est_end: Floats, count: int, job: int) -> int:
    """Add `job` to the list sorted by estimated end; the new length."""
    i = count
    while i > 0 and est_end[running[i - 1]] > est_end[job]:
        running[i] = running[i - 1]
        i -= 1
    running[i] = job
    return count + 1


@kernel("i8(i8[::1], i8, i8)")
def remove_running(running: Ints, count: int, job: int) -> int:
    """Take `job` out of the list; the new length."""
    i = 0
    while running[i] != job:
        i += 1
    for j in range(i, count - 1):
        running[j] = running[j + 1]
    return count - 1


@kernel(f"f8(i8, i8[::1], i8, f8[::1], {_ARRAYS})")
def shadow_time(
    need: int,
    running: Ints,
    active: int,
    est_end: Floats,
    nodes: Ints,
    counts: Ints,
    begin: Ints,
    finish: Ints,
    free: Ints,
    level: Ints,
) -> float:
    """Earliest time at which `need` fits when running jobs end by their estimates.

    `free` and `level` are copies of the present state, in which `need` does not fit; they
    become the state at the shadow time, every job that ends by then released.
    """
    shadow = -np.inf
    for i in range(active):
        job = running[i]
        if est_end[job] > shadow and fits(level, need):
            break
        shadow = est_end[job]
        release(free, level, nodes, counts, begin[job], finish[job])
    return shadow


@kernel(f"i8(i8[::1], i8, i8, i8[::1], {_ARRAYS}, i8[::1])")
def node_head_pass(
    queue: Ints,
    head: int,
    tail: int,
    procs: Ints,
    nodes: Ints,
    counts: Ints,
    begin: Ints,
    finish: Ints,
    free: Ints,
    level: Ints,
    started: Ints,
) -> int:
    """Place jobs from the head while they fit; how many, their positions in `started`."""
    count = 0
    for position in range(head, tail):
        job = queue[position]
        if not fits(level, procs[job]):
            break
        finish[job] = place(free, level, procs[job], nodes, counts, begin[job])
        started[count] = position
        count += 1
    return count


@kernel(f"i8(i8[::1], i8, i8, i8[::1], {_ARRAYS}, i8[::1])")
def node_first_fit_pass(
    queue: Ints,
    first: int,
    tail: int,
    procs: Ints,
    nodes: Ints,
    counts: Ints,
    begin: Ints,
    finish: Ints,
    free: Ints,
    level: Ints,
    started: Ints,
) -> int:
    """Place whatever fits, in queue order; how many, their positions in `started`."""
    count = 0
    for position in range(first, tail):
        job = queue[position]
        if fits(level, procs[job]):
            finish[job] = place(free, level, procs[job], nodes, counts, begin[job])
            started[count] = position
            count += 1
    return count


@kernel(f"i8(i8[::1], i8, i8, i8, i8[::1], f8[::1], f8, i8[::1], i8, f8[::1], {_ARRAYS}, i8[::1])")
def node_easy_pass(
    queue: Ints,
    head: int,
    unseen: int,
    tail: int,
    procs: Ints,
    est: Floats,
    now: float,
    running: Ints,
    active: int,
    est_end: Floats,
    nodes: Ints,
    counts: Ints,
    begin: Ints,
    finish: Ints,
    free: Ints,
    level: Ints,
    started: Ints,
) -> int:
    """EASY backfilling on nodes; `unseen` as in `queue_passes.easy_pass`.

    A later job starts if it fits and either ends, by estimate, by the head's shadow time or
    leaves the head placeable at that time.
    """
    count = node_head_pass(
        queue, head, tail, procs, nodes, counts, begin, finish, free, level, started
    )
    for i in range(count):
        job = queue[started[i]]
        est_end[job] = now + est[job]
        active = insert_running(running, est_end, active, job)
    blocked = head + count
    if blocked >= tail or level[0] == free.size:
        return count
    need = procs[queue[blocked]]
    free_then, level_then = free.copy(), level.copy()
    shadow = shadow_time(
        need, running, active, est_end, nodes, counts, begin, finish, free_then, level_then
    )
    for position in range(max(blocked + 1, unseen), tail):
        job = queue[position]
        if not fits(level, procs[job]):
            continue
        finish[job] = place(free, level, procs[job], nodes, counts, begin[job])
        if now + est[job] > shadow:
            for i in range(begin[job], finish[job]):
                take(free_then, level_then, nodes[i], counts[i])
            if not fits(level_then, need):
                release(free_then, level_then, nodes, counts, begin[job], finish[job])
                release(free, level, nodes, counts, begin[job], finish[job])
                finish[job] = begin[job]
                continue
        est_end[job] = now + est[job]
        active = insert_running(running, est_end, active, job)
        started[count] = position
        count += 1
        if level[0] == free.size:
            break
    return count

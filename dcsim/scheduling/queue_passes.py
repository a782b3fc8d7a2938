"""One scheduling pass over a pool of interchangeable accelerators.

Each function looks at the queue `queue[head:tail]` (job indices in queue order) and
writes the positions of the jobs to start now to `started`, returning how many. They are
compiled, so that a replay of a million jobs and a single decision run the same code.
"""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@kernel("i8(i8[::1], i8, i8, i8[::1], i8, i8[::1])")
def head_pass(queue: Ints, head: int, tail: int, procs: Ints, free: int, started: Ints) -> int:
    """Start jobs from the head while they fit (FCFS; SJF when the queue is ordered by est)."""
    count = 0
    for position in range(head, tail):
        need = procs[queue[position]]
        if need > free:
            break
        free -= need
        started[count] = position
        count += 1
    return count


@kernel("i8(i8[::1], i8, i8, i8[::1], i8, i8[::1])")
def first_fit_pass(
    queue: Ints, first: int, tail: int, procs: Ints, free: int, started: Ints
) -> int:
    """Scan the whole queue in order and start whatever fits."""
    count = 0
    for position in range(first, tail):
        if free == 0:
            break
        need = procs[queue[position]]
        if need <= free:
            free -= need
            started[count] = position
            count += 1
    return count


@kernel("i8(f8[::1], i8[::1], i8, f8, i8)")
def insert_release(ends: Floats, units: Ints, count: int, end: float, need: int) -> int:
    """Add a release of `need` units at `end` to the sorted list; the new length."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if ends[middle] <= end:
            low = middle + 1
        else:
            high = middle
    for i in range(count, low, -1):
        ends[i] = ends[i - 1]
        units[i] = units[i - 1]
    ends[low] = end
    units[low] = need
    return count + 1


@kernel("i8(f8[::1], i8[::1], i8, f8, i8)")
def remove_release(ends: Floats, units: Ints, count: int, end: float, need: int) -> int:
    """Take one release of `need` units at `end` out of the sorted list; the new length."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if ends[middle] < end:
            low = middle + 1
        else:
            high = middle
    while units[low] != need:  # releases of one date are interchangeable but for their size
        low += 1
    for i in range(low, count - 1):
        ends[i] = ends[i + 1]
        units[i] = units[i + 1]
    return count - 1


@kernel("i8(i8[::1], i8, i8, i8, i8[::1], f8[::1], i8, f8, f8[::1], i8[::1], i8, i8[::1])")
def easy_pass(
    queue: Ints,
    head: int,
    unseen: int,
    tail: int,
    procs: Ints,
    est: Floats,
    free: int,
    now: float,
    release_ends: Floats,
    release_units: Ints,
    releases: int,
    started: Ints,
) -> int:
    """EASY backfilling (Lifka 1995): only the blocked head holds a reservation.

    The head gets a shadow time, the earliest at which the estimated ends of running jobs
    (`release_ends` sorted, with `release_units`) make room for it; a later job starts if it
    fits and either ends by the shadow time or uses only units spare at it. Positions
    between the head and `unseen` were refused by a pass since which nothing was released,
    so they cannot start now and are skipped. Jobs started are added to the releases.
    """
    count = 0
    position = head
    while position < tail and procs[queue[position]] <= free:
        job = queue[position]
        free -= procs[job]
        releases = insert_release(release_ends, release_units, releases, now + est[job], procs[job])
        started[count] = position
        count += 1
        position += 1
    if position >= tail or free == 0:
        return count
    need = procs[queue[position]]
    available, i = free, 0
    shadow = now
    while available < need:
        shadow = release_ends[i]
        available += release_units[i]
        i += 1
    while i < releases and release_ends[i] == shadow:
        available += release_units[i]
        i += 1
    spare = available - need
    for later in range(max(position + 1, unseen), tail):
        job = queue[later]
        if procs[job] > free:
            continue
        ends_in_time = now + est[job] <= shadow
        if ends_in_time or procs[job] <= spare:
            free -= procs[job]
            if not ends_in_time:
                spare -= procs[job]
            releases = insert_release(
                release_ends, release_units, releases, now + est[job], procs[job]
            )
            started[count] = later
            count += 1
            if free == 0:
                break
    return count

"""Conservative backfilling on a pool: every queued job holds a reservation.

The plan is a step function: `free[i]` units from `times[i]` until `times[i + 1]`, the last
step without end. It lives in arrays with a head offset, so that the past is dropped cheaply.
"""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.simulation.replay.heap import pop, push
from dcsim.simulation.replay.queue import remove_started

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@kernel("i8(f8[::1], i8[::1], i8, i8, f8)")
def split(times: Floats, free: Ints, head: int, tail: int, at: float) -> int:
    """Index i of the step that begins at `at`; -i - 1 where that step had to be added."""
    low, high = head, tail
    while low < high:
        middle = (low + high) // 2
        if times[middle] < at:
            low = middle + 1
        else:
            high = middle
    if low < tail and times[low] == at:
        return low
    for i in range(tail, low, -1):
        times[i] = times[i - 1]
        free[i] = free[i - 1]
    times[low] = at
    free[low] = free[low - 1]
    return -low - 1


@kernel("i8(f8[::1], i8[::1], i8, i8, f8, f8, i8)")
def occupy(
    times: Floats, free: Ints, head: int, tail: int, begin: float, end: float, units: int
) -> int:
    """Take `units` (negative: give back) from `begin` to `end`; the new tail."""
    if begin >= end:
        return tail
    first = split(times, free, head, tail, begin)
    if first < 0:
        first, tail = -first - 1, tail + 1
    last = split(times, free, head, tail, end)
    if last < 0:
        last, tail = -last - 1, tail + 1
    for i in range(first, last):
        free[i] -= units
    return tail


@kernel("f8(f8[::1], i8[::1], i8, i8, f8, f8, i8)")
def earliest(
    times: Floats, free: Ints, head: int, tail: int, now: float, duration: float, need: int
) -> float:
    """First time from `now` at which `need` units stay free for `duration`."""
    i = head
    while i + 1 < tail and times[i + 1] <= now:
        i += 1
    candidate = now
    while i < tail:
        if free[i] < need:
            i += 1
            candidate = times[i]
        elif i + 1 == tail or times[i + 1] >= candidate + duration:
            return candidate
        else:
            i += 1
    return candidate


@kernel("i8(f8[::1], i8[::1], i8, i8)")
def merge_equal(times: Floats, free: Ints, head: int, tail: int) -> int:
    """Drop steps that change nothing and move the rest to index 0; the new tail.

    Moving to the front bounds the arrays: between two calls each job adds at most four steps.
    """
    times[0], free[0] = times[head], free[head]
    write = 1
    for read in range(head + 1, tail):
        if free[read] != free[write - 1]:
            times[write] = times[read]
            free[write] = free[read]
            write += 1
    return write


@kernel("f8[::1](f8[::1], f8[::1], i8[::1], f8[::1], i8)")
def replay_conservative(
    submit: Floats, run: Floats, procs: Ints, est: Floats, capacity: int
) -> Floats:
    """Start time of each job under conservative backfilling (Mu'alem and Feitelson 2001).

    Each arriving job gets the earliest reservation that moves no other; after a completion
    earlier than estimated, queued jobs are re-placed one by one in queue order, each never
    later than before. Arguments as `pool.replay_pool`.
    """
    jobs = submit.size
    start = np.full(jobs, np.nan)
    end = np.full(jobs, np.inf)
    reserved = np.full(jobs, np.inf)
    queue = np.empty(jobs + 1, np.int64)
    started = np.empty(jobs + 1, np.int64)
    running = np.empty(min(jobs, capacity) + 1, np.int64)
    times = np.empty(8 * jobs + 8, np.float64)
    free = np.empty(8 * jobs + 8, np.int64)
    times[0], free[0] = -np.inf, capacity
    first, last = 0, 1  # the plan is times[first:last]
    head = tail = arrived = active = 0
    next_due = np.inf
    while arrived < jobs or active > 0 or head < tail:
        now = next_due
        if active > 0 and end[running[0]] < now:
            now = end[running[0]]
        if arrived < jobs and submit[arrived] < now:
            now = submit[arrived]
        while first + 1 < last and times[first + 1] <= now:
            first += 1
        early = False
        while active > 0 and end[running[0]] == now:
            job = running[0]
            active = pop(running, active, end)
            if start[job] + est[job] > now:
                early = True
                last = occupy(times, free, first, last, now, start[job] + est[job], -procs[job])
        if early:
            for position in range(head, tail):
                job = queue[position]
                if reserved[job] <= now:
                    continue
                finish = reserved[job] + est[job]
                last = occupy(times, free, first, last, reserved[job], finish, -procs[job])
                reserved[job] = earliest(times, free, first, last, now, est[job], procs[job])
                finish = reserved[job] + est[job]
                last = occupy(times, free, first, last, reserved[job], finish, procs[job])
            first, last = 0, merge_equal(times, free, first, last)
        while arrived < jobs and submit[arrived] == now:
            reserved[arrived] = earliest(
                times, free, first, last, now, est[arrived], procs[arrived]
            )
            finish = reserved[arrived] + est[arrived]
            last = occupy(times, free, first, last, reserved[arrived], finish, procs[arrived])
            queue[tail] = arrived
            tail += 1
            arrived += 1
        count = 0
        next_due = np.inf
        for position in range(head, tail):
            job = queue[position]
            if reserved[job] <= now:
                start[job] = now
                end[job] = now + run[job]
                active = push(running, active, end, job)
                started[count] = position
                count += 1
            elif reserved[job] < next_due:
                next_due = reserved[job]
        if count > 0:
            tail = remove_started(queue, head, tail, started, count)
    return start

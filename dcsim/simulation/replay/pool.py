"""FCFS, SJF, first-fit and EASY on a pool of interchangeable accelerators."""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.queue_passes import (
    easy_pass,
    first_fit_pass,
    head_pass,
    remove_release,
)
from dcsim.simulation.replay.heap import pop, push
from dcsim.simulation.replay.queue import EASY, FIRST_FIT, SJF, enqueue, remove_started

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@kernel("f8[::1](f8[::1], f8[::1], i8[::1], f8[::1], i8, i8)")
def replay_pool(
    submit: Floats, run: Floats, procs: Ints, est: Floats, capacity: int, policy: int
) -> Floats:
    """Start time of each job; jobs are sorted by submit, `procs` <= `capacity`, `est` >= `run`.

    At one timestamp: every completion, then every arrival, then one pass. `policy` is one
    of the constants of `queue`. Shape (n,) in and out, seconds.
    """
    jobs = submit.size
    start = np.full(jobs, np.nan)
    end = np.full(jobs, np.inf)
    queue = np.empty(jobs + 1, np.int64)
    started = np.empty(jobs + 1, np.int64)
    running = np.empty(min(jobs, capacity) + 1, np.int64)
    release_ends = np.empty(min(jobs, capacity) + 1, np.float64)
    release_units = np.empty(min(jobs, capacity) + 1, np.int64)
    head = tail = arrived = active = unseen = 0
    free = capacity
    while arrived < jobs or active > 0:
        now = np.inf
        if active > 0:
            now = end[running[0]]
        if arrived < jobs and submit[arrived] < now:
            now = submit[arrived]
        while active > 0 and end[running[0]] == now:
            job = running[0]
            active = pop(running, active, end)
            free += procs[job]
            unseen = head
            if policy == EASY:
                remove_release(
                    release_ends, release_units, active + 1, start[job] + est[job], procs[job]
                )
        while arrived < jobs and submit[arrived] == now:
            tail = enqueue(queue, head, tail, est, arrived, policy == SJF)
            arrived += 1
        if policy == FIRST_FIT:
            count = first_fit_pass(queue, max(head, unseen), tail, procs, free, started)
        elif policy == EASY:
            count = easy_pass(
                queue,
                head,
                unseen,
                tail,
                procs,
                est,
                free,
                now,
                release_ends,
                release_units,
                active,
                started,
            )
        else:
            count = head_pass(queue, head, tail, procs, free, started)
        for i in range(count):
            job = queue[started[i]]
            start[job] = now
            end[job] = now + run[job]
            free -= procs[job]
            active = push(running, active, end, job)
        if count > 0:
            if started[count - 1] == head + count - 1:
                head += count
            else:
                tail = remove_started(queue, head, tail, started, count)
        unseen = tail
    return start

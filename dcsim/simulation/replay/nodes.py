"""FCFS, SJF, first-fit and EASY on nodes of equal size, with placement."""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.node_fit import release
from dcsim.scheduling.node_passes import (
    node_easy_pass,
    node_first_fit_pass,
    node_head_pass,
    remove_running,
)
from dcsim.simulation.replay.heap import pop, push
from dcsim.simulation.replay.queue import EASY, FIRST_FIT, SJF, enqueue, remove_started

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@kernel("i8[::1](i8[::1], i8)")
def placement_offsets(procs: Ints, per_node: int) -> Ints:
    """Where each job's placement begins in the flat arrays; one more entry than jobs."""
    offsets = np.zeros(procs.size + 1, np.int64)
    for job in range(procs.size):
        offsets[job + 1] = offsets[job] + (procs[job] + per_node - 1) // per_node
    return offsets


@kernel(
    "Tuple((f8[::1], i8[::1], i8[::1], i8[::1]))(f8[::1], f8[::1], i8[::1], f8[::1], i8, i8, i8)"
)
def replay_nodes(
    submit: Floats, run: Floats, procs: Ints, est: Floats, n_nodes: int, per_node: int, policy: int
) -> tuple[Floats, Ints, Ints, Ints]:
    """Start time and placement of each job on `n_nodes` nodes of `per_node` accelerators.

    Returns `start` (n,) and the placements flat: job j holds `counts[i]` accelerators of
    `nodes[i]` for i from `offsets[j]` to `offsets[j + 1]`. Other arguments as
    `pool.replay_pool`.
    """
    jobs = submit.size
    start = np.full(jobs, np.nan)
    end = np.full(jobs, np.inf)
    est_end = np.full(jobs, np.inf)
    offsets = placement_offsets(procs, per_node)
    begin, finish = offsets[:-1].copy(), offsets[:-1].copy()
    nodes = np.zeros(offsets[jobs], np.int64)
    counts = np.zeros(offsets[jobs], np.int64)
    free = np.full(n_nodes, per_node)
    level = np.zeros(per_node + 1, np.int64)
    level[per_node] = n_nodes
    queue = np.empty(jobs + 1, np.int64)
    started = np.empty(jobs + 1, np.int64)
    most = min(jobs, n_nodes * per_node) + 1
    heap = np.empty(most, np.int64)
    running = np.empty(most, np.int64)
    head = tail = arrived = active = unseen = 0
    while arrived < jobs or active > 0:
        now = np.inf
        if active > 0:
            now = end[heap[0]]
        if arrived < jobs and submit[arrived] < now:
            now = submit[arrived]
        while active > 0 and end[heap[0]] == now:
            job = heap[0]
            pop(heap, active, end)
            if policy == EASY:
                remove_running(running, active, job)
            active -= 1
            release(free, level, nodes, counts, begin[job], finish[job])
            unseen = head
        while arrived < jobs and submit[arrived] == now:
            tail = enqueue(queue, head, tail, est, arrived, policy == SJF)
            arrived += 1
        if policy == FIRST_FIT:
            count = node_first_fit_pass(
                queue,
                max(head, unseen),
                tail,
                procs,
                nodes,
                counts,
                begin,
                finish,
                free,
                level,
                started,
            )
        elif policy == EASY:
            count = node_easy_pass(
                queue,
                head,
                unseen,
                tail,
                procs,
                est,
                now,
                running,
                active,
                est_end,
                nodes,
                counts,
                begin,
                finish,
                free,
                level,
                started,
            )
        else:
            count = node_head_pass(
                queue, head, tail, procs, nodes, counts, begin, finish, free, level, started
            )
        for i in range(count):
            job = queue[started[i]]
            start[job] = now
            end[job] = now + run[job]
            active = push(heap, active, end, job)
        if count > 0:
            if started[count - 1] == head + count - 1:
                head += count
            else:
                tail = remove_started(queue, head, tail, started, count)
        # A start may send a refused job's best fit elsewhere, away from what the head needs.
        unseen = head if policy == EASY and count > 0 else tail
    return start, nodes, counts, offsets

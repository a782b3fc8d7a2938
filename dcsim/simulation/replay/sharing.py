"""Replay with jobs that share accelerators, on nodes of equal size."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.records import InputError
from dcsim.scheduling.sharing import (
    BEST_FIT,
    FGD,
    PACK,
    SPREAD,
    WHOLE,
    Mix,
    fragmentation,
    place_shared,
)
from dcsim.simulation.replay.heap import pop, push
from dcsim.simulation.replay.options import Options
from dcsim.simulation.replay.outcome import Replay, take_rows
from dcsim.simulation.replay.queue import enqueue, remove_started
from dcsim.workload.traces import Trace, prepared

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PLACEMENTS = {"best-fit": BEST_FIT, "pack": PACK, "spread": SPREAD, "fgd": FGD}
POLICIES = ("fcfs", "sjf", "firstfit")


@kernel()
def _replay_shared(
    submit: Floats,
    run: Floats,
    procs: Ints,
    milli: Ints,
    est: Floats,
    n_nodes: int,
    per_node: int,
    shortest_first: bool,
    skip: bool,
    mode: int,
    mix: Mix,
) -> tuple[Floats, Ints, Ints, Floats]:
    """Starts (n,), accelerators of each job (flat, with offsets), and integrals over time.

    The integrals are thousandths x seconds until the last arrival: free, and fragmented.
    """
    jobs = submit.size
    start, end = np.full(jobs, np.nan), np.full(jobs, np.inf)
    offsets = np.zeros(jobs + 1, np.int64)
    offsets[1:] = np.cumsum(procs)
    taken = np.zeros(offsets[jobs], np.int64)
    room = np.full((n_nodes, per_node), WHOLE)
    frag = np.full(n_nodes, fragmentation(room[0], mix))
    queue, started = np.empty(jobs + 1, np.int64), np.empty(jobs + 1, np.int64)
    heap = np.empty(jobs + 1, np.int64)
    integrals = np.zeros(2)
    head = tail = arrived = active = 0
    now = submit[0]
    while arrived < jobs or active > 0:
        following = end[heap[0]] if active > 0 else np.inf
        if arrived < jobs and submit[arrived] < following:
            following = submit[arrived]
        if arrived < jobs:
            integrals[0] += (following - now) * room.sum()
            integrals[1] += (following - now) * frag.sum()
        now = following
        while active > 0 and end[heap[0]] == now:
            job = heap[0]
            active = pop(heap, active, end)
            for i in range(offsets[job], offsets[job + 1]):
                node = taken[i] // per_node
                room[node, taken[i] % per_node] += milli[job]
                frag[node] = fragmentation(room[node], mix)
        while arrived < jobs and submit[arrived] == now:
            tail = enqueue(queue, head, tail, est, arrived, shortest_first)
            arrived += 1
        count = 0
        for position in range(head, tail):
            job = queue[position]
            first = offsets[job]
            if place_shared(room, procs[job], milli[job], mode, mix, frag, taken, first) == first:
                if skip:
                    continue
                break
            start[job], end[job] = now, now + run[job]
            active = push(heap, active, end, job)
            started[count] = position
            count += 1
        if count > 0:
            tail = remove_started(queue, head, tail, started, count)
    return start, taken, offsets, integrals


def replay_sharing(
    trace: Trace, policy: str, n_nodes: int, per_node: int, options: Options
) -> Replay:
    """Replay in thousandths of an accelerator: the `Replay` counts 1000 for each.

    Its `fragmented_share` is the part of free accelerator time, until the last arrival, that
    an average job of the trace could not use. Raises `InputError` for a policy or placement
    that does not share, for quotas and for windows.
    """
    if policy not in POLICIES:
        raise InputError(f"--fractional takes the policies {', '.join(POLICIES)}, not {policy}")
    if options.placement not in PLACEMENTS:
        raise InputError(f"--fractional takes the placements {', '.join(PLACEMENTS)}")
    if options.quota or options.windows:
        raise InputError("--fractional takes neither quotas nor windows")
    jobs = prepared(trace, n_nodes * per_node)
    if not len(jobs):
        raise InputError("no job of the trace can run here")
    share = np.ones(len(jobs)) if jobs.share is None else jobs.share
    milli = np.clip(np.rint(share * WHOLE), 1, WHOLE).astype(np.int64)
    order = np.argsort(jobs.submit_s, kind="stable")
    start, taken, offsets, integrals = _replay_shared(
        jobs.submit_s[order], jobs.run_s[order], jobs.accelerators[order], milli[order],
        jobs.est_s[order], n_nodes, per_node, policy == "sjf", policy == "firstfit",
        PLACEMENTS[options.placement], _mix(jobs.accelerators, milli),
    )  # fmt: skip
    position = np.empty_like(order)
    position[order] = np.arange(order.size)
    taken, offsets = take_rows(taken, offsets, position)
    nodes, counts, offsets = _by_node(taken // per_node, milli, offsets)
    begin = start[position]
    return Replay(
        replace(jobs, accelerators=jobs.accelerators * milli),
        policy,
        n_nodes,
        per_node * WHOLE,
        begin,
        begin + jobs.run_s,
        nodes,
        counts,
        offsets,
        unit=WHOLE,
        fragmented_share=float(integrals[1] / integrals[0]) if integrals[0] > 0 else 0.0,
    )


def _mix(procs: Ints, milli: Ints) -> Mix:
    """The distinct requests of the trace with their share of jobs."""
    kinds, counts = np.unique(np.stack([procs, milli], 1), axis=0, return_counts=True)
    return Mix(kinds[:, 0].copy(), kinds[:, 1].copy(), counts / counts.sum())


def _by_node(node: Ints, milli: Ints, offsets: Ints) -> tuple[Ints, Ints, Ints]:
    """One entry for each job and node, with the thousandths held there."""
    job = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
    width = int(node.max()) + 1
    codes, counts = np.unique(job * width + node, return_counts=True)
    owner = codes // width
    return codes % width, counts * milli[owner], np.searchsorted(owner, np.arange(offsets.size))

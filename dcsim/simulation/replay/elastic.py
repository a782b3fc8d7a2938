"""Replay of elastic jobs on a pool: they start small, grow and shrink as others come and go."""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.elastic import shared_evenly
from dcsim.scheduling.ranked_state import Cluster
from dcsim.simulation.replay.ranked_log import COMPLETED, RESIZED, Log, empty_log, write_segment

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@kernel()
def replay_elastic(
    submit: Floats,
    run: Floats,
    procs: Ints,
    least: Ints,
    most: Ints,
    capacity: int,
    restart_s: float,
) -> Log:
    """Every segment of every job, first come first served; jobs sorted by `submit`, `least` fits.

    Jobs start in order while the least sizes fit; `shared_evenly` then sizes all that run. A
    job progresses in proportion to its accelerators, `run` seconds on `procs`; whenever
    its size changes it first spends `restart_s`.
    """
    n = submit.size
    numbers = np.arange(n)
    sizes = Cluster(
        np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(n, np.int64),
        np.zeros(n, np.int64), numbers, numbers + 1,
    )  # fmt: skip
    held = sizes.counts
    left, since, overhead = run.copy(), np.zeros(n), np.zeros(n)
    end = np.full(n, np.inf)
    log = empty_log(n + 1, n + 1)
    running = np.empty(n, np.int64)
    active = arrived = head = 0
    while head < n or active > 0:
        now = submit[arrived] if arrived < n else np.inf
        for i in range(active):
            now = min(now, end[running[i]])
        kept = 0
        for i in range(active):
            job = running[i]
            if end[job] == now:
                log = write_segment(log, job, since[job], now, COMPLETED, sizes)
            else:
                running[kept] = job
                kept += 1
        active = kept
        while arrived < n and submit[arrived] == now:
            arrived += 1
        needed = least[running[:active]].sum()
        while head < arrived and needed + least[head] <= capacity:
            needed += least[head]
            running[active] = head
            active += 1
            head += 1
        if active == 0:
            continue
        jobs = running[:active]
        given = shared_evenly(least[jobs], most[jobs], capacity)
        for i in range(active):
            job = jobs[i]
            if given[i] == held[job]:
                continue
            if held[job] > 0:
                done = max(0.0, now - since[job] - overhead[job])
                left[job] -= done * held[job] / procs[job]
                log = write_segment(log, job, since[job], now, RESIZED, sizes)
                overhead[job] = restart_s
            held[job], since[job] = given[i], now
            end[job] = now + overhead[job] + max(0.0, left[job]) * procs[job] / given[i]
    return log

"""Jobs per second of `dcsim replay` beside a plain-Python brute force, in one run.

    python benchmarks/replay.py [--jobs 10000] [--naive 2000]

The workload is generated here: lognormal run times, power-of-two gangs up to 256, 0.9 offered
load on 256 nodes of 8. Kernels are compiled before the clock starts. The brute force rescans
the whole queue and re-sorts the running jobs at every event; it runs on the first jobs only,
and both are timed on those same jobs for the ratio. Starts are checked to be equal.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from dcsim.simulation.replay import replay
from dcsim.workload.traces import Trace

N_NODES, PER_NODE = 256, 8
POLICIES = (
    "fcfs", "sjf", "firstfit", "easy", "conservative", "priority+easy", "fairshare+easy", "drf",
    "srtf", "las",
)  # fmt: skip


def generated(jobs: int, seed: int = 7) -> Trace:
    """A seeded workload of `jobs` jobs at an offered load of 0.9."""
    rng = np.random.default_rng(seed)
    run = np.clip(rng.lognormal(np.log(874), 2.46, jobs), 1, 2 * 86400).astype(int).astype(float)
    weights = np.array([45, 6, 8, 20, 8, 6, 4, 2, 1], float)
    gang = 2 ** rng.choice(9, jobs, p=weights / weights.sum())
    span = float((run * gang).sum()) / (N_NODES * PER_NODE * 0.9)
    submit = np.sort(rng.integers(0, int(span), jobs)).astype(float)
    est = np.ceil(run * rng.choice([1, 1.5, 2, 4, 10], jobs))
    blank = np.full(jobs, "", dtype=object)
    names = np.array([str(i) for i in range(jobs)], dtype=object)
    unknown = np.full(jobs, np.nan)
    return Trace(names, submit, run, gang, est, blank, blank, blank, unknown, "generic")


def naive_easy(trace: Trace, capacity: int) -> list[float]:
    """EASY on a pool in plain Python, written for clarity alone."""
    submit, run = trace.submit_s.tolist(), trace.run_s.tolist()
    need, est = trace.accelerators.tolist(), trace.est_s.tolist()
    start: dict[int, float] = {}
    running: list[int] = []
    queue: list[int] = []
    free, arrived = capacity, 0
    while arrived < len(submit) or running:
        ends = [start[j] + run[j] for j in running]
        now = min(ends + submit[arrived : arrived + 1])
        for j in [j for j, end in zip(running, ends, strict=True) if end == now]:
            running.remove(j)
            free += need[j]
        while arrived < len(submit) and submit[arrived] == now:
            queue.append(arrived)
            arrived += 1
        shadow, spare, blocked = float("inf"), 0, False
        for j in list(queue):
            if not blocked and need[j] > free:
                blocked, available = True, free
                for end, units in sorted((start[i] + est[i], need[i]) for i in running):
                    if end > shadow:
                        break
                    available += units
                    if available >= need[j]:
                        shadow = end
                spare = available - need[j]
                continue
            in_time = now + est[j] <= shadow
            if need[j] <= free and (not blocked or in_time or need[j] <= spare):
                spare -= need[j] if blocked and not in_time else 0
                free -= need[j]
                start[j] = now
                running.append(j)
                queue.remove(j)
    return [start[j] for j in range(len(submit))]


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    """Print jobs per second by policy and machine, then the ratio to the brute force."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--naive", type=int, default=2_000)
    options = parser.parse_args()
    trace, small = generated(options.jobs), generated(options.naive)
    for pool in (True, False):
        for policy in POLICIES:
            nodes, per_node = (N_NODES * PER_NODE, 1) if pool else (N_NODES, PER_NODE)
            replay(generated(50), policy, nodes, per_node, pool=pool)
            taken = seconds(
                lambda p=policy, n=nodes, g=per_node, q=pool: replay(trace, p, n, g, pool=q)
            )
            where = "pool" if pool else f"{N_NODES}x{PER_NODE}"
            print(f"{policy:15} {where:7} {options.jobs / taken:12,.0f} jobs/s")
    capacity = N_NODES * PER_NODE
    ours = replay(small, "easy", capacity, 1, pool=True).start_s.tolist()
    assert ours == naive_easy(small, capacity), "the schedules differ"
    fast = seconds(lambda: replay(small, "easy", capacity, 1, pool=True))
    slow = seconds(lambda: naive_easy(small, capacity))
    print(f"easy, pool, {options.naive} jobs: {slow / fast:,.0f} times the brute force's speed")


if __name__ == "__main__":
    main()

"""One scheduling pass over a queue that is already ranked, with quotas and closed windows.

An order (who is next) and a rule (what a job that does not fit means for the rest) together
make a policy: FCFS is (submitted, block), EASY (submitted, reserve), priority scheduling with
backfilling (priority, reserve). A job over its account's quota is passed over and holds
nobody back.
"""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.node_fit import release, take
from dcsim.scheduling.node_modes import can_place, place_by
from dcsim.scheduling.node_passes import insert_running
from dcsim.scheduling.ranked_state import (
    BLOCK,
    DOMINANT,
    RESERVE,
    Cluster,
    Jobs,
    Running,
    Shares,
    Windows,
)

Ints = NDArray[np.int64]


@kernel()
def open_to(
    free: Ints,
    level: Ints,
    job: int,
    now: float,
    est: float,
    jobs: Jobs,
    running: Running,
    active: int,
    windows: Windows,
) -> tuple[Ints, Ints]:
    """`free` and `level` as `job` may use them from `now` for `est` seconds.

    The arrays themselves when no window concerns the job, else copies without what a window
    that overlaps its estimated run keeps closed.
    """
    overlapping = False
    for w in range(windows.start.size):
        if now + est > windows.start[w] and now < windows.end[w] and not windows.exempt[w, job]:
            overlapping = True
    if not overlapping:
        return free, level
    left = free.copy()
    for w in range(windows.start.size):
        if now + est > windows.start[w] and now < windows.end[w] and not windows.exempt[w, job]:
            if free.size > 1:
                left[windows.first[w] : windows.last[w]] = 0
                continue
            spare = level.size - 1 - windows.units[w]
            for i in range(active):
                other = running.jobs[i]
                outlasts = running.est_end[other] > max(now, windows.start[w])
                if outlasts and not windows.exempt[w, other]:
                    spare -= jobs.procs[other]
            left[0] = max(0, min(left[0], spare))
    seen = np.zeros_like(level)
    for units in left:
        seen[units] += 1
    return left, seen


@kernel()
def fits_open(
    free: Ints,
    level: Ints,
    job: int,
    now: float,
    est: float,
    jobs: Jobs,
    running: Running,
    active: int,
    windows: Windows,
    mode: int,
) -> bool:
    """Whether `job` could be placed on what is open to it."""
    left, seen = open_to(free, level, job, now, est, jobs, running, active, windows)
    return can_place(left, seen, jobs.procs[job], mode)


@kernel()
def put(
    job: int,
    now: float,
    est: float,
    jobs: Jobs,
    cluster: Cluster,
    running: Running,
    active: int,
    windows: Windows,
    mode: int,
) -> None:
    """Place a job that `fits_open` and take its accelerators."""
    free, level = cluster.free, cluster.level
    left, seen = open_to(free, level, job, now, est, jobs, running, active, windows)
    begin = cluster.begin[job]
    end = place_by(left, seen, jobs.procs[job], mode, cluster.nodes, cluster.counts, begin)
    cluster.finish[job] = end
    if left is not free:
        for i in range(begin, end):
            take(free, level, cluster.nodes[i], cluster.counts[i])


@kernel()
def reservation(
    head: int,
    now: float,
    est: float,
    jobs: Jobs,
    cluster: Cluster,
    running: Running,
    active: int,
    windows: Windows,
    mode: int,
    free: Ints,
    level: Ints,
) -> float:
    """When `head` fits if running jobs end by their estimates and windows as planned.

    `free` and `level` are copies of the present state and become the state at that time;
    infinite when it never fits.
    """
    at, i = now, 0
    while True:
        following = np.inf
        if i < active:
            following = running.est_end[running.jobs[i]]
        for w in range(windows.start.size):
            if at < windows.end[w] < following:
                following = windows.end[w]
        if following == np.inf:
            return np.inf
        at = following
        while i < active and running.est_end[running.jobs[i]] <= at:
            job = running.jobs[i]
            release(
                free, level, cluster.nodes, cluster.counts, cluster.begin[job], cluster.finish[job]
            )
            i += 1
        if fits_open(free, level, head, at, est, jobs, running, active, windows, mode):
            return at


@kernel()
def delays_head(
    job: int,
    head: int,
    at: float,
    head_est: float,
    jobs: Jobs,
    cluster: Cluster,
    running: Running,
    active: int,
    windows: Windows,
    mode: int,
    free: Ints,
    level: Ints,
) -> bool:
    """Whether the placed `job`, outlasting `at`, leaves no room for `head` then.

    If it does not, its accelerators are taken from `free` and `level`, the state at `at`.
    """
    nodes, counts = cluster.nodes, cluster.counts
    begin, end = cluster.begin[job], cluster.finish[job]
    for i in range(begin, end):
        take(free, level, nodes[i], counts[i])
    if fits_open(free, level, head, at, head_est, jobs, running, active, windows, mode):
        return False
    release(free, level, nodes, counts, begin, end)
    return True


@kernel()
def rank_by_share(ranked: Ints, first: int, count: int, jobs: Jobs, shares: Shares) -> None:
    """Sort `ranked[first:count]` by what the owner holds, then by submission."""
    part = np.sort(ranked[first:count])
    held = shares.by_owner[jobs.owner[part]]
    ranked[first:count] = part[np.argsort(held, kind="mergesort")]


@kernel()
def ranked_pass(
    ranked: Ints,
    count: int,
    now: float,
    est: NDArray[np.float64],
    jobs: Jobs,
    cluster: Cluster,
    running: Running,
    active: int,
    shares: Shares,
    windows: Windows,
    order: int,
    rule: int,
    mode: int,
    started: Ints,
) -> int:
    """Start jobs of `ranked[:count]`; how many, the jobs in `started`.

    Placements, free accelerators, the running list and the shares are updated. With the
    order `DOMINANT` the rest of `ranked` is ranked anew after each start.
    """
    starts = 0
    head, shadow, head_est = int(np.int64(-1)), np.inf, 0.0
    then_free, then_level = cluster.free, cluster.level
    if order == DOMINANT:
        rank_by_share(ranked, 0, count, jobs, shares)
    i = 0
    while i < count and cluster.level[0] < cluster.free.size:
        job = ranked[i]
        i += 1
        need, account = jobs.procs[job], jobs.account[job]
        if shares.by_account[account] + need > shares.quota[account]:
            continue
        if not fits_open(
            cluster.free, cluster.level, job, now, est[job], jobs, running, active, windows, mode
        ):
            if rule == BLOCK:
                break
            if rule == RESERVE and head < 0:
                head, head_est = job, est[job]
                then_free, then_level = cluster.free.copy(), cluster.level.copy()
                shadow = reservation(
                    head, now, head_est, jobs, cluster, running, active, windows, mode,
                    then_free, then_level,
                )  # fmt: skip
            continue
        put(job, now, est[job], jobs, cluster, running, active, windows, mode)
        outlasts = head >= 0 and now + est[job] > shadow
        if outlasts and delays_head(
            job, head, shadow, head_est, jobs, cluster, running, active, windows, mode,
            then_free, then_level,
        ):  # fmt: skip
            begin, finish = cluster.begin[job], cluster.finish[job]
            release(cluster.free, cluster.level, cluster.nodes, cluster.counts, begin, finish)
            continue
        running.est_end[job] = now + est[job]
        active = insert_running(running.jobs, running.est_end, active, job)
        shares.by_account[account] += need
        shares.by_owner[jobs.owner[job]] += need
        started[starts] = job
        starts += 1
        if order == DOMINANT:
            rank_by_share(ranked, i, count, jobs, shares)
    return starts

"""Replay under any order and rule of `ranked_passes`, preemptive or not.

One loop for all of them: at one timestamp completions (and jobs that change their rank),
then arrivals, then one pass.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.node_modes import BEST_FIT
from dcsim.scheduling.node_passes import remove_running
from dcsim.scheduling.preemptive_pass import RUNS, WAITING, let_go, preemptive_pass
from dcsim.scheduling.ranked_keys import Knobs, level_of, rank_by_factors
from dcsim.scheduling.ranked_passes import ranked_pass
from dcsim.scheduling.ranked_state import (
    ATTAINED,
    DOMINANT,
    ESTIMATE,
    FAIR_SHARE,
    PRIORITY,
    REMAINING,
    Cluster,
    Jobs,
    Running,
    Shares,
    Windows,
)
from dcsim.simulation.replay.ranked_log import (
    COMPLETED,
    MIGRATED,
    PREEMPTED,
    Log,
    empty_log,
    write_segment,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


GOES_ON = 2  # the state of a job that a preemptive pass left where it was


class Progress(NamedTuple):
    """What is left of each job and where its present segment stands; shape (n,).

    `left` is work in seconds, `est_left` the same by estimate, `est` the estimate of a segment
    that begins now, `attained` accelerator-seconds held in earlier segments, `since` the start
    of the segment, `overhead` its restart time, `end` its completion, `key` the rank of a
    waiting job, `segments` those that ended.
    """

    left: Floats
    est_left: Floats
    est: Floats
    attained: Floats
    since: Floats
    overhead: Floats
    end: Floats
    key: Floats
    segments: Ints


@kernel()
def done_since(progress: Progress, job: int, now: float) -> float:
    """Work that the present segment has done so far, seconds."""
    return max(0.0, now - progress.since[job] - progress.overhead[job])


@kernel()
def waiting_key(job: int, order: int, jobs: Jobs, progress: Progress, threshold: float) -> float:
    """Rank of a waiting job, the smallest first, where it does not change while it waits."""
    if order == ESTIMATE:
        return jobs.est[job]
    if order == PRIORITY:
        return -jobs.priority[job]
    if order == REMAINING:
        return progress.est_left[job]
    if order == ATTAINED:
        return level_of(progress.attained[job], threshold)
    return 0.0


@kernel()
def running_key(
    job: int, now: float, order: int, jobs: Jobs, progress: Progress, threshold: float
) -> float:
    """Rank of a running job at `now`."""
    if order == REMAINING:
        return progress.est_left[job] - done_since(progress, job, now)
    if order == ATTAINED:
        attained = progress.attained[job] + (now - progress.since[job]) * jobs.procs[job]
        return level_of(attained, threshold)
    return waiting_key(job, order, jobs, progress, threshold)


@kernel()
def insert_waiting(queue: Ints, count: int, key: Floats, job: int) -> int:
    """Add `job` to the queue sorted by (key, submission); the new length."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        other = queue[middle]
        if key[other] < key[job] or (key[other] == key[job] and other < job):
            low = middle + 1
        else:
            high = middle
    queue[low + 1 : count + 1] = queue[low:count].copy()
    queue[low] = job
    return count + 1


@kernel()
def keep_waiting(queue: Ints, count: int, state: Ints) -> int:
    """Drop the jobs that run from the queue; the new length."""
    write = 0
    for read in range(count):
        if state[queue[read]] == WAITING:
            queue[write] = queue[read]
            write += 1
    return write


@kernel()
def merged(
    queue: Ints,
    count: int,
    running: Ints,
    active: int,
    now: float,
    order: int,
    jobs: Jobs,
    progress: Progress,
    threshold: float,
) -> Ints:
    """Waiting and running jobs in one ranking."""
    part = np.sort(running[:active])
    keys = np.empty(active)
    for i in range(active):
        keys[i] = running_key(part[i], now, order, jobs, progress, threshold)
    by_key = np.argsort(keys, kind="mergesort")
    ranked = np.empty(count + active, np.int64)
    i = j = 0
    while i < count or j < active:
        from_queue = j == active
        if i < count and j < active:
            job, other = queue[i], part[by_key[j]]
            mine, theirs = progress.key[job], keys[by_key[j]]
            from_queue = mine < theirs or (mine == theirs and job < other)
        if from_queue:
            ranked[i + j] = queue[i]
            i += 1
        else:
            ranked[i + j] = part[by_key[j]]
            j += 1
    return ranked


@kernel()
def next_event(
    now: float,
    running: Ints,
    active: int,
    order: int,
    jobs: Jobs,
    progress: Progress,
    windows: Windows,
    threshold: float,
) -> float:
    """The next completion, fall into the second queue or end of a window after `now`."""
    at = np.inf
    for i in range(active):
        job = running[i]
        at = min(at, progress.end[job])
        if order == ATTAINED and progress.attained[job] < threshold:
            falls = progress.since[job] + (threshold - progress.attained[job]) / jobs.procs[job]
            if falls > now:
                at = min(at, falls)
    for w in range(windows.end.size):
        if windows.end[w] > now:
            at = min(at, windows.end[w])
    return at


@kernel()
def begin_segment(job: int, now: float, progress: Progress, knobs: Knobs) -> None:
    """`job` holds its placement from `now` on."""
    overhead = knobs.restart_s if progress.segments[job] > 0 else 0.0
    progress.since[job] = now
    progress.overhead[job] = overhead
    progress.end[job] = now + overhead + progress.left[job]


@kernel()
def stop_segment(job: int, now: float, jobs: Jobs, progress: Progress, restart_s: float) -> None:
    """Book what the segment that ends at `now` has done."""
    done = done_since(progress, job, now)
    progress.left[job] -= done
    progress.est_left[job] -= done
    progress.attained[job] += (now - progress.since[job]) * jobs.procs[job]
    progress.segments[job] += 1
    progress.est[job] = progress.est_left[job] + restart_s


@kernel()
def same_placement(job: int, cluster: Cluster, held: Cluster) -> bool:
    """Whether `job` holds what it held before."""
    if cluster.finish[job] != held.finish[job]:
        return False
    for i in range(cluster.begin[job], cluster.finish[job]):
        if cluster.nodes[i] != held.nodes[i] or cluster.counts[i] != held.counts[i]:
            return False
    return True


@kernel()
def remember(job: int, cluster: Cluster, held: Cluster) -> None:
    """Copy the placement of `job` into `held`."""
    first, last = cluster.begin[job], cluster.finish[job]
    held.finish[job] = last
    held.nodes[first:last] = cluster.nodes[first:last]
    held.counts[first:last] = cluster.counts[first:last]


@kernel()
def empty_cluster(procs: Ints, n_nodes: int, per_node: int, mode: int) -> Cluster:
    """Everything free, with room for a placement of each job."""
    widest = (procs + per_node - 1) // per_node if mode == BEST_FIT else np.minimum(procs, n_nodes)
    offsets = np.zeros(procs.size + 1, np.int64)
    offsets[1:] = np.cumsum(np.minimum(widest, n_nodes))
    level = np.zeros(per_node + 1, np.int64)
    level[per_node] = n_nodes
    return Cluster(
        np.full(n_nodes, per_node),
        level,
        np.zeros(offsets[-1], np.int64),
        np.zeros(offsets[-1], np.int64),
        offsets[:-1].copy(),
        offsets[:-1].copy(),
    )


@kernel()
def preempt(
    queue: Ints,
    count: int,
    now: float,
    order: int,
    rule: int,
    mode: int,
    state: Ints,
    jobs: Jobs,
    cluster: Cluster,
    held: Cluster,
    progress: Progress,
    running: Running,
    active: int,
    shares: Shares,
    windows: Windows,
    knobs: Knobs,
    log: Log,
) -> tuple[int, int, Log]:
    """One preemptive pass and its consequences; queue length, running jobs, log.

    `held` has the placements as they were before the pass.
    """
    ranked = merged(queue, count, running.jobs, active, now, order, jobs, progress, knobs.threshold)
    before = running.jobs[:active].copy()
    ends = running.est_end[before]
    for i in range(active):
        progress.est[before[i]] = ends[i] - now + knobs.restart_s
    active = preemptive_pass(
        ranked, count + active, state, now, progress.est, jobs, cluster, running, active,
        shares, windows, rule, mode,
    )  # fmt: skip
    for i in range(before.size):
        job = before[i]
        if state[job] == RUNS and same_placement(job, cluster, held):
            running.est_end[job] = ends[i]
            state[job] = GOES_ON
            continue
        reason = MIGRATED if state[job] == RUNS else PREEMPTED
        log = write_segment(log, job, progress.since[job], now, reason, held)
        stop_segment(job, now, jobs, progress, knobs.restart_s)
        if state[job] == WAITING:
            progress.key[job] = waiting_key(job, order, jobs, progress, knobs.threshold)
            count = insert_waiting(queue, count, progress.key, job)
    count = keep_waiting(queue, count, state)
    for i in range(active):
        job = running.jobs[i]
        if state[job] != GOES_ON:
            begin_segment(job, now, progress, knobs)
            remember(job, cluster, held)
        state[job] = RUNS
    return count, active, log


@kernel()
def start_ranked(
    queue: Ints,
    count: int,
    now: float,
    order: int,
    rule: int,
    mode: int,
    state: Ints,
    jobs: Jobs,
    cluster: Cluster,
    progress: Progress,
    running: Running,
    active: int,
    shares: Shares,
    windows: Windows,
    usage: Floats,
    knobs: Knobs,
    started: Ints,
) -> tuple[int, int]:
    """One pass without preemption and its consequences; queue length and running jobs."""
    ranked = queue
    if order == FAIR_SHARE:
        capacity = cluster.free.size * (cluster.level.size - 1)
        ranked = rank_by_factors(queue, count, now, usage, jobs, knobs, capacity)
    elif order == DOMINANT:
        ranked = queue[:count].copy()
    starts = ranked_pass(
        ranked, count, now, progress.est, jobs, cluster, running, active, shares, windows,
        order, rule, mode, started,
    )  # fmt: skip
    for i in range(starts):
        state[started[i]] = RUNS
        begin_segment(started[i], now, progress, knobs)
    if starts > 0:
        count = keep_waiting(queue, count, state)
    return count, active + starts


@kernel()
def replay_ranked(
    jobs: Jobs,
    n_nodes: int,
    per_node: int,
    order: int,
    rule: int,
    preemptive: bool,
    mode: int,
    quota: Ints,
    windows: Windows,
    knobs: Knobs,
) -> Log:
    """Every segment of every job; a job that can never start has none.

    One node stands for a pool. `quota` is by account; `order`, `rule` and `mode` are
    constants of `ranked_state` and `node_modes`.
    """
    n = jobs.submit.size
    cluster = empty_cluster(jobs.procs, n_nodes, per_node, mode)
    held = Cluster(
        cluster.free,
        cluster.level,
        cluster.nodes.copy(),
        cluster.counts.copy(),
        cluster.begin,
        cluster.finish.copy(),
    )
    progress = Progress(
        jobs.work.copy(), jobs.est.copy(), jobs.est.copy(), np.zeros(n), np.zeros(n),
        np.zeros(n), np.full(n, np.inf), np.zeros(n), np.zeros(n, np.int64),
    )  # fmt: skip
    owners = jobs.owner.max() + 1
    shares = Shares(np.zeros(owners, np.int64), np.zeros(quota.size, np.int64), quota)
    usage = np.zeros(owners)
    most = min(n, n_nodes * per_node) + 1
    running = Running(np.empty(most, np.int64), np.full(n, np.inf))
    log = empty_log(n + 1, cluster.nodes.size + 1)
    queue, started = np.empty(n + 1, np.int64), np.empty(n + 1, np.int64)
    state = np.full(n, WAITING)
    zero = int(np.int64(0))  # not a literal, of which numba would compile a second version of all
    count, active, arrived = zero, zero, zero
    now = -np.inf
    while True:
        at = next_event(now, running.jobs, active, order, jobs, progress, windows, knobs.threshold)
        if arrived < n:
            at = min(at, jobs.submit[arrived])
        if at == np.inf or (arrived == n and active == 0 and count == 0):
            return log
        if order == FAIR_SHARE and now > -np.inf:
            fade = 0.5 ** ((at - now) / knobs.half_life_s)
            usage *= fade
            usage += shares.by_owner * ((1 - fade) * knobs.half_life_s / np.log(2.0))
        now = at
        for i in range(active - 1, -1, -1):
            job = running.jobs[i]
            if progress.end[job] == now:
                log = write_segment(log, job, progress.since[job], now, COMPLETED, cluster)
                let_go(job, cluster)
                active = remove_running(running.jobs, active, job)
                shares.by_owner[jobs.owner[job]] -= jobs.procs[job]
                shares.by_account[jobs.account[job]] -= jobs.procs[job]
        while arrived < n and jobs.submit[arrived] == now:
            progress.key[arrived] = waiting_key(arrived, order, jobs, progress, knobs.threshold)
            count = insert_waiting(queue, count, progress.key, arrived)
            arrived += 1
        if count == 0:
            continue
        if preemptive:
            count, active, log = preempt(
                queue, count, now, order, rule, mode, state, jobs, cluster, held, progress,
                running, active, shares, windows, knobs, log,
            )  # fmt: skip
        elif cluster.level[0] < n_nodes:
            count, active = start_ranked(
                queue, count, now, order, rule, mode, state, jobs, cluster, progress,
                running, active, shares, windows, usage, knobs, started,
            )  # fmt: skip

"""One pass in which better-ranked jobs may take accelerators from worse-ranked running ones.

Shortest remaining time first, least attained service (Tiresias, Gu et al., NSDI 2019) and
preemptive priorities differ only in the ranking.
"""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.node_fit import release, take
from dcsim.scheduling.node_passes import insert_running, remove_running
from dcsim.scheduling.ranked_passes import fits_open, put
from dcsim.scheduling.ranked_state import (
    BLOCK,
    Cluster,
    Jobs,
    Running,
    Shares,
    Windows,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: States of a job in a preemptive pass.
WAITING, RUNS = 0, 1


@kernel()
def retake(job: int, cluster: Cluster) -> bool:
    """Give a stopped job exactly its old accelerators again, if all are free."""
    begin, end = cluster.begin[job], cluster.finish[job]
    for i in range(begin, end):
        if cluster.free[cluster.nodes[i]] < cluster.counts[i]:
            return False
    for i in range(begin, end):
        take(cluster.free, cluster.level, cluster.nodes[i], cluster.counts[i])
    return True


@kernel()
def let_go(job: int, cluster: Cluster) -> None:
    """Free what a job holds; its placement stays written down."""
    release(
        cluster.free,
        cluster.level,
        cluster.nodes,
        cluster.counts,
        cluster.begin[job],
        cluster.finish[job],
    )


@kernel()
def make_room(
    job: int,
    now: float,
    est: Floats,
    victims: Ints,
    n_victims: int,
    jobs: Jobs,
    cluster: Cluster,
    running: Running,
    active: int,
    windows: Windows,
    mode: int,
) -> int:
    """Stop running jobs, worst rank last in `victims`, until `job` fits; how many remain stopped.

    Jobs stopped without need are let on again, best rank first. The stopped ones are moved to
    the end of `victims[:n_victims]`; none when the job cannot fit even so.
    """
    stopped = 0
    fitting = False
    ends = running.est_end[victims[:n_victims]]
    while not fitting and stopped < n_victims:
        stopped += 1
        victim = victims[n_victims - stopped]
        let_go(victim, cluster)
        running.est_end[victim] = -np.inf
        fitting = fits_open(
            cluster.free, cluster.level, job, now, est[job], jobs, running, active, windows, mode
        )
    write = n_victims - stopped
    for i in range(n_victims - stopped, n_victims):
        victim = victims[i]
        keeps = retake(victim, cluster)
        if keeps:
            running.est_end[victim] = ends[i]
            keeps = not fitting or fits_open(
                cluster.free, cluster.level, job, now, est[job],
                jobs, running, active, windows, mode,
            )  # fmt: skip
            if not keeps:
                let_go(victim, cluster)
                running.est_end[victim] = -np.inf
        if keeps:
            for k in range(i, write, -1):
                victims[k] = victims[k - 1]
            victims[write] = victim
            write += 1
    return n_victims - write


@kernel()
def preemptive_pass(
    ranked: Ints,
    count: int,
    state: Ints,
    now: float,
    est: Floats,
    jobs: Jobs,
    cluster: Cluster,
    running: Running,
    active: int,
    shares: Shares,
    windows: Windows,
    rule: int,
    mode: int,
) -> int:
    """Go through waiting and running jobs by rank; the new number of running jobs.

    `state` (n,) tells and is told which jobs run. A waiting job that does not fit may stop
    worse-ranked running ones, the worst first, if that lets it start; a quota is never a
    reason to stop a job. Estimates `est` are those of what remains.
    """
    victims = np.empty(count, np.int64)
    n_victims = 0
    below = 0  # accelerators held by jobs ranked below the current one
    for i in range(count):
        if state[ranked[i]] == RUNS:
            victims[n_victims] = ranked[i]
            n_victims += 1
            below += jobs.procs[ranked[i]]
    first = 0  # victims from here on rank below the current job
    idle = cluster.free.sum()
    for i in range(count):
        if idle + below == 0:
            break
        job = ranked[i]
        need, account = jobs.procs[job], jobs.account[job]
        if state[job] == RUNS:
            below -= need
            first += 1
            continue
        if shares.by_account[account] + need > shares.quota[account] or need > idle + below:
            if rule == BLOCK and need > idle + below:
                break
            continue
        fitting = fits_open(
            cluster.free, cluster.level, job, now, est[job], jobs, running, active, windows, mode
        )
        if not fitting and n_victims > first:
            stopped = make_room(
                job, now, est, victims[first:], n_victims - first,
                jobs, cluster, running, active, windows, mode,
            )  # fmt: skip
            fitting = stopped > 0
            for k in range(n_victims - stopped, n_victims):
                victim = victims[k]
                state[victim] = WAITING
                below -= jobs.procs[victim]
                idle += jobs.procs[victim]
                shares.by_account[jobs.account[victim]] -= jobs.procs[victim]
                shares.by_owner[jobs.owner[victim]] -= jobs.procs[victim]
                active = remove_running(running.jobs, active, victim)
            n_victims -= stopped
        if not fitting:
            if rule == BLOCK:
                break
            continue
        put(job, now, est[job], jobs, cluster, running, active, windows, mode)
        state[job] = RUNS
        running.est_end[job] = now + est[job]
        active = insert_running(running.jobs, running.est_end, active, job)
        shares.by_account[account] += need
        shares.by_owner[jobs.owner[job]] += need
        idle -= need
    return active

"""Schedulers of the protocol made from the compiled ranked passes, one pool after the other.

These are the passes that replays of traces run on; here their arrays are built from what the
caller sees, so that they decide and change nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from dcsim.scheduling.node_modes import BEST_FIT, PACK, SPREAD
from dcsim.scheduling.placement import best_fit, pack, spread
from dcsim.scheduling.preemptive_pass import RUNS, WAITING, preemptive_pass
from dcsim.scheduling.protocol import (
    ClusterView,
    Decision,
    Placement,
    QueuedJob,
    Rules,
    RunningJob,
    Scheduler,
    Start,
)
from dcsim.scheduling.ranked_keys import Knobs, level_of, rank_by_factors
from dcsim.scheduling.ranked_passes import ranked_pass
from dcsim.scheduling.ranked_state import (
    ATTAINED,
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
from dcsim.scheduling.ranking import Ranking, Tuning

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Placements that the compiled passes know, by their functions.
MODES: dict[Placement, int] = {best_fit: BEST_FIT, pack: PACK, spread: SPREAD}
_NO_QUOTA = 2**62


@dataclass(frozen=True, slots=True)
class Ranked:
    """The jobs of one pool as arrays, sorted by submission; `is_running` and `member` by job."""

    asks: tuple[QueuedJob, ...]
    jobs: Jobs
    est: Floats
    keys: Floats
    is_running: NDArray[np.bool_]
    cluster: Cluster
    running: Running
    active: int


def ranked(kind: Ranking, rules: Rules, tuning: Tuning) -> Scheduler:
    """The scheduler that ranks by `kind.order` and lets `kind.rule` say what does not fit."""

    def decide(
        view: ClusterView,
        queue: Sequence[QueuedJob],
        running: Sequence[RunningJob],
        place: Placement,
    ) -> Decision:
        shares = _shares(view, queue, running, rules)
        decisions = []
        for pool in sorted({job.pool for job in queue}):
            members = np.flatnonzero(view.pool == pool)
            state = _arranged(
                view,
                members,
                [job for job in queue if job.pool == pool],
                [_with_ask(job) for job in running if job.pool == pool],
                kind,
                rules,
                tuning,
            )
            windows = _windows(view, members, state.asks, rules)
            run = _preempt if kind.preemptive else _start
            decisions.append(run(view, members, state, shares, windows, kind, tuning, MODES[place]))
        return Decision(
            starts=tuple(start for decision in decisions for start in decision.starts),
            stops=tuple(job for decision in decisions for job in decision.stops),
            moves=tuple(move for decision in decisions for move in decision.moves),
            again_s=_next_change(view, decisions, queue, running, kind, rules, tuning),
        )

    return decide


def _with_ask(job: RunningJob) -> RunningJob:
    """`job`, with an ask where the caller gave none: it is only there to end."""
    if job.ask is not None:
        return job
    ask = QueuedJob(job.job, int(job.counts.sum()), 0.0, 0.0, pool=job.pool)
    return RunningJob(job.job, job.nodes, job.counts, job.expected_end_s, job.pool, ask)


def _shares(
    view: ClusterView, queue: Sequence[QueuedJob], running: Sequence[RunningJob], rules: Rules
) -> Shares:
    asks = [*queue, *(job.ask for job in running if job.ask is not None)]
    owners = max(max(ask.owner for ask in asks) + 1, len(view.usage))
    accounts = max(max(ask.account for ask in asks), max(rules.quota, default=0)) + 1
    by_owner, by_account = np.zeros(owners, np.int64), np.zeros(accounts, np.int64)
    for job in running:
        if job.ask is not None:
            held = int(job.counts.sum())
            by_owner[job.ask.owner] += held
            by_account[job.ask.account] += held
    quota = np.full(accounts, _NO_QUOTA, np.int64)
    for account, limit in rules.quota.items():
        quota[account] = limit
    return Shares(by_owner, by_account, quota)


def _arranged(
    view: ClusterView,
    members: Ints,
    queue: Sequence[QueuedJob],
    running: Sequence[RunningJob],
    kind: Ranking,
    rules: Rules,
    tuning: Tuning,
) -> Ranked:
    if kind.preemptive:
        running = [job for job in running if job.can_stop]
    held = {job.job: job for job in running}
    everybody = [*queue, *(job.ask for job in running if job.ask is not None)]
    asks = sorted(everybody, key=lambda ask: (ask.submit_s, ask.job))
    procs = np.array([ask.accelerators for ask in asks], np.int64)
    est, keys = np.empty(len(asks)), np.zeros(len(asks))
    for i, ask in enumerate(asks):
        est[i], keys[i] = _estimate_and_key(ask, held.get(ask.job), view.now_s, kind, rules, tuning)
    offsets = np.zeros(len(asks) + 1, np.int64)
    offsets[1:] = np.cumsum(np.minimum(procs, len(members)))
    cluster = _cluster(view, members, offsets)
    ends = np.full(len(asks), np.inf)
    for i, ask in enumerate(asks):
        job = held.get(ask.job)
        if job is None:
            continue
        begin, end = offsets[i], offsets[i] + len(job.nodes)
        cluster.nodes[begin:end] = job.nodes - members[0]
        cluster.counts[begin:end] = job.counts
        cluster.finish[i] = end
        ends[i] = job.expected_end_s
    is_running = np.array([ask.job in held for ask in asks], dtype=bool)
    order = np.flatnonzero(is_running)
    order = order[np.argsort(ends[order], kind="stable")]
    listed = np.zeros(len(asks) + 1, np.int64)
    listed[: len(order)] = order
    jobs = Jobs(
        np.array([ask.submit_s for ask in asks]),
        est,
        procs,
        est,
        np.array([ask.owner for ask in asks], np.int64),
        np.array([ask.account for ask in asks], np.int64),
        np.array([ask.priority / rules.priority_scale for ask in asks], float),
    )
    return Ranked(
        tuple(asks), jobs, est, keys, is_running, cluster, Running(listed, ends), len(order)
    )


def _cluster(view: ClusterView, members: Ints, offsets: Ints) -> Cluster:
    free = view.free[members].astype(np.int64)
    size = int(view.capacity[members].max())
    return Cluster(
        free,
        np.bincount(free, minlength=size + 1).astype(np.int64),
        np.zeros(offsets[-1], np.int64),
        np.zeros(offsets[-1], np.int64),
        offsets[:-1].copy(),
        offsets[:-1].copy(),
    )


def _estimate_and_key(
    ask: QueuedJob,
    job: RunningJob | None,
    now_s: float,
    kind: Ranking,
    rules: Rules,
    tuning: Tuning,
) -> tuple[float, float]:
    """What the job still takes by its estimate, restarts included, and its rank."""
    restart_s = rules.restart_s if job is not None or ask.attained_s > 0.0 else 0.0
    left, attained = ask.estimate_s, ask.attained_s
    if job is not None:
        left = min(max(job.expected_end_s - now_s, 0.0), left)
        attained += (now_s - job.since_s) * ask.accelerators
    key = 0.0
    if kind.order == ESTIMATE:
        key = ask.whole_s or ask.estimate_s
    elif kind.order == PRIORITY:
        key = -float(ask.priority)
    elif kind.order == REMAINING:
        key = left
    elif kind.order == ATTAINED:
        key = level_of(attained, tuning.las_threshold_s)
    return left + restart_s, key


def _windows(view: ClusterView, members: Ints, asks: Sequence[QueuedJob], rules: Rules) -> Windows:
    low, high = int(members[0]), int(members[-1]) + 1
    own = [c for c in rules.closures if c.first < high and c.last > low and c.end_s > view.now_s]
    # A pool of one node counts its accelerators, as a pool does.
    alone = len(members) == 1
    size = int(view.capacity[members].max())
    exempt = np.array([[c.admits(ask) for ask in asks] for c in own], dtype=bool)
    return Windows(
        np.array([c.start_s for c in own], float),
        np.array([c.end_s for c in own], float),
        np.array([max(c.first - low, 0) for c in own], np.int64),
        np.array([min(c.last, high) - low for c in own], np.int64),
        np.array([size if alone else 0 for _ in own], np.int64),
        exempt.reshape(len(own), len(asks)),
    )


def _start(
    view: ClusterView,
    members: Ints,
    state: Ranked,
    shares: Shares,
    windows: Windows,
    kind: Ranking,
    tuning: Tuning,
    mode: int,
) -> Decision:
    """One pass in which nobody is stopped."""
    waiting = np.flatnonzero(~state.is_running)
    ranked_jobs = waiting[np.argsort(state.keys[waiting], kind="stable")]
    if kind.order == FAIR_SHARE:
        usage = np.zeros(len(shares.by_owner))
        usage[: len(view.usage)] = view.usage
        capacity = int(view.capacity[members].sum())
        ranked_jobs = rank_by_factors(
            ranked_jobs, len(ranked_jobs), view.now_s, usage, state.jobs, _knobs(tuning), capacity
        )
    started = np.empty(len(state.asks) + 1, np.int64)
    count = ranked_pass(
        ranked_jobs, len(ranked_jobs), view.now_s, state.est, state.jobs, state.cluster,
        state.running, state.active, shares, windows, kind.order, kind.rule, mode, started,
    )  # fmt: skip
    return Decision(tuple(_placed(state, members, int(job)) for job in started[:count]))


def _preempt(
    view: ClusterView,
    members: Ints,
    state: Ranked,
    shares: Shares,
    windows: Windows,
    kind: Ranking,
    tuning: Tuning,
    mode: int,
) -> Decision:
    """One pass in which better-ranked jobs may stop worse-ranked ones."""
    everybody = np.argsort(state.keys, kind="stable")
    runs = np.where(state.is_running, RUNS, WAITING).astype(np.int64)
    before = {int(i): _placed(state, members, int(i)) for i in np.flatnonzero(state.is_running)}
    preemptive_pass(
        everybody, len(everybody), runs, view.now_s, state.est, state.jobs, state.cluster,
        state.running, state.active, shares, windows, kind.rule, mode,
    )  # fmt: skip
    starts, stops, moves = [], [], []
    for i in range(len(runs)):
        if i not in before:
            if runs[i] == RUNS:
                starts.append(_placed(state, members, i))
        elif runs[i] == WAITING:
            stops.append(state.asks[i].job)
        else:
            now = _placed(state, members, i)
            if not (
                np.array_equal(now.nodes, before[i].nodes)
                and np.array_equal(now.counts, before[i].counts)
            ):
                moves.append(now)
    return Decision(tuple(starts), tuple(stops), tuple(moves))


def _placed(state: Ranked, members: Ints, index: int) -> Start:
    begin, end = state.cluster.begin[index], state.cluster.finish[index]
    nodes = state.cluster.nodes[begin:end] + members[0]
    return Start(state.asks[index].job, nodes, state.cluster.counts[begin:end].copy())


def _knobs(tuning: Tuning) -> Knobs:
    return Knobs(
        0.0,
        tuning.las_threshold_s,
        tuning.half_life_s,
        tuning.full_age_s,
        tuning.age_weight,
        tuning.fairshare_weight,
        tuning.size_weight,
        tuning.priority_weight,
    )


def _next_change(
    view: ClusterView,
    decisions: Sequence[Decision],
    queue: Sequence[QueuedJob],
    running: Sequence[RunningJob],
    kind: Ranking,
    rules: Rules,
    tuning: Tuning,
) -> float:
    """When a window ends, or a job that runs then falls into the second queue."""
    times = [closure.end_s for closure in rules.closures]
    if kind.order == ATTAINED:
        for job in running:
            if job.ask is not None:
                missing = tuning.las_threshold_s - job.ask.attained_s
                times.append(job.since_s + missing / job.ask.accelerators)
        started = {start.job for decision in decisions for start in decision.starts}
        times += [
            view.now_s + (tuning.las_threshold_s - ask.attained_s) / ask.accelerators
            for ask in queue
            if ask.job in started
        ]
    return min((time for time in times if time > view.now_s), default=inf)

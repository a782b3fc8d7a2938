"""Sets the general compiled loop up from a trace and turns its log into a `Replay`."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dcsim.records import InputError
from dcsim.scheduling.ranked_keys import Knobs
from dcsim.scheduling.ranked_state import Jobs, Windows
from dcsim.simulation.replay.options import PLACEMENT_MODES, Options, ranking
from dcsim.simulation.replay.outcome import Replay, Segments, take_rows
from dcsim.simulation.replay.ranked import replay_ranked
from dcsim.simulation.replay.ranked_log import Log
from dcsim.workload.traces import Trace

Ints = NDArray[np.int64]

NO_QUOTA = 2**62


def replay_general(
    trace: Trace, policy: str, n_nodes: int, per_node: int, options: Options, *, pool: bool
) -> Replay:
    """Replay a `prepared` trace under any policy but conservative; see `engine.replay`.

    Raises `InputError` for an unknown placement and for windows outside the cluster.
    """
    kind = ranking(policy)
    if options.placement not in PLACEMENT_MODES:
        known = ", ".join(PLACEMENT_MODES)
        raise InputError(f"unknown placement {options.placement!r}; known are {known}")
    trace = _within_quota(trace, options)
    order = np.argsort(trace.submit_s, kind="stable")
    if pool:
        n_nodes, per_node = 1, n_nodes * per_node
    jobs, quota = _jobs(trace, order, options)
    tuning = options.tuning
    log = replay_ranked(
        jobs,
        n_nodes,
        per_node,
        kind.order,
        kind.rule,
        kind.preemptive,
        PLACEMENT_MODES[options.placement],
        quota,
        _windows(trace, order, options, n_nodes, per_node, pool),
        Knobs(
            options.restart_s,
            tuning.las_threshold_s,
            tuning.half_life_s,
            tuning.full_age_s,
            tuning.age_weight,
            tuning.fairshare_weight,
            tuning.size_weight,
            tuning.priority_weight,
        ),
    )
    trace, segments = _segments(trace, order, log)
    return _outcome(trace, policy, n_nodes, per_node, segments, kind.preemptive, pool, options)


def replay_resizing(trace: Trace, capacity: int, options: Options) -> Replay:
    """Replay a `prepared` trace of elastic jobs on a pool; see `elastic.replay_elastic`.

    A job without limits of its own keeps its size; none grows beyond the pool.
    """
    from dcsim.simulation.replay.elastic import replay_elastic

    order = np.argsort(trace.submit_s, kind="stable")
    asked = trace.accelerators
    least = asked if trace.least is None else np.maximum(trace.least, 1)
    most = asked if trace.most is None else np.minimum(trace.most, capacity)
    log = replay_elastic(
        trace.submit_s[order],
        trace.run_s[order],
        asked[order],
        least[order],
        most[order],
        capacity,
        options.restart_s,
    )
    trace, segments = _segments(trace, order, log)
    return _outcome(trace, "elastic", 1, capacity, segments, True, True, options)


def _within_quota(trace: Trace, options: Options) -> Trace:
    """The trace without jobs that alone exceed their account's quota."""
    if not options.quota:
        return trace
    rest = options.quota.get("", NO_QUOTA)
    accounts = getattr(trace, options.quota_by).tolist()
    limit = np.array([options.quota.get(str(name), rest) for name in accounts])
    too_big = trace.accelerators > limit
    if not too_big.any():
        return trace
    reason = "asks for more than its quota"
    return replace(trace.take(~too_big), dropped={**trace.dropped, reason: int(too_big.sum())})


def _jobs(trace: Trace, order: Ints, options: Options) -> tuple[Jobs, Ints]:
    """The jobs by submission, and the quota of each account."""
    users = trace.user.astype(str)
    owners = users if (users != "").any() else trace.group.astype(str)
    _, owner = np.unique(owners, return_inverse=True)
    names, account = np.unique(getattr(trace, options.quota_by).astype(str), return_inverse=True)
    rest = options.quota.get("", NO_QUOTA)
    quota = np.array([options.quota.get(str(name), rest) for name in names], np.int64)
    priority = np.zeros(len(trace))
    if trace.priority is not None:
        priority = trace.priority / max(1, int(np.abs(trace.priority).max()))
    return Jobs(
        trace.submit_s[order],
        trace.run_s[order],
        trace.accelerators[order],
        trace.est_s[order],
        owner.astype(np.int64)[order],
        account.astype(np.int64)[order],
        priority[order],
    ), quota


def _windows(
    trace: Trace, order: Ints, options: Options, n_nodes: int, per_node: int, pool: bool
) -> Windows:
    windows = options.windows
    size = per_node if pool else n_nodes
    for window in windows:
        if window.last > size:
            noun = "accelerators" if pool else "nodes"
            raise InputError(f"a window closes {noun} up to {window.last - 1} of {size}")
    exempt = np.zeros((len(windows), len(trace)), bool)
    for i, window in enumerate(windows):
        if window.owner is not None:
            exempt[i] = (trace.user == window.owner) | (trace.group == window.owner)
            if not exempt[i].any():
                raise InputError(f"no user or group of the trace is called {window.owner!r}")
    return Windows(
        np.array([w.start_s for w in windows], float),
        np.array([w.end_s for w in windows], float),
        np.array([0 if pool else w.first for w in windows], np.int64),
        np.array([1 if pool else w.last for w in windows], np.int64),
        np.array([w.last - w.first for w in windows], np.int64),
        np.ascontiguousarray(exempt[:, order]),
    )


def _segments(trace: Trace, order: Ints, log: Log) -> tuple[Trace, Segments]:
    """The log in the trace's order, without jobs that never started."""
    count = int(log.size[0])
    job = order[log.job[:count]]
    ran = np.zeros(len(trace), bool)
    ran[job] = True
    never = int((~ran).sum())
    if never:
        reason = "could never be placed beside windows and quotas"
        trace = replace(trace.take(ran), dropped={**trace.dropped, reason: never})
        job = (np.cumsum(ran) - 1)[job]
    if not len(trace):
        raise InputError("no job of the trace could ever be placed beside windows and quotas")
    rows = np.lexsort((log.start[:count], job))
    offsets = log.offset[: count + 1]
    nodes, new_offsets = take_rows(log.nodes[: offsets[-1]], offsets, rows)
    counts, _ = take_rows(log.counts[: offsets[-1]], offsets, rows)
    return trace, Segments(
        job[rows],
        log.start[:count][rows],
        log.end[:count][rows],
        log.reason[:count][rows],
        np.add.reduceat(counts, new_offsets[:-1]),
        nodes,
        counts,
        new_offsets,
    )


def _outcome(
    trace: Trace,
    policy: str,
    n_nodes: int,
    per_node: int,
    segments: Segments,
    preemptive: bool,
    pool: bool,
    options: Options,
) -> Replay:
    first = np.searchsorted(segments.job, np.arange(len(trace)))
    last = np.searchsorted(segments.job, np.arange(len(trace)), side="right") - 1
    start, end = segments.start_s[first], segments.end_s[last]
    kept = segments if preemptive else None
    if pool:
        return Replay(trace, policy, per_node, 1, start, end, segments=kept, options=options)
    nodes, offsets = take_rows(segments.nodes, segments.offsets, last)
    counts, _ = take_rows(segments.counts, segments.offsets, last)
    return Replay(
        trace, policy, n_nodes, per_node, start, end, nodes, counts, offsets, kept, options
    )

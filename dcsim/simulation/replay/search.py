"""The fewest nodes for which jobs wait no longer than asked."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dcsim.records import InputError
from dcsim.simulation.replay.engine import replay
from dcsim.simulation.replay.options import Options
from dcsim.workload.traces import Trace, prepared

#: How far below the bisection's answer smaller clusters are tried one by one, since a wait is
#: not strictly monotone in the number of nodes (Graham's anomalies).
GUARD_SHARE, GUARD_LEAST = 0.03, 4


@dataclass(frozen=True, slots=True)
class Fewest:
    """The answer and what was tried: nodes and the 95th percentile of waits, seconds."""

    nodes: int
    p95_s: float
    tried: dict[int, float]


def fewest_nodes(
    trace: Trace,
    policy: str,
    per_node: int,
    target_s: float,
    *,
    pool: bool,
    options: Options | None = None,
) -> Fewest:
    """The smallest cluster on which the 95th percentile of waits is at most `target_s`.

    Doubles the cluster until it is large enough, bisects, and then tries smaller ones one by
    one below the answer. No cluster smaller than the largest job is considered, so that every
    size replays the same jobs. Raises `InputError` when no job can run at all.
    """
    jobs = prepared(trace, np.iinfo(np.int64).max)
    if not len(jobs):
        raise InputError("no job of the trace can run")
    tried: dict[int, float] = {}

    def p95(nodes: int) -> float:
        if nodes not in tried:
            done = replay(jobs, policy, nodes, per_node, pool=pool, options=options)
            tried[nodes] = float(np.percentile(done.wait_s, 95.0))
        return tried[nodes]

    least = -(-int(jobs.accelerators.max()) // per_node)
    nodes = _smallest(lambda n: p95(n) <= target_s, least)
    for smaller in range(nodes - 1, max(least, nodes - _guard(nodes)) - 1, -1):
        if p95(smaller) <= target_s:
            nodes = smaller
    return Fewest(nodes, tried[nodes], dict(sorted(tried.items())))


def _guard(nodes: int) -> int:
    return max(GUARD_LEAST, int(GUARD_SHARE * nodes))


def _smallest(good: Callable[[int], bool], least: int) -> int:
    """The smallest number from `least` on that is good, if every larger one is good too."""
    if good(least):
        return least
    bad, top = least, 2 * least
    while not good(top):
        bad, top = top, 2 * top
    while top - bad > 1:
        middle = (bad + top) // 2
        if good(middle):
            top = middle
        else:
            bad = middle
    return top

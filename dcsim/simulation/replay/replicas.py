"""How sure a replay's figures are: the same trace, shaken a little, many times.

A schedule is chaotic: one second of delay can move hours of waiting. Shaking the input
(Tsafrir, Ouaknine and Feitelson, MASCOTS 2007) shows how much of a figure is chance.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcsim.records import InputError
from dcsim.simulation.replay.engine import replay
from dcsim.simulation.replay.options import Options
from dcsim.workload.traces import Trace

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Replicas:
    """Mean and 95th percentile of waits of each replica, seconds, shape (r,)."""

    mean_s: Floats
    p95_s: Floats

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean of `values` with the limits of its 95 % confidence interval (Student's t)."""
        from scipy import stats

        mean = float(values.mean())
        error = float(values.std(ddof=1)) / np.sqrt(values.size)
        reach = float(stats.t.ppf(0.975, values.size - 1)) * error
        return mean, mean - reach, mean + reach


def shaken(trace: Trace, jitter_s: float, rng: np.random.Generator) -> Trace:
    """The trace with each submission moved by up to `jitter_s`, never before its first one."""
    moved = trace.submit_s + rng.uniform(-jitter_s, jitter_s, len(trace))
    return replace(trace, submit_s=np.maximum(moved, np.nanmin(trace.submit_s)))


def replicate(
    trace: Trace,
    policy: str,
    n_nodes: int,
    per_node: int,
    *,
    pool: bool,
    options: Options | None = None,
    replicas: int,
    jitter_s: float,
    seed: int,
) -> Replicas:
    """Replay `replicas` shaken copies; the r-th depends on (seed, r) alone."""
    if replicas < 2:
        raise InputError("a confidence interval needs at least two replicas")
    mean, p95 = np.empty(replicas), np.empty(replicas)
    for r, child in enumerate(np.random.SeedSequence(seed).spawn(replicas)):
        copy = shaken(trace, jitter_s, np.random.default_rng(child))
        done = replay(copy, policy, n_nodes, per_node, pool=pool, options=options)
        mean[r], p95[r] = done.wait_s.mean(), np.percentile(done.wait_s, 95.0)
    return Replicas(mean, p95)

"""What a replay says: waits by class, slowdown, use, and whether the queue is stable."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.replay.outcome import Replay

Floats = NDArray[np.float64]

#: Runs shorter than this count as this long in the bounded slowdown (Feitelson 1998).
SLOWDOWN_BOUND_S = 10.0
MOST_GROUPS = 12


def wait_statistics(wait_s: Floats) -> dict[str, float | int]:
    """Count, mean, median, 95th percentile and maximum of waits, in seconds."""
    median, p95 = np.percentile(wait_s, [50.0, 95.0])
    return {
        "jobs": int(wait_s.size),
        "mean_s": float(wait_s.mean()),
        "p50_s": float(median),
        "p95_s": float(p95),
        "max_s": float(wait_s.max()),
    }


def bounded_slowdown(wait_s: Floats, run_s: Floats) -> Floats:
    """max(1, (wait + run) / max(run, 10 s)) for each job, shape (n,)."""
    return np.maximum(1.0, (wait_s + run_s) / np.maximum(run_s, SLOWDOWN_BOUND_S))


def size_classes(accelerators: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Jobs by accelerator count: 1, 2, 3-4, 5-8, ... with the mask of each class that has any."""
    low, high = 1, 1
    while low <= accelerators.max():
        mask = (accelerators >= low) & (accelerators <= high)
        if mask.any():
            yield (str(high) if low == high else f"{low}-{high}"), mask
        low, high = high + 1, high * 2


def offered_load(done: Replay) -> float:
    """Accelerator-seconds asked for ÷ those the cluster had while jobs were submitted."""
    trace = done.trace
    span = float(trace.submit_s.max() - trace.submit_s.min())
    asked = float((trace.run_s * trace.accelerators).sum())
    return asked / (span * done.n_nodes * done.per_node) if span > 0 else np.inf


def is_unstable(done: Replay) -> bool:
    """Whether waits keep growing: the queue never recovers while jobs arrive.

    Jobs are cut into ten batches by submit time; unstable when the mean wait of the last
    two exceeds every earlier batch and the offered load is above 0.9.
    """
    if len(done.trace) < 100 or offered_load(done) < 0.9:
        return False
    order = np.argsort(done.trace.submit_s, kind="stable")
    means = [batch.mean() for batch in np.array_split(done.wait_s[order], 10)]
    return bool(min(means[-2:]) > max(means[:-2]))


def summarise(done: Replay) -> dict[str, Any]:
    """The figures of one replay as a JSON-ready mapping; times in seconds, shares as fractions."""
    trace, wait = done.trace, done.wait_s
    first, last = float(trace.submit_s.min()), float(done.end_s.max())
    busy = float((trace.run_s * trace.accelerators).sum())
    slowdown = bounded_slowdown(wait, trace.run_s)
    summary: dict[str, Any] = {
        "policy": done.policy,
        "accelerators": done.n_nodes * done.per_node,
        "nodes": done.n_nodes if done.nodes is not None else None,
        "jobs": len(trace),
        "dropped": dict(trace.dropped),
        "format": trace.source_format,
        "wait": wait_statistics(wait),
        "bounded_slowdown_mean": float(slowdown.mean()),
        "bounded_slowdown_p95": float(np.percentile(slowdown, 95.0)),
        "utilisation": busy / (done.n_nodes * done.per_node * (last - first)),
        "makespan_s": last - first,
        "offered_load": offered_load(done),
        "unstable_queue": is_unstable(done),
        "wait_by_size": {
            name: wait_statistics(wait[mask]) for name, mask in size_classes(trace.accelerators)
        },
        "wait_by_group": _by_group(done),
    }
    recorded = np.isfinite(trace.wait_s)
    if recorded.any():
        summary["recorded_wait"] = wait_statistics(trace.wait_s[recorded])
        summary["simulated_wait_where_recorded"] = wait_statistics(wait[recorded])
    return summary


def _by_group(done: Replay) -> dict[str, Any]:
    """Waits by virtual cluster or queue, the largest groups first."""
    groups, index, sizes = np.unique(
        done.trace.group.astype(str), return_inverse=True, return_counts=True
    )
    largest = np.argsort(-sizes, kind="stable")[:MOST_GROUPS]
    return {str(groups[i]): wait_statistics(done.wait_s[index == i]) for i in largest if groups[i]}

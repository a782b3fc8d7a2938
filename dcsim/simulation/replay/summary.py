"""What a replay says: waits by class, slowdown, use, and whether the queue is stable."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.replay.outcome import Replay
from dcsim.simulation.replay.sweep import WAIT_REASONS, Sweep
from dcsim.workload.traces import endings

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

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


def size_classes(accelerators: NDArray[np.int64]) -> Iterator[tuple[str, Bools]]:
    """Jobs by accelerator count: 1, 2, 3-4, 5-8, ... with the mask of each class that has any."""
    low, high = 1, 1
    while low <= accelerators.max():
        mask = (accelerators >= low) & (accelerators <= high)
        if mask.any():
            yield (str(high) if low == high else f"{low}-{high}"), mask
        low, high = high + 1, high * 2


def whole_accelerators(done: Replay) -> NDArray[np.int64]:
    """What each job asked for, parts rounded up to one; shape (n,)."""
    return -(-done.trace.accelerators // done.unit)


def label_classes(labels: NDArray[Any]) -> Iterator[tuple[str, Bools]]:
    """Jobs by label, the largest classes first; none where no job has a label."""
    names, index, sizes = np.unique(labels.astype(str), return_inverse=True, return_counts=True)
    for i in np.argsort(-sizes, kind="stable")[:MOST_GROUPS]:
        if names[i]:
            yield str(names[i]), index == i


def offered_load(done: Replay) -> float | None:
    """Accelerator-seconds asked for ÷ those the cluster had while jobs were submitted.

    None when all jobs were submitted at one moment.
    """
    trace = done.trace
    span = float(trace.submit_s.max() - trace.submit_s.min())
    asked = float((trace.run_s * trace.accelerators).sum())
    return asked / (span * done.capacity) if span > 0 else None


def is_unstable(done: Replay) -> bool:
    """Whether waits keep growing: the queue never recovers while jobs arrive.

    Jobs are cut into ten batches by submit time; unstable when the mean wait of the last
    two exceeds every earlier batch and the offered load is above 0.9.
    """
    load = offered_load(done)
    if len(done.trace) < 100 or load is None or load < 0.9:
        return False
    order = np.argsort(done.trace.submit_s, kind="stable")
    means = [batch.mean() for batch in np.array_split(done.wait_s[order], 10)]
    return bool(min(means[-2:]) > max(means[:-2]))


def summarise(done: Replay, swept: Sweep | None = None, *, warmup_s: float = 0.0) -> dict[str, Any]:
    """The figures of one replay as a JSON-ready mapping; times in seconds, shares as fractions.

    Waits and slowdowns leave out jobs submitted in the first `warmup_s` (all of them are kept
    if nothing else would be left). `swept` adds why jobs waited and accelerators idled.
    """
    trace, wait = done.trace, done.wait_s
    held = done.stretches()
    first, last = float(trace.submit_s.min()), float(done.end_s.max())
    busy = float(((held.end_s - held.start_s) * held.gpus).sum())
    counted = trace.submit_s >= first + warmup_s
    if not counted.any():
        counted = np.ones(len(trace), bool)
    idle_s = wait if done.segments is None else done.end_s - trace.submit_s - trace.run_s
    slowdown = bounded_slowdown(idle_s, trace.run_s)[counted]
    summary: dict[str, Any] = {
        "policy": done.policy,
        "accelerators": done.capacity // done.unit,
        "nodes": done.n_nodes if done.nodes is not None else None,
        "jobs": len(trace),
        "dropped": dict(trace.dropped),
        "odd": dict(trace.odd),
        "format": trace.source_format,
        "warmup_s": warmup_s,
        "wait": wait_statistics(wait[counted]),
        "bounded_slowdown_mean": float(slowdown.mean()),
        "bounded_slowdown_p95": float(np.percentile(slowdown, 95.0)),
        "utilisation": busy / (done.capacity * (last - first)),
        "makespan_s": last - first,
        "offered_load": offered_load(done),
        "unstable_queue": is_unstable(done),
        "wait_by_size": _by_class(wait, counted, size_classes(whole_accelerators(done))),
        "wait_by_group": _by_class(wait, counted, label_classes(trace.group)),
        "wait_by_user": _by_class(wait, counted, label_classes(trace.user)),
        "wait_by_priority": {}
        if trace.priority is None
        else _by_class(wait, counted, label_classes(trace.priority)),
        "allocated": allocated_by_ending(done),
    }
    if done.segments is not None:
        summary["interruptions"] = int(held.job.size - len(trace))
        summary["restart_s"] = busy_beyond_work(done)
    summary |= recorded_errors(done)
    if done.fragmented_share is not None:
        summary["fragmented_share_of_free"] = done.fragmented_share
    if swept is not None:
        summary |= _from_sweep(done, swept)
    return summary


def _by_class(
    wait_s: Floats, counted: Bools, classes: Iterator[tuple[str, Bools]]
) -> dict[str, Any]:
    return {
        name: wait_statistics(wait_s[mask & counted])
        for name, mask in classes
        if (mask & counted).any()
    }


def allocated_by_ending(done: Replay) -> dict[str, float]:
    """Accelerator-seconds held by jobs that completed, failed, were cancelled, ...

    Only completed ones were useful; `unknown` where the trace does not tell.
    """
    held = done.stretches()
    lasted = (held.end_s - held.start_s) * held.gpus / done.unit
    seconds = np.bincount(held.job, lasted, len(done.trace))
    kinds = endings(done.trace.status)
    return {str(kind): float(seconds[kinds == kind].sum()) for kind in sorted(set(kinds.tolist()))}


def busy_beyond_work(done: Replay) -> float:
    """Accelerator-seconds spent on restarting preempted jobs."""
    held = done.stretches()
    busy = float(((held.end_s - held.start_s) * held.gpus).sum())
    return busy - float((done.trace.run_s * done.trace.accelerators).sum())


def recorded_errors(done: Replay) -> dict[str, Any]:
    """Simulated against recorded waits, over all jobs that have one and by class.

    Empty when the trace records no waits. `error` is the simulated mean ÷ the recorded - 1,
    None where no wait was recorded as positive.
    """
    trace = done.trace
    recorded = np.isfinite(trace.wait_s) & (trace.wait_s >= 0)
    if not recorded.any():
        return {}

    def compare(mask: Bools) -> dict[str, Any]:
        was, now = trace.wait_s[mask], done.wait_s[mask]
        mean = float(was.mean())
        return {
            "recorded": wait_statistics(was),
            "simulated": wait_statistics(now),
            "error": float(now.mean()) / mean - 1 if mean > 0 else None,
            "median_absolute_error_s": float(np.median(np.abs(now - was))),
        }

    classes = {"all jobs": recorded}
    classes |= {
        f"{name} accelerators": m & recorded for name, m in size_classes(whole_accelerators(done))
    }
    classes |= {f"vc {name}": m & recorded for name, m in label_classes(trace.group)}
    return {
        "recorded_wait": wait_statistics(trace.wait_s[recorded]),
        "simulated_wait_where_recorded": wait_statistics(done.wait_s[recorded]),
        "recorded_against_simulated": {n: compare(m) for n, m in classes.items() if m.any()},
    }


def _from_sweep(done: Replay, swept: Sweep) -> Mapping[str, Any]:
    total = swept.waited_s.sum(axis=0)
    by_size = {
        name: dict(zip(WAIT_REASONS, swept.waited_s[mask].sum(axis=0).tolist(), strict=True))
        for name, mask in size_classes(whole_accelerators(done))
    }
    return {
        "waited_s": dict(zip(WAIT_REASONS, total.tolist(), strict=True)),
        "waited_s_by_size": by_size,
        "idle_accelerator_s": swept.mean_idle(),
        "longest_queue": int(swept.queued.max()),
    }

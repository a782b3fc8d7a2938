"""A job trace as arrays, and the rules by which odd jobs are dropped before a replay."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Trace:
    """Jobs in the order of the file; every array has shape (n,).

    Times are seconds on the trace's own clock. `est_s` is the wall limit that a scheduler
    may see; `wait_s` is the recorded wait, NaN where the trace has none. `dropped` counts
    the rows left out by reason, `odd` those kept but mended or doubtful. `priority` (larger
    first), `share` (the part of each accelerator that is asked for, 0 < share <= 1) and the
    limits `least` and `most` of elastic jobs are None where the trace has none.
    """

    job_id: NDArray[np.object_]
    submit_s: NDArray[np.float64]
    run_s: NDArray[np.float64]
    accelerators: NDArray[np.int64]
    est_s: NDArray[np.float64]
    user: NDArray[np.object_]
    group: NDArray[np.object_]
    status: NDArray[np.object_]
    wait_s: NDArray[np.float64]
    source_format: str
    dropped: Mapping[str, int] = field(default_factory=dict)
    odd: Mapping[str, int] = field(default_factory=dict)
    priority: NDArray[np.int64] | None = None
    share: NDArray[np.float64] | None = None
    least: NDArray[np.int64] | None = None
    most: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """How many jobs."""
        return self.submit_s.size

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> "Trace":
        """The chosen jobs, by mask or by index, in that order."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        arrays: dict[str, Any] = {
            n: v[chosen] for n, v in columns.items() if isinstance(v, np.ndarray)
        }
        return replace(self, **arrays)


def prepared(trace: Trace, largest: int) -> Trace:
    """Drop what cannot run on `largest` accelerators and make every estimate at least the run.

    Reasons, each job counted once by the first that holds: a time is not a finite number, no
    run time, no accelerators, more than the cluster has.
    """
    finite = np.isfinite(trace.submit_s) & np.isfinite(trace.run_s)
    checks = (
        ("submit or run time is not a number", ~finite),
        ("run time is not positive", ~(trace.run_s > 0)),
        ("asks for no accelerator", trace.accelerators <= 0),
        (f"asks for more than the cluster's {largest}", trace.accelerators > largest),
    )
    dropped = dict(trace.dropped)
    keep = np.ones(len(trace), bool)
    for reason, bad in checks:
        count = int((keep & bad).sum())
        if count:
            dropped[reason] = dropped.get(reason, 0) + count
        keep &= ~bad
    kept = trace.take(keep)
    known = np.isfinite(kept.est_s)
    est_s = np.where(known, np.maximum(kept.est_s, kept.run_s), kept.run_s)
    return replace(kept, est_s=est_s, dropped=dropped, odd={**kept.odd, **_oddities(kept, known)})


def _oddities(trace: Trace, has_estimate: NDArray[np.bool_]) -> dict[str, int]:
    """What is doubtful in jobs that run all the same, counted by reason."""
    doubles = len(trace) - len(set(trace.job_id.tolist()))
    unsorted = int((np.diff(trace.submit_s) < 0).sum())
    with np.errstate(invalid="ignore"):
        short = int((trace.est_s < trace.run_s).sum())
        negative = int((trace.wait_s < 0).sum())
    unknown = int((~has_estimate).sum()) if has_estimate.any() else 0
    reasons = {
        "estimate below the run time, raised to it": short,
        "no estimate, the run time taken instead": unknown,
        "recorded wait is negative": negative,
        "shares its job id with an earlier row": doubles,
        "submitted before the row above it": unsorted,
    }
    return {reason: count for reason, count in reasons.items() if count}


#: Words that formats use for how a job ended, by meaning.
_ENDINGS = {
    "completed": ("completed", "pass", "passed", "succeeded", "success", "terminated", "1"),
    "failed": ("failed", "timeout", "node_fail", "out_of_memory", "boot_fail", "deadline", "0"),
    "cancelled": ("cancelled", "canceled", "killed", "preempted", "interrupted", "5"),
    "running": ("running", "pending", "waiting"),
}


def endings(status: NDArray[np.object_]) -> NDArray[np.object_]:
    """How each job ended: completed, failed, cancelled, running or unknown; shape (n,)."""
    meaning = {word: kind for kind, words in _ENDINGS.items() for word in words}
    known: dict[object, str] = {}
    for text in set(status.tolist()):
        first = str(text).strip().lower().split(" ")[0].rstrip("+")
        known[text] = meaning.get(first, "unknown")
    return np.array([known[text] for text in status.tolist()], dtype=object)

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
    the rows left out by reason.
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

    Reasons, each job counted once by the first that holds: a field is not a finite number,
    negative submit time, no run time, no accelerators, more than the cluster has.
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
    est_s = np.where(np.isfinite(kept.est_s), np.maximum(kept.est_s, kept.run_s), kept.run_s)
    return replace(kept, est_s=est_s, dropped=dropped)

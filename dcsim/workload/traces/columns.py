"""Columns of a table as arrays: numbers, counts, dates, durations and texts."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcsim.workload.traces.trace import Trace

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


def numbers(column: Iterable[object]) -> Floats:
    """As floats; NaN where the entry is no number."""
    import pandas as pd

    return np.array(pd.to_numeric(pd.Series(column), errors="coerce"), dtype=float)


def texts(frame: "pd.DataFrame", name: str) -> NDArray[np.object_]:
    """The column as texts, empty where it has no entry or does not exist."""
    if name not in frame.columns:
        return np.full(len(frame), "", dtype=object)
    return frame[name].astype(object).where(frame[name].notna(), "").astype(str).to_numpy(object)


def seconds(column: "pd.Series") -> Floats:
    """Numbers as they are; dates as seconds since 1970 (NaN where neither)."""
    import pandas as pd

    plain = numbers(column)
    if np.isfinite(plain).mean() > 0.5:
        return plain
    dates = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
    epoch = pd.Timestamp("1970-01-01", tz="UTC")
    return np.array((dates - epoch).dt.total_seconds(), dtype=float)


def is_dated(column: "pd.Series") -> bool:
    """Whether most entries are dates rather than numbers."""
    return not np.isfinite(numbers(column)).mean() > 0.5


def counts(column: Iterable[object]) -> NDArray[np.int64]:
    """Rounded up to whole numbers; 0 where the entry is no number or negative."""
    values = numbers(column)
    usable = np.isfinite(values) & (values >= 0) & (values < 2.0**53)
    return np.where(usable, np.ceil(np.where(usable, values, 0.0)), 0).astype(np.int64)


def duration_seconds(column: "pd.Series") -> Floats:
    """Slurm's `[days-]hours:minutes:seconds`, or plain seconds; NaN for UNLIMITED and the like."""
    text = column.astype(str)
    parts = text.str.extract(r"^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)(?:\.\d+)?$").astype(float)
    day, hour, minute, second = (parts[i].to_numpy(float) for i in range(4))
    clock = np.nan_to_num(day) * 86400 + np.nan_to_num(hour) * 3600 + minute * 60 + second
    return np.where(np.isfinite(clock), clock, numbers(column))


def make_trace(
    frame: "pd.DataFrame",
    source_format: str,
    job_id: str,
    submit: Floats,
    run: Floats,
    accelerators: NDArray[np.int64],
    *,
    est: Floats | None = None,
    user: str = "",
    group: str = "",
    status: str = "",
    wait: Floats | None = None,
    priority: NDArray[np.int64] | None = None,
    share: Floats | None = None,
) -> Trace:
    """A `Trace` from arrays of shape (n,) and the names of the text columns of `frame`."""
    unknown = np.full(len(frame), np.nan)
    return Trace(
        job_id=texts(frame, job_id),
        submit_s=submit,
        run_s=run,
        accelerators=accelerators,
        est_s=unknown if est is None else est,
        user=texts(frame, user),
        group=texts(frame, group),
        status=texts(frame, status),
        wait_s=unknown if wait is None else wait,
        source_format=source_format,
        priority=priority,
        share=share,
    )


def texts_series(frame: "pd.DataFrame", name: str) -> "pd.Series":
    """`texts` with the index of `frame`."""
    import pandas as pd

    return pd.Series(texts(frame, name), index=frame.index, dtype=object)

"""Readers of the job-trace formats in use; each maps its columns to those of `Trace`.

Dates become seconds since the earliest submission of the file; numbers stay as they are.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcsim.records import Fault, InputError
from dcsim.workload.traces.trace import Trace

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

#: Positions of the Standard Workload Format's 18 fields that are read (Feitelson, SWF 2.2).
SWF_FIELDS = (
    "job_id submit wait run allocated cpu_time memory requested est requested_memory "
    "status user group executable queue partition preceding think"
).split()
_SWF_STATUS = {
    0: "failed",
    1: "completed",
    2: "partial",
    3: "partial",
    4: "partial",
    5: "cancelled",
}


@dataclass(frozen=True, slots=True)
class Format:
    """A trace format: the columns that tell it and how its frame becomes a `Trace`."""

    name: str
    columns: tuple[str, ...]
    convert: Callable[["pd.DataFrame"], Trace]
    about: str


def read_trace(path: Path, source_format: str | None = None) -> Trace:
    """Read a job trace; the format is told by the file's ending and columns unless named.

    Raises `InputError` when the file is missing, empty or of no known format.
    """
    if not path.is_file():
        raise InputError(Fault("no such file", file=str(path)))
    if source_format == "swf" or (source_format is None and path.suffix == ".swf"):
        frame, ragged = _read_swf(path), 0
        chosen = FORMATS["swf"]
    else:
        frame, ragged = _read_csv(path)
        chosen = _named(source_format, path) if source_format else _detected(frame, path)
        missing = [name for name in chosen.columns if name not in frame.columns]
        if missing:
            raise InputError(
                Fault(
                    f"the {chosen.name} format needs the column {missing[0]!r}; "
                    f"found {', '.join(map(str, frame.columns[:12]))}",
                    file=str(path),
                    line=1,
                )
            )
    if frame.empty:
        raise InputError(Fault("the trace has no jobs", file=str(path)))
    trace = chosen.convert(frame)
    return replace(trace, dropped={"line has too many fields": ragged}) if ragged else trace


def _named(name: str, path: Path) -> Format:
    if name not in FORMATS:
        raise InputError(
            Fault(f"unknown trace format {name!r}; known are {', '.join(FORMATS)}", str(path))
        )
    return FORMATS[name]


def _detected(frame: "pd.DataFrame", path: Path) -> Format:
    for candidate in FORMATS.values():
        if candidate.columns and all(name in frame.columns for name in candidate.columns):
            return candidate
    raise InputError(
        Fault(
            "the columns "
            + ", ".join(map(str, frame.columns[:12]))
            + " belong to no known trace format; a generic trace has job_id,submit,run,procs",
            file=str(path),
            line=1,
        )
    )


def _read_csv(path: Path) -> tuple["pd.DataFrame", int]:
    import pandas as pd

    with path.open("rb") as file:
        first = file.readline()
        lines = sum(1 for line in file if line.strip())
    if not first.strip():
        raise InputError(Fault("the file is empty", file=str(path)))
    separator = "|" if first.count(b"|") > first.count(b",") else ","
    try:
        frame = pd.read_csv(path, sep=separator, on_bad_lines="skip", low_memory=False)
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(Fault(f"not a table: {error}", file=str(path))) from None
    return frame, max(lines - len(frame), 0)


def _read_swf(path: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        frame = pd.read_csv(path, sep=r"\s+", comment=";", header=None, names=SWF_FIELDS)
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(
            Fault(f"not a Standard Workload Format file: {error}", str(path))
        ) from None
    return frame


def _numbers(column: Iterable[object]) -> Floats:
    import pandas as pd

    return np.array(pd.to_numeric(pd.Series(column), errors="coerce"), dtype=float)


def _texts(frame: "pd.DataFrame", name: str) -> NDArray[np.object_]:
    if name not in frame.columns:
        return np.full(len(frame), "", dtype=object)
    return frame[name].astype(object).where(frame[name].notna(), "").astype(str).to_numpy(object)


def _seconds(column: "pd.Series") -> Floats:
    """Numbers as they are; dates as seconds since 1970 (NaN where neither)."""
    import pandas as pd

    plain = _numbers(column)
    if np.isfinite(plain).mean() > 0.5:
        return plain
    dates = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
    epoch = pd.Timestamp("1970-01-01", tz="UTC")
    return np.array((dates - epoch).dt.total_seconds(), dtype=float)


def _is_dated(column: "pd.Series") -> bool:
    return not np.isfinite(_numbers(column)).mean() > 0.5


def _counts(column: Iterable[object]) -> NDArray[np.int64]:
    values = _numbers(column)
    usable = np.isfinite(values) & (values >= 0) & (values < 2.0**53)
    return np.where(usable, np.ceil(np.where(usable, values, 0.0)), 0).astype(np.int64)


def _duration_seconds(column: "pd.Series") -> Floats:
    """Slurm's `[days-]hours:minutes:seconds`, or plain seconds; NaN for UNLIMITED and the like."""
    text = column.astype(str)
    parts = text.str.extract(r"^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)(?:\.\d+)?$").astype(float)
    days, hours, minutes, seconds = (parts[i].to_numpy(float) for i in range(4))
    clock = np.nan_to_num(days) * 86400 + np.nan_to_num(hours) * 3600 + minutes * 60 + seconds
    return np.where(np.isfinite(clock), clock, _numbers(column))


def _trace(
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
) -> Trace:
    unknown = np.full(len(frame), np.nan)
    return Trace(
        job_id=_texts(frame, job_id),
        submit_s=submit,
        run_s=run,
        accelerators=accelerators,
        est_s=unknown if est is None else est,
        user=_texts(frame, user),
        group=_texts(frame, group),
        status=_texts(frame, status),
        wait_s=unknown if wait is None else wait,
        source_format=source_format,
    )


def _generic(frame: "pd.DataFrame") -> Trace:
    est = _numbers(frame["est"]) if "est" in frame.columns else None
    return _trace(
        frame, "generic", "job_id", _numbers(frame["submit"]), _numbers(frame["run"]),
        _counts(frame["procs"]), est=est, user="user", group="vc", status="status",
    )  # fmt: skip


def _swf(frame: "pd.DataFrame") -> Trace:
    asked, given = _numbers(frame["requested"]), _numbers(frame["allocated"])
    est, wait = _numbers(frame["est"]), _numbers(frame["wait"])
    frame = frame.assign(status=frame["status"].map(_SWF_STATUS).fillna(""))
    return _trace(
        frame, "swf", "job_id", _numbers(frame["submit"]), _numbers(frame["run"]),
        _counts(np.where(given > 0, given, asked)), est=np.where(est > 0, est, np.nan),
        user="user", group="queue", status="status", wait=np.where(wait >= 0, wait, np.nan),
    )  # fmt: skip


def _dated(
    frame: "pd.DataFrame", submit: str, start: str, end: str
) -> tuple[Floats, Floats, Floats]:
    """Submit, run and recorded wait from three date columns, from the earliest submission on."""
    origin, begin, finish = (_seconds(frame[name]) for name in (submit, start, end))
    first = np.nanmin(origin) if _is_dated(frame[submit]) and np.isfinite(origin).any() else 0.0
    return origin - first, finish - begin, begin - origin


def _cluster_log(source_format: str, group: str) -> Callable[["pd.DataFrame"], Trace]:
    """Helios and Acme publish the same columns but for the name of the tenant's column."""

    def convert(frame: "pd.DataFrame") -> Trace:
        submit, run, wait = _dated(frame, "submit_time", "start_time", "end_time")
        if "duration" in frame.columns:
            listed = _numbers(frame["duration"])
            run = np.where(np.isfinite(listed), listed, run)
        return _trace(
            frame, source_format, "job_id", submit, run, _counts(frame["gpu_num"]),
            user="user", group=group, status="state", wait=wait,
        )  # fmt: skip

    return convert


def _openb(frame: "pd.DataFrame") -> Trace:
    created, ended = _numbers(frame["creation_time"]), _numbers(frame["deletion_time"])
    placed = _numbers(frame["scheduled_time"])
    begun = np.where(np.isfinite(placed), placed, created)
    return _trace(
        frame, "openb", "name", created, ended - begun, _counts(frame["num_gpu"]),
        group="qos", status="pod_phase", wait=placed - created,
    )  # fmt: skip


def _sacct(frame: "pd.DataFrame") -> Trace:
    """Slurm's accounting; steps (`123.batch`) belong to their job and are left out."""
    frame = frame[~_texts_series(frame, "JobID").str.contains(".", regex=False)]
    submit, run, wait = _dated(frame, "Submit", "Start", "End")
    if "Elapsed" in frame.columns:
        elapsed = _duration_seconds(frame["Elapsed"])
        run = np.where(np.isfinite(elapsed), elapsed, run)
    resources = _texts_series(frame, "AllocTRES" if "AllocTRES" in frame.columns else "ReqTRES")
    accelerators = _counts(resources.str.extract(r"gres/gpu(?::[^=,]+)?=(\d+)")[0])
    est = _duration_seconds(frame["Timelimit"]) if "Timelimit" in frame.columns else None
    return _trace(
        frame, "sacct", "JobID", submit, run, accelerators, est=est,
        user="User", group="Partition", status="State", wait=wait,
    )  # fmt: skip


def _texts_series(frame: "pd.DataFrame", name: str) -> "pd.Series":
    import pandas as pd

    return pd.Series(_texts(frame, name), index=frame.index, dtype=object)


FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format("swf", (), _swf, "Standard Workload Format 2.2, 18 fields (ending .swf)"),
        Format(
            "generic",
            ("job_id", "submit", "run", "procs"),
            _generic,
            "job_id,submit,run,procs[,est][,user][,vc][,status] in seconds and GPUs",
        ),
        Format(
            "helios",
            ("job_id", "user", "vc", "gpu_num", "state", "submit_time", "start_time", "end_time"),
            _cluster_log("helios", "vc"),
            "Helios cluster_log.csv (Hu et al., SC 2021)",
        ),
        Format(
            "acme",
            ("job_id", "user", "gpu_num", "state", "submit_time", "start_time", "end_time"),
            _cluster_log("acme", "type"),
            "AcmeTrace trace_*.csv (Hu et al., NSDI 2024)",
        ),
        Format(
            "openb",
            ("name", "num_gpu", "creation_time", "deletion_time", "scheduled_time"),
            _openb,
            "Alibaba openb_pod_list, cluster-trace-gpu-v2023",
        ),
        Format(
            "sacct",
            ("JobID", "Submit", "Start", "End"),
            _sacct,
            "Slurm `sacct -P` with JobID, Submit, Start, End and AllocTRES or ReqTRES",
        ),
    )
}

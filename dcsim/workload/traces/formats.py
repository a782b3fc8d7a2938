"""Readers of the job-trace formats in use; each maps its columns to those of `Trace`.

Dates become seconds since the earliest submission of the file; numbers stay as they are.
"""

import gzip
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dcsim.records import Fault, InputError
from dcsim.workload.traces.columns import (
    counts,
    duration_seconds,
    is_dated,
    make_trace,
    numbers,
    seconds,
    texts_series,
)
from dcsim.workload.traces.files import open_bytes
from dcsim.workload.traces.pai import is_pai, read_pai
from dcsim.workload.traces.philly import read_philly
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
    """A table format: the columns that tell it and how its frame becomes a `Trace`."""

    name: str
    columns: tuple[str, ...]
    convert: Callable[["pd.DataFrame"], Trace]
    about: str


def read_trace(path: Path, source_format: str | None = None) -> Trace:
    """Read a job trace; the format is told by the file's ending and content unless named.

    A file packed with gzip is unpacked. Raises `InputError` when the file is missing, empty,
    damaged or of no known format.
    """
    if not path.is_file():
        raise InputError(Fault("no such file", file=str(path)))
    try:
        return _read(path, source_format)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(Fault("not a whole gzip file", file=str(path))) from None


def _read(path: Path, source_format: str | None) -> Trace:
    if source_format is not None and source_format not in FORMATS:
        known = ", ".join(FORMATS)
        raise InputError(
            Fault(f"unknown trace format {source_format!r}; known are {known}", str(path))
        )
    told = source_format or _told_by_content(path)
    if told == "philly":
        return read_philly(path)
    if told == "pai":
        return read_pai(path)
    if told == "swf":
        frame, ragged = _read_swf(path)
        chosen = TABLES["swf"]
    else:
        frame, ragged = _read_csv(path)
        chosen = TABLES[told] if told else _detected(frame, path)
        _require_columns(chosen, frame, path)
    if frame.empty:
        raise InputError(Fault("the trace has no jobs", file=str(path)))
    trace = chosen.convert(frame)
    if ragged:
        return replace(trace, dropped={"line has too many fields": ragged, **trace.dropped})
    return trace


def _told_by_content(path: Path) -> str | None:
    """The format where ending or first line decide it without the columns' names."""
    if path.name.removesuffix(".gz").endswith(".swf"):
        return "swf"
    with open_bytes(path) as file:
        first = file.readline()
    if first.lstrip()[:1] in (b"[", b"{"):
        return "philly"
    if first.startswith(b";"):
        return "swf"
    return "pai" if is_pai(first.decode("utf-8", "replace")) else None


def _require_columns(chosen: Format, frame: "pd.DataFrame", path: Path) -> None:
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


def _detected(frame: "pd.DataFrame", path: Path) -> Format:
    for candidate in TABLES.values():
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

    with open_bytes(path) as file:
        first = file.readline()
        lines = sum(1 for line in file if line.strip())
    if not first.strip():
        raise InputError(Fault("the file is empty", file=str(path)))
    separator = "|" if first.count(b"|") > first.count(b",") else ","
    frame = _table(path, sep=separator, low_memory=False)
    if len(frame) < lines // 2 and b'"' not in first:  # a stray quote swallowed what follows it
        frame = max(frame, _table(path, sep=separator, low_memory=False, quoting=3), key=len)
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    return frame, max(lines - len(frame), 0)


def _read_swf(path: Path) -> tuple["pd.DataFrame", int]:
    with open_bytes(path) as file:
        lines = sum(1 for line in file if line.strip() and not line.lstrip().startswith(b";"))
    if not lines:
        raise InputError(Fault("the trace has no jobs", file=str(path)))
    frame = _table(path, sep=r"\s+", comment=";", header=None, names=SWF_FIELDS, index_col=False)
    return frame, max(lines - len(frame), 0)


def _table(path: Path, **options: Any) -> "pd.DataFrame":
    """The file as a frame without its ragged lines, however it is broken."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)
        options |= {"on_bad_lines": "skip", "encoding_errors": "replace"}
        try:
            with open_bytes(path) as file:
                return pd.read_csv(file, **options)
        except pd.errors.ParserError:
            options["quoting"] = 3  # an unclosed quote: take quotes as any other character
        try:
            with open_bytes(path) as file:
                return pd.read_csv(file, **options)
        except pd.errors.ParserError as error:
            raise InputError(Fault(f"not a table: {error}", file=str(path))) from None


def _generic(frame: "pd.DataFrame") -> Trace:
    est = numbers(frame["est"]) if "est" in frame.columns else None
    asked = numbers(frame["procs"])
    part = (asked > 0) & (asked < 1)
    trace = make_trace(
        frame, "generic", "job_id", numbers(frame["submit"]), numbers(frame["run"]),
        counts(frame["procs"]), est=est, user="user", group="vc", status="status",
        priority=_priority(frame, "priority"),
        share=np.where(part, asked, 1.0) if part.any() else None,
    )  # fmt: skip
    return replace(trace, least=_limit(frame, "min_procs"), most=_limit(frame, "max_procs"))


def _limit(frame: "pd.DataFrame", name: str) -> NDArray[np.int64] | None:
    """The least or most accelerators of elastic jobs; `procs` where the field is empty."""
    if name not in frame.columns:
        return None
    given, asked = counts(frame[name]), counts(frame["procs"])
    bounded = np.minimum(given, asked) if name == "min_procs" else np.maximum(given, asked)
    return np.where(given > 0, bounded, asked)


def _priority(frame: "pd.DataFrame", name: str) -> NDArray[np.int64] | None:
    if name not in frame.columns:
        return None
    values = numbers(frame[name])
    return np.where(np.isfinite(values), np.clip(values, -(2**52), 2**52), 0).astype(np.int64)


def _swf(frame: "pd.DataFrame") -> Trace:
    asked, given = numbers(frame["requested"]), numbers(frame["allocated"])
    est, wait = numbers(frame["est"]), numbers(frame["wait"])
    frame = frame.assign(status=frame["status"].map(_SWF_STATUS).fillna(""))
    return make_trace(
        frame, "swf", "job_id", numbers(frame["submit"]), numbers(frame["run"]),
        counts(np.where(given > 0, given, asked)), est=np.where(est > 0, est, np.nan),
        user="user", group="queue", status="status", wait=np.where(wait >= 0, wait, np.nan),
    )  # fmt: skip


def _dated(
    frame: "pd.DataFrame", submit: str, start: str, end: str
) -> tuple[Floats, Floats, Floats]:
    """Submit, run and recorded wait from three date columns, from the earliest submission on."""
    origin, begin, finish = (seconds(frame[name]) for name in (submit, start, end))
    first = np.nanmin(origin) if is_dated(frame[submit]) and np.isfinite(origin).any() else 0.0
    return origin - first, finish - begin, begin - origin


def _cluster_log(source_format: str, group: str) -> Callable[["pd.DataFrame"], Trace]:
    """Helios and Acme publish the same columns but for the name of the tenant's column."""

    def convert(frame: "pd.DataFrame") -> Trace:
        submit, run, wait = _dated(frame, "submit_time", "start_time", "end_time")
        if "duration" in frame.columns:
            listed = numbers(frame["duration"])
            run = np.where(np.isfinite(listed), listed, run)
        return make_trace(
            frame, source_format, "job_id", submit, run, counts(frame["gpu_num"]),
            user="user", group=group, status="state", wait=wait,
        )  # fmt: skip

    return convert


def _openb(frame: "pd.DataFrame") -> Trace:
    created, ended = numbers(frame["creation_time"]), numbers(frame["deletion_time"])
    placed = numbers(frame["scheduled_time"])
    begun = np.where(np.isfinite(placed), placed, created)
    return make_trace(
        frame, "openb", "name", created, ended - begun, counts(frame["num_gpu"]),
        group="qos", status="pod_phase", wait=placed - created, share=_milli_share(frame),
    )  # fmt: skip


def _milli_share(frame: "pd.DataFrame") -> Floats | None:
    """The part of its one accelerator that a pod asks for, from thousandths."""
    if "gpu_milli" not in frame.columns:
        return None
    milli = numbers(frame["gpu_milli"])
    single = counts(frame["num_gpu"]) == 1
    return np.where(single & (milli > 0) & (milli < 1000), milli / 1000, 1.0)


def _sacct(frame: "pd.DataFrame") -> Trace:
    """Slurm's accounting; steps (`123.batch`) belong to their job and are left out."""
    frame = frame[~texts_series(frame, "JobID").str.contains(".", regex=False)]
    submit, run, wait = _dated(frame, "Submit", "Start", "End")
    if "Elapsed" in frame.columns:
        elapsed = duration_seconds(frame["Elapsed"])
        run = np.where(np.isfinite(elapsed), elapsed, run)
    resources = texts_series(frame, "AllocTRES" if "AllocTRES" in frame.columns else "ReqTRES")
    accelerators = counts(resources.str.extract(r"gres/gpu(?::[^=,]+)?=(\d+)")[0])
    est = duration_seconds(frame["Timelimit"]) if "Timelimit" in frame.columns else None
    return make_trace(
        frame, "sacct", "JobID", submit, run, accelerators, est=est,
        user="User", group="Partition", status="State", wait=wait,
        priority=_priority(frame, "Priority"),
    )  # fmt: skip


TABLES: dict[str, Format] = {
    f.name: f
    for f in (
        Format("swf", (), _swf, "Standard Workload Format 2.2, 18 fields (ending .swf)"),
        Format(
            "generic",
            ("job_id", "submit", "run", "procs"),
            _generic,
            "job_id,submit,run,procs[,est][,user][,vc][,status][,priority][,min_procs,max_procs]",
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

#: Every format by the name that `--format` takes, with what it is.
FORMATS: dict[str, str] = {
    **{table.name: table.about for table in TABLES.values()},
    "philly": "Microsoft Philly cluster_job_log, JSON (Jeon et al., ATC 2019)",
    "pai": "Alibaba PAI pai_task_table.csv, with pai_job_table.csv beside it (NSDI 2022)",
}

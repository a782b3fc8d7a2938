"""Alibaba PAI 2020 (cluster-trace-gpu-v2020): tables without a header line.

`pai_task_table.csv` says what each task of a job asked for, `plan_gpu` in hundredths of an
accelerator for each of its `inst_num` instances; `pai_job_table.csv`, where it lies beside,
adds user and time of submission (Weng et al., NSDI 2022).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.records import Fault, InputError
from dcsim.workload.traces.columns import numbers, texts
from dcsim.workload.traces.files import open_bytes
from dcsim.workload.traces.trace import Trace

if TYPE_CHECKING:
    import pandas as pd

TASK_COLUMNS = (
    "job_name task_name inst_num status start_time end_time plan_cpu plan_mem plan_gpu gpu_type"
).split()
JOB_COLUMNS = "job_name inst_id user status start_time end_time".split()
_STATUSES = {"Terminated", "Failed", "Running", "Waiting", "Interrupted", "status"}


def is_pai(line: str) -> bool:
    """Whether the first line of a file is one of the task or the job table."""
    fields = line.strip().split(",")
    return len(fields) in (len(TASK_COLUMNS), len(JOB_COLUMNS)) and fields[3] in _STATUSES


def read_pai(path: Path) -> Trace:
    """Read the task table (or, given the job table, the task table beside it).

    A job is the sum of its tasks: accelerators = instances x plan_gpu / 100, run from the
    first start to the last end. A job of one instance that asks for less than one accelerator
    keeps its `share`. Raises `InputError` when there is no task table or it has no job.
    """
    task_path, job_path = _tables(path)
    tasks, ragged = _table(task_path, TASK_COLUMNS)
    dropped = {"line has not 10 fields": ragged} if ragged else {}
    for name in ("inst_num", "start_time", "end_time", "plan_gpu"):
        tasks[name] = numbers(tasks[name])
    tasks["inst_num"] = tasks["inst_num"].fillna(1)
    no_gpu = ~(tasks["plan_gpu"] > 0)
    if no_gpu.any():
        dropped["task asks for no accelerator"] = int(no_gpu.sum())
    tasks = tasks[~no_gpu]
    if tasks.empty:
        raise InputError(Fault("no task of the table asks for an accelerator", str(task_path)))
    jobs = _jobs(tasks)
    odd = _join_jobs(jobs, job_path)
    unfinished = int(jobs["end_time"].isna().sum())
    if unfinished:
        odd["task without an end (still running)"] = unfinished
    return _trace(jobs, dropped, odd)


def _tables(path: Path) -> tuple[Path, Path | None]:
    with open_bytes(path) as file:
        fields = file.readline().decode("utf-8", "replace").strip().split(",")
    if len(fields) == len(TASK_COLUMNS):
        beside = path.with_name(path.name.replace("task", "job"))
        return path, beside if beside != path and beside.is_file() else None
    tasks = path.with_name(path.name.replace("job", "task"))
    if tasks == path or not tasks.is_file():
        message = (
            "accelerators are in PAI's task table, not in its job table; "
            "put pai_task_table.csv beside it or name that file"
        )
        raise InputError(Fault(message, str(path)))
    return tasks, path


def _table(path: Path, columns: list[str]) -> "tuple[pd.DataFrame, int]":
    import pandas as pd

    with open_bytes(path) as file:
        lines = sum(1 for line in file if line.strip())
    options: dict[str, Any] = {"header": None, "names": columns, "dtype": str, "index_col": False}
    options |= {"on_bad_lines": "skip", "encoding_errors": "replace", "quoting": 3}
    with open_bytes(path) as file:
        frame = pd.read_csv(file, **options)
    complete = frame["status"].notna() & frame["job_name"].notna()
    complete &= frame["job_name"] != "job_name"
    header = int((frame["job_name"] == "job_name").sum())
    return frame[complete].reset_index(drop=True), lines - header - int(complete.sum())


def _jobs(tasks: "pd.DataFrame") -> "pd.DataFrame":
    """One row a job, in the order of first appearance."""
    tasks = tasks.assign(asked=tasks["plan_gpu"] / 100 * tasks["inst_num"])
    # An end that is missing must not be hidden by another task's end.
    open_end = tasks["end_time"].isna()
    grouped = tasks.groupby("job_name", sort=False)
    jobs = grouped.agg(
        asked=("asked", "sum"),
        instances=("inst_num", "sum"),
        start_time=("start_time", "min"),
        end_time=("end_time", "max"),
        status=("status", "first"),
        gpu_type=("gpu_type", "first"),
    ).reset_index()
    unfinished = set(tasks.loc[open_end, "job_name"])
    jobs.loc[jobs["job_name"].isin(unfinished), "end_time"] = np.nan
    return jobs


def _join_jobs(jobs: "pd.DataFrame", job_path: Path | None) -> dict[str, int]:
    """Add `submit`, `user` and the job's own status; what is odd, by reason."""
    jobs["submit"], jobs["user"] = jobs["start_time"], ""
    jobs["wait"] = np.nan
    if job_path is None:
        return {"no job table beside: the first start counts as submission": len(jobs)}
    table, _ = _table(job_path, JOB_COLUMNS)
    table = table.drop_duplicates("job_name").set_index("job_name")
    known = jobs["job_name"].isin(table.index)
    rows = table.reindex(jobs["job_name"])
    submit = numbers(rows["start_time"].to_numpy())
    usable = np.isfinite(submit)
    jobs["submit"] = np.where(usable, submit, jobs["start_time"])
    jobs["wait"] = np.where(usable, jobs["start_time"] - submit, np.nan)
    jobs["user"] = rows["user"].fillna("").to_numpy()
    jobs["status"] = np.where(known, rows["status"].to_numpy(), jobs["status"])
    missing = int((~known).sum())
    return {"job is not in the job table": missing} if missing else {}


def _trace(jobs: "pd.DataFrame", dropped: dict[str, int], odd: dict[str, int]) -> Trace:
    asked = numbers(jobs["asked"])
    part = (asked < 1) & (numbers(jobs["instances"]) == 1)
    return Trace(
        job_id=texts(jobs, "job_name"),
        submit_s=numbers(jobs["submit"]),
        run_s=numbers(jobs["end_time"]) - numbers(jobs["start_time"]),
        # 1e-9: thirds of an accelerator add up to whole ones
        accelerators=np.ceil(asked - 1e-9).astype(np.int64),
        est_s=np.full(len(jobs), np.nan),
        user=texts(jobs, "user"),
        group=texts(jobs, "gpu_type"),
        status=texts(jobs, "status"),
        wait_s=numbers(jobs["wait"]),
        source_format="pai",
        dropped=dropped,
        odd=odd,
        share=np.where(part, asked, 1.0) if part.any() else None,
    )

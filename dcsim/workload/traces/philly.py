"""Microsoft Philly's `cluster_job_log`: a JSON list of jobs with their attempts.

Each job has `jobid`, `user`, `vc`, `status`, `submitted_time` and `attempts`; an attempt has
`start_time`, `end_time` and `detail`, the machines with their list of `gpus` (Jeon et al.,
ATC 2019).
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from dcsim.records import Fault, InputError
from dcsim.workload.traces.files import open_bytes
from dcsim.workload.traces.trace import Trace

_Row = tuple[str, float, float, float, int, str, str, str]
_NAMES = ("jobid", "vc", "user", "status")


def read_philly(path: Path) -> Trace:
    """Read the log; the run time is the sum of the attempts, the wait that of the first.

    Seconds count from the earliest submission. Raises `InputError` when the file is not such
    a list or no entry is a job.
    """
    try:
        with open_bytes(path) as file:
            listed = json.loads(file.read().decode("utf-8-sig", "replace"))
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg}; Philly's cluster_job_log is one JSON list"
        raise InputError(Fault(message, str(path), error.lineno, error.colno)) from None
    if not isinstance(listed, list):
        raise InputError(Fault("Philly's cluster_job_log is one JSON list of jobs", str(path)))
    dropped: Counter[str] = Counter()
    odd: Counter[str] = Counter()
    rows = list(_rows(listed, dropped, odd))
    if not rows:
        reasons = "; ".join(f"{count:,} {why}" for why, count in dropped.items())
        raise InputError(
            Fault(f"the log has no job that ran ({reasons or 'empty list'})", str(path))
        )
    ids, submit, run, wait, gpus, vc, user, status = zip(*rows, strict=True)
    begin = min(submit)
    return Trace(
        job_id=np.array(ids, dtype=object),
        submit_s=np.array(submit) - begin,
        run_s=np.array(run),
        accelerators=np.array(gpus, dtype=np.int64),
        est_s=np.full(len(rows), np.nan),
        user=np.array(user, dtype=object),
        group=np.array(vc, dtype=object),
        status=np.array(status, dtype=object),
        wait_s=np.array(wait),
        source_format="philly",
        dropped=dict(dropped),
        odd=dict(odd),
    )


def _rows(listed: Iterable[Any], dropped: Counter[str], odd: Counter[str]) -> Iterator[_Row]:
    for entry in listed:
        if not isinstance(entry, dict):
            dropped["entry is not a job"] += 1
            continue
        submit = _date(entry.get("submitted_time"))
        if submit is None:
            dropped["has no date of submission"] += 1
            continue
        attempts = [a for a in entry.get("attempts") or () if isinstance(a, dict)]
        if not attempts:
            dropped["never started (no attempt)"] += 1
            continue
        ran = list(_attempts(attempts))
        if not ran:
            dropped["no attempt has both a start and an end"] += 1
            continue
        if len(ran) < len(attempts):
            odd["an attempt without start or end is left out"] += 1
        if len({gpus for _, _, gpus in ran}) > 1:
            odd["attempts differ in GPUs, the largest is taken"] += 1
        run = sum(end - start for start, end, _ in ran)
        gpus = max(gpus for _, _, gpus in ran)
        job, vc, user, status = (str(entry.get(name) or "") for name in _NAMES)
        yield job, submit, run, ran[0][0] - submit, gpus, vc, user, status


def _attempts(attempts: Iterable[dict[str, Any]]) -> Iterator[tuple[float, float, int]]:
    """Start, end and GPUs of the attempts that have both dates."""
    for attempt in attempts:
        start, end = _date(attempt.get("start_time")), _date(attempt.get("end_time"))
        if start is not None and end is not None:
            machines = [m for m in attempt.get("detail") or () if isinstance(m, dict)]
            yield start, end, sum(len(machine.get("gpus") or ()) for machine in machines)


def _date(text: object) -> float | None:
    """Seconds since 1970 of `YYYY-MM-DD HH:MM:SS`; None for `None`, null and anything else."""
    try:
        return (datetime.fromisoformat(str(text)) - datetime(1970, 1, 1)).total_seconds()
    except (ValueError, TypeError):
        return None

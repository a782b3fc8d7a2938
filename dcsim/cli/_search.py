"""The work behind `dcsim train JOB --search`: running the search, telling what it found."""

from __future__ import annotations

import csv
import io
import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dcsim.execution.search import Search, search
from dcsim.records import Fault, InputError
from dcsim.training.checkpoint import write_atomically
from dcsim.training.jobs import Job
from dcsim.training.jobs import job as ready_job
from dcsim.workers import WorkerDied


def run(
    name: str,
    settings: dict[str, Any],
    out: Path | None,
    resume: bool,
    trials: int,
    slots: int | None,
    as_json: bool,
) -> None:
    """Search, write `trials.csv` and `search.json`, print the result."""
    job = ready_job(name, **settings)
    if job.workers > 1:
        raise InputError("a search trains each trial on one worker; leave --workers away")
    directory = out or Path("reports") / f"search-{name}"
    try:
        found = search(job, trials, directory, slots=slots, resume=resume, on_progress=_progress)
    except OSError as error:
        raise InputError(Fault(f"cannot be written: {error.strerror}", str(directory))) from None
    except WorkerDied as error:
        print(f"{error}; go on with --resume", file=sys.stderr)
        raise SystemExit(1) from None
    write_atomically(directory / "trials.csv", _table(found).encode())
    document = {"job": name, **asdict(found), "directory": str(directory)}
    write_atomically(directory / "search.json", json.dumps(document, indent=1).encode())
    print(json.dumps(document) if as_json else "\n".join(_told(job, found, directory, settings)))


def _progress(done: int, trials: int, line: str) -> None:
    print(f" search  {done}/{trials}  {line}", file=sys.stderr)


def _table(found: Search) -> str:
    buffer = io.StringIO()
    names = list(found.best.settings)
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["trial", *names, "steps", found.metric, "outcome", "seconds"])
    for trial in found.trials:
        values = [trial.settings[name] for name in names]
        row = [trial.number, *values, trial.steps, trial.value, trial.outcome, trial.seconds]
        writer.writerow(row)
    return buffer.getvalue()


def _told(job: Job, found: Search, directory: Path, settings: dict[str, Any]) -> list[str]:
    """The trials, best first, and the command that trains the best, in 80 columns."""
    names = list(found.best.settings)
    head = "".join(f"{name.replace('_', ' '):>14}" for name in names)
    metric = found.metric.replace("_", " ")
    lines = [
        f" {job.name}: {len(found.trials)} settings tried on {found.slots} workers in "
        f"{found.wall_s:.1f} s",
        f" {found.steps_spared:.0%} of their steps were spared by stopping poor ones early",
        "",
        f" trial{head}{'steps':>9}  {metric}",
    ]
    whole = [trial for trial in found.trials if trial.outcome == "complete"]
    best = [found.best, *(trial for trial in whole if trial is not found.best)]
    for trial in [*best, *(trial for trial in found.trials if trial.outcome != "complete")]:
        values = "".join(f"{trial.settings[name]:>14.4g}" for name in names)
        mark = "✓" if trial is found.best else " "
        stopped = "" if trial.outcome == "complete" else "  stopped early"
        lines.append(
            f"{mark}{trial.number:>6}{values}{trial.steps:>9,}  {trial.value:.4g}{stopped}"
        )
    test = found.test.get(f"test_{found.metric}")
    judged = [] if test is None else [f"        {test:.4g} on the test part, which chose nothing"]
    return [
        *lines,
        "",
        f" Best   {metric} {found.best.value:.4g} on the validation part, {found.own:.4g} for the "
        f"job as it is",
        *judged,
        f" Trials {directory / 'trials.csv'}",
        f" Train  {_command(job, found, settings)}",
    ]


def _command(job: Job, found: Search, settings: dict[str, Any]) -> str:
    words = ["dcsim", "train", job.name]
    for name, value in {**settings, **found.best.settings}.items():
        flag = ["--data", str(value)] if name == "table" else ["--set", f"{name}={value}"]
        words += flag
    return shlex.join(words)

"""Trains a job in a worker process and hands back what it measured."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from dcsim.execution.cache import machine_text, source_hash
from dcsim.records import RealRun
from dcsim.training.jobs import Job
from dcsim.training.loop import Progress
from dcsim.training.run import run_job, step_operators
from dcsim.workers import Worker

#: Progress is reported at most this often, so that telling takes no time from the work.
_REPORT_EVERY_S = 0.1


def measure_job(
    job: Job,
    *,
    name: str = "",
    checkpoint: Path | None = None,
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> RealRun:
    """Train `job` in a process with one BLAS thread; returns timings, losses and figures.

    `checkpoint` keeps the state after every epoch and `resume` goes on from there, as in
    `training.run.run_job`. Raises InputError for data or a checkpoint that do not fit, and
    WorkerDied when the process is killed.
    """
    scratch = tempfile.TemporaryDirectory(prefix="dcsim-") if checkpoint is None else nullcontext()
    with scratch as folder, Worker(preload=["dcsim.execution.measure"]) as worker:
        path = checkpoint if folder is None else Path(folder) / "checkpoint.npz"
        measured = worker.call(_train, job, path, resume, on_progress=on_progress or _silent)
        startup_s = worker.startup_s
    return RealRun(
        name=name or job.name,
        job=job.name,
        parameters=job.parameters(),
        startup_s=startup_s,
        machine=machine_text(),
        source_hash=source_hash(),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        **measured,
    )


def _silent(progress: Progress) -> None:
    """Take no note of progress."""


def _train(
    job: Job, checkpoint: Path, resume: bool, *, emit: Callable[[Progress], None]
) -> dict[str, Any]:
    """In the worker: train, and return the fields of a RealRun that training decides."""
    outcome = run_job(job, on_progress=_throttled(emit), checkpoint=checkpoint, resume=resume)
    history, data = outcome.history, outcome.data
    return {
        "step_s": tuple(history.step_s),
        "losses": tuple(history.losses),
        "epochs": tuple(history.epochs),
        "evaluations": tuple(history.evaluations),
        "metrics": outcome.figures,
        "loss_name": outcome.model.loss.name,
        "metric_name": "perplexity" if data.task == "language" else "accuracy",
        "operators": tuple(step_operators(job, outcome.model, data)),
        "batch_size": min(job.batch_size, len(data.train)),
        "parameter_count": outcome.model.parameter_count,
        "training_samples": len(data.train),
        "data_bytes": data.nbytes,
        "checkpoint_bytes": outcome.checkpoint_bytes,
        "checkpoint_s": outcome.checkpoint_s,
        "load_s": outcome.load_s,
        "evaluation_s": history.evaluation_s,
        "stopped": outcome.stopped,
        "data_source": data.source,
    }


def _throttled(emit: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """`emit`, but at most every `_REPORT_EVERY_S`, and always for the last step."""
    last = -_REPORT_EVERY_S

    def report(progress: Progress) -> None:
        nonlocal last
        now = perf_counter()
        if now - last >= _REPORT_EVERY_S or progress.step == progress.steps:
            last = now
            emit(progress)

    return report

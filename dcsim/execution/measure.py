"""Trains a job in a worker process and hands back what it measured."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from datetime import UTC, datetime
from multiprocessing.connection import wait
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from dcsim.execution.cache import machine_text, source_hash
from dcsim.protection.keys import Secret
from dcsim.records import RealRun
from dcsim.training.interpret import interpret
from dcsim.training.jobs import Job, build_model, load_data
from dcsim.training.loop import HEADLINES, Progress
from dcsim.training.parallel import places_for
from dcsim.training.places import Place, close_places
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
    interpreted: bool = False,
    secret: Secret | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> RealRun:
    """Train `job` in a worker process with one BLAS thread, or in as many as it asks for.

    Returns timings, losses and figures. `checkpoint` keeps the state every few seconds and
    `resume` goes on from there, as in `training.run.run_job`; with `secret` it is encrypted.
    `interpreted` also asks what the trained network's predictions rest on. Raises InputError
    for data or a checkpoint that do not fit, and WorkerDied when a process is killed.
    """
    scratch = tempfile.TemporaryDirectory(prefix="dcsim-") if checkpoint is None else nullcontext()
    with scratch as folder, ExitStack() as stack:
        path = checkpoint if folder is None else Path(folder) / "checkpoint.npz"
        places = _places(job)
        workers = _start(places, stack)
        for worker, place in zip(workers, places, strict=True):
            worker.send(_train, job, path, resume, place, interpreted, secret, emits=True)
        measured = _collect(workers, on_progress or _silent)
        startup_s = max(worker.startup_s for worker in workers)
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


def _places(job: Job) -> Sequence[Place | None]:
    """Each worker's place among the others; a single worker has none."""
    if job.workers == 1:
        return [None]
    data = load_data(job)
    return places_for(job, build_model(job, data), len(data.train))


def _start(places: Sequence[Place | None], stack: ExitStack) -> list[Worker]:
    """One worker for each place, all ended when `stack` is left."""
    try:
        return [
            stack.enter_context(
                Worker(preload=[__name__], inherit=place.descriptors if place else ())
            )
            for place in places
        ]
    finally:
        close_places([place for place in places if place])


def _collect(workers: Sequence[Worker], on_progress: Callable[[Progress], None]) -> dict[str, Any]:
    """Hear all workers to their end; returns the first one's answer, with the mean of all
    workers' times for exchanges.
    """
    answers: dict[int, Any] = {}
    places = {worker.connection: place for place, worker in enumerate(workers)}
    while len(answers) < len(workers):
        open_ones = [c for c, place in places.items() if place not in answers]
        for connection in wait(open_ones):
            place = places[connection]  # type: ignore[index]
            finished, value = workers[place].receive()
            if finished:
                answers[place] = value
            else:
                on_progress(value)
    shares = zip(*(answer["exchange_s"] for answer in answers.values()), strict=True)
    return answers[0] | {"exchange_s": tuple(float(np.mean(share)) for share in shares)}


def _silent(progress: Progress) -> None:
    """Take no note of progress."""


def _train(
    job: Job,
    checkpoint: Path,
    resume: bool,
    place: Place | None,
    interpreted: bool,
    secret: Secret | None,
    *,
    emit: Callable[[Progress], None],
) -> dict[str, Any]:
    """In a worker: train, and return the fields of a RealRun that training decides."""
    leads = place is None or place.rank == 0
    outcome = run_job(
        job,
        on_progress=_throttled(emit) if leads else None,
        checkpoint=checkpoint,
        resume=resume,
        place=place,
        secret=secret,
    )
    history, data = outcome.history, outcome.data
    return {
        "step_s": tuple(history.step_s),
        "losses": tuple(history.losses),
        "epochs": tuple(history.epochs),
        "exchange_s": tuple(history.exchange_s),
        "exchanged": tuple(history.exchanged),
        "evaluations": tuple(history.evaluations),
        "metrics": outcome.figures,
        "loss_name": outcome.model.loss.name,
        "metric_name": HEADLINES[data.task],
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
        "notes": (outcome.notice,) if outcome.notice else (),
        "data_source": data.source,
        "interpretation": (
            interpret(outcome.model, data, job.seed)
            if interpreted and leads and outcome.stopped != "diverged"
            else {}
        ),
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

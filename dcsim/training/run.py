"""Trains one job from its data to its final figures, with checkpoints on the way."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from dcsim.protection.keys import Secret
from dcsim.records import Fault, InputError
from dcsim.records.operators import OperatorCall
from dcsim.training.base import Array
from dcsim.training.baselines import baselines
from dcsim.training.checkpoint import read_arrays, write_arrays
from dcsim.training.data import Dataset
from dcsim.training.jobs import Job, build_model, load_data
from dcsim.training.loop import FIGURES, History, Progress, Trainer
from dcsim.training.model import Model
from dcsim.training.parallel import trainer_for, worker_operators
from dcsim.training.places import Place
from dcsim.training.tracing import trace_batch

#: Seconds of training that a kill may cost; a disk that is written to all the time would
#: slow the steps down.
CHECKPOINT_EVERY_S = 4.0
#: Parameters that may differ between a checkpoint and the run that goes on from it.
_MAY_CHANGE = frozenset(
    ("epochs", "max_steps", "target_metric", "target", "workers", "parallel", "micro_batches")
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished training run; times in seconds, `checkpoint_s` that of the last one.

    `notice` says why it did not go on from the last checkpoint, where it did not.
    """

    job: Job
    model: Model
    data: Dataset
    history: History
    figures: dict[str, float]
    stopped: str
    load_s: float
    checkpoint_s: float
    checkpoint_bytes: int
    notice: str = ""


def run_job(
    job: Job,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    place: Place | None = None,
    secret: Secret | None = None,
) -> Outcome:
    """Train `job`; returns its history and its figures on validation and test data.

    With `checkpoint`, the state is written there every few seconds and at the end, encrypted
    where there is a `secret`; with `resume` too, training goes on from it (from the one
    before it, where it is damaged) and ends as if it had never stopped, bit for bit. Raises
    InputError when no checkpoint can be read, or it is of another job.

    With `place`, this process is one of several that train the job together: all of them must
    call this with the same job, and rank 0 writes the checkpoint.
    """
    start = perf_counter()
    data = load_data(job)
    _check_target(job, data)
    model = build_model(job, data)
    load_s = perf_counter() - start
    trainer = trainer_for(model, data, job, place)
    notice = restore(trainer, job, checkpoint, secret) if resume and checkpoint else ""
    own = checkpoint if place is None or place.rank == 0 else None
    saver = _Saver(trainer, job, own, secret)
    stopped = trainer.run(on_progress, saver.save_if_due)
    saver.save()
    figures = trainer.final_figures() | baselines(data)
    return Outcome(
        job,
        model,
        data,
        trainer.history,
        figures,
        stopped,
        load_s,
        saver.seconds,
        saver.size,
        notice,
    )


def _check_target(job: Job, data: Dataset) -> None:
    """Refuse a target on a figure that this kind of data is not judged by."""
    known = FIGURES[data.task]
    if job.target_metric and job.target_metric not in known:
        raise InputError(
            Fault(
                f"{job.target_metric} is not measured on {data.name}; take {', '.join(known)}",
                field=f"{job.name}.target_metric",
            )
        )


class _Saver:
    """Writes the checkpoint of a run and remembers what that took."""

    def __init__(
        self, trainer: Trainer, job: Job, path: Path | None, secret: Secret | None
    ) -> None:
        self.trainer, self.job, self.path, self.secret = trainer, job, path, secret
        self.seconds, self.size = 0.0, 0
        self._latest = perf_counter()

    def save_if_due(self) -> None:
        """Write the state unless that was done a moment ago."""
        due = self.path is not None and perf_counter() - self._latest >= CHECKPOINT_EVERY_S
        if self.trainer.agree(due):
            self.save()

    def save(self) -> None:
        """Write the trainer's state, replacing the one before; nothing without a path."""
        self.trainer.gather()
        if self.path is None:
            return
        start = perf_counter()
        state: dict[str, Array] = {"job": np.array(_identity(self.job)), **self.trainer.state()}
        self.size = write_arrays(self.path, state, self.secret)
        self._latest = perf_counter()
        self.seconds = self._latest - start


def restore(trainer: Trainer, job: Job, path: Path, secret: Secret | None = None) -> str:
    """Bring a trainer to the state of a checkpoint of the same job.

    Returns why that is not the last one, as `read_arrays` does; raises InputError.
    """
    state, notice = read_arrays(path, secret)
    if str(state.get("job")) != _identity(job):
        raise InputError(
            Fault(
                f"is not a checkpoint of {job.name} with these parameters; only epochs, steps, "
                "target and workers may change when resuming",
                str(path),
            )
        )
    try:
        trainer.load(state)
    except (KeyError, ValueError, TypeError):
        raise InputError(Fault("is damaged", str(path))) from None
    return notice


def _identity(job: Job) -> str:
    """What must agree between a checkpoint and the run that goes on from it."""
    kept = {key: value for key, value in job.parameters().items() if key not in _MAY_CHANGE}
    return json.dumps({"name": job.name, **kept}, sort_keys=True)


def step_operators(job: Job, model: Model, data: Dataset) -> list[OperatorCall]:
    """The NumPy calls of one full training step: picking a batch, then the model's own.

    With several workers they are those of the first, its exchanges with the others aside.
    """
    batch = min(job.batch_size, len(data.train))
    rows = math.ceil(batch / job.workers) if job.parallel == "data" else batch
    columns = [(array.shape[1:], array.dtype) for array in (data.train.x, data.train.t)]
    return trace_batch(columns, rows) + worker_operators(job, model, batch)

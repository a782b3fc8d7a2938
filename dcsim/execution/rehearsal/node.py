"""What a node of the rehearsed cluster does: one rank of one training job at a time."""

from __future__ import annotations

import io
import math
import os
import pickle
from collections.abc import Collection
from dataclasses import dataclass
from time import thread_time

import numpy as np

from dcsim.execution.rehearsal.gang import Gang
from dcsim.execution.rehearsal.storage import SharedStorage
from dcsim.records.operators import OperatorCall
from dcsim.training.data import Dataset
from dcsim.training.jobs import Job, build_model, load_data
from dcsim.training.loop import Trainer
from dcsim.training.parallel import trainer_for
from dcsim.training.places import Place
from dcsim.training.run import step_operators
from dcsim.workers.ring import Ring

#: Bytes that one step adds to the history in a checkpoint.
HISTORY_BYTES_PER_STEP = 50.0


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a job without running it; sizes in bytes.

    `operators` are the NumPy calls of one rank's step. In `steps` steps there are
    `evaluations` looks at the `validation_rows` of validation data, each of
    `evaluation_passes` times the calls `evaluation` and the figures of `task`. `values` are
    what the ranks sum in a step.
    """

    operators: tuple[OperatorCall, ...]
    evaluation: tuple[OperatorCall, ...]
    evaluation_passes: float
    validation_rows: int
    task: str
    steps: int
    steps_per_epoch: int
    data_bytes: int
    checkpoint_bytes: float
    values: int
    dtype: str

    @property
    def evaluations(self) -> int:
        """One at the end of every epoch, and of the run."""
        return math.ceil(self.steps / self.steps_per_epoch)


@dataclass(frozen=True, slots=True)
class Task:
    """One rank of a job on one node; a checkpoint follows every `save_every` steps."""

    name: str
    job: Job
    save_every: int
    rank: int = 0
    gang: Gang | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a rank has to say at the end, of the stretch since its last start.

    `computed_steps` took `processor_s` of the rank's processor time, evaluations included
    and checkpoints not; `losses` are those of all steps of the job.
    """

    computed_steps: int
    processor_s: float
    losses: tuple[float, ...]


def claim_memory(size_bytes: int) -> None:
    """Have the system hand over so much memory, which the allocator of a worker then keeps.

    Touching a page for the first time costs as much as computing on it for a while, and
    would fall on whichever job comes first to a fresh process.
    """
    np.ones(size_bytes, dtype=np.uint8)


def pin(processors: Collection[int]) -> None:
    """From now on run only on these processors, where the system can be told so."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, processors)


def data_name(job: Job) -> str:
    """The file in which the storage keeps the job's data."""
    context = f"-{job.context}" if job.network in ("transformer", "encoder") else ""
    return f"data-{job.data}-{job.dtype}{context}"


def checkpoint_name(name: str) -> str:
    """The file in which the storage keeps the state of a job."""
    return f"checkpoint-{name}"


def look_at(jobs: list[Job], storage: SharedStorage) -> list[Shape]:
    """The shape of each job; what its data are is left on the storage, unhurried."""
    data: dict[str, Dataset] = {}
    for job in jobs:
        name = data_name(job)
        if name not in data:
            data[name] = load_data(job)
            (storage.directory / name).write_bytes(pickle.dumps(data[name]))
    return [_shape(job, data[data_name(job)], storage) for job in jobs]


def _shape(job: Job, data: Dataset, storage: SharedStorage) -> Shape:
    model = build_model(job, data)
    trainer = Trainer(model, data, job.schedule())
    steps = trainer.steps
    # `Model.evaluate` goes through the validation data in batches of this size.
    rows = min(len(data.validation), 256)
    looking = [call for call in model.operators(rows) if call.phase in ("forward", "loss")]
    return Shape(
        operators=tuple(step_operators(job, model, data)),
        evaluation=tuple(looking),
        evaluation_passes=len(data.validation) / rows,
        validation_rows=len(data.validation),
        task=data.task,
        steps=steps,
        steps_per_epoch=trainer.batches,
        data_bytes=(storage.directory / data_name(job)).stat().st_size,
        checkpoint_bytes=len(_packed(trainer)) + HISTORY_BYTES_PER_STEP * steps / 2.0,
        values=model.parameter_count + 1,
        dtype=model.dtype.name,
    )


def _packed(trainer: Trainer) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **trainer.state())  # type: ignore[arg-type]
    return buffer.getvalue()


def train(task: Task, storage: SharedStorage) -> Report:
    """Train a job, from its last checkpoint if there is one, to its end."""
    if task.gang is None:
        return _train(task, storage, None)
    with task.gang.join(task.rank) as ring:
        return _train(task, storage, ring)


def _train(task: Task, storage: SharedStorage, ring: Ring | None) -> Report:
    data = pickle.loads(storage.read(data_name(task.job)))
    place = None if ring is None else Place("data", ring)
    trainer = trainer_for(build_model(task.job, data), data, task.job, place)
    checkpoint = checkpoint_name(task.name)
    if storage.has(checkpoint):
        with np.load(io.BytesIO(storage.read(checkpoint)), allow_pickle=False) as stored:
            trainer.load({name: stored[name] for name in stored.files})
    first, saving_s = len(trainer.history.losses), 0.0

    def save() -> None:
        nonlocal saving_s
        begun = thread_time()
        if task.rank == 0:
            storage.write(checkpoint, _packed(trainer))
        saving_s += thread_time() - begun

    def save_if_due() -> None:
        step = len(trainer.history.losses)
        if step % task.save_every == 0 and step < trainer.steps:
            save()

    begun = thread_time()
    trainer.run(None, save_if_due)
    processor_s = thread_time() - begun - saving_s
    save()
    losses = tuple(trainer.history.losses)
    return Report(len(losses) - first, processor_s, losses)

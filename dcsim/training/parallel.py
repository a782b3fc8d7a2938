"""Training by several workers: who stands where, and how data parallel ones share a batch."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from time import perf_counter

import numpy as np

from dcsim.records.operators import OperatorCall
from dcsim.training.base import Array
from dcsim.training.data import Dataset, Part
from dcsim.training.jobs import Job
from dcsim.training.loop import Schedule, Trainer
from dcsim.training.model import Model, flatten
from dcsim.training.pipeline import (
    PipelineTrainer,
    layer_shapes,
    pipeline_places,
    stage_cuts,
    stage_share,
)
from dcsim.training.places import Place
from dcsim.training.private import Privacy, PrivateTrainer
from dcsim.training.split import Share
from dcsim.training.tensor_parallel import TensorTrainer, as_it_is, tensor_share
from dcsim.training.tracing import trace_loss, trace_update
from dcsim.workers.ring import Ring, make_ring


class ParallelTrainer(Trainer):
    """A Trainer that is one rank of several, all with the same weights at every step.

    With R ranks, rank r computes the gradient gᵣ on rows r, r + R, r + 2R, … of a batch of B;
    the sum over ranks of (Bᵣ / B) gᵣ is the gradient of the whole batch, so that the run
    follows that of one process but for rounding (and for dropout, which each rank draws).
    """

    def __init__(self, model: Model, data: Dataset, schedule: Schedule, ring: Ring) -> None:
        super().__init__(model, data, schedule)
        self.ring = ring

    def _learn(self, train: Part, rows: Array) -> float:
        own = rows[self.ring.rank :: self.ring.size]
        model, summand = self.model, self.ring.mine
        share = len(own) / len(rows)
        if share:
            summand[-1] = model.gradient(train.x[own], train.t[own]) * share
            np.multiply(model.grad, share, out=summand[:-1])
        else:
            summand[:] = 0.0
        start = perf_counter()
        self.ring.all_reduce()
        self.history.exchange_s.append(perf_counter() - start)
        self.history.exchanged = [summand.size]
        model.grad[...] = summand[:-1]
        model.optimiser.step(model.value, model.grad)
        return float(summand[-1])


def trainer_for(model: Model, data: Dataset, job: Job, place: Place | None) -> Trainer:
    """A Trainer for this process alone, or for its place among several."""
    schedule = job.schedule()
    if job.clip:
        privacy = Privacy(job.noise, job.clip, poisson=job.sampling == "poisson")
        return PrivateTrainer(model, data, schedule, privacy)
    if place is None:
        return Trainer(model, data, schedule)
    if place.kind == "tensor":
        return TensorTrainer(model, data, schedule, place)
    if place.kind == "pipeline":
        return PipelineTrainer(model, data, schedule, place, job.micro_batches)
    return ParallelTrainer(model, data, schedule, place.ring)


def places_for(job: Job, model: Model, samples: int) -> list[Place]:
    """The places of the job's workers, which train `model` on `samples` samples.

    Raises InputError when the network cannot be split over so many.
    """
    if job.parallel == "pipeline":
        batch = min(job.batch_size, samples)
        return pipeline_places(model, job.workers, job.micro_batches, batch)
    rings = make_ring(job.workers, model.parameter_count + 1, model.dtype)
    if job.parallel == "tensor":
        tensor_share(model, 0, job.workers, as_it_is)
    return [Place(job.parallel, ring) for ring in rings]


def worker_operators(job: Job, model: Model, batch: int) -> list[OperatorCall]:
    """The NumPy calls of the first worker in one training step on `batch` samples.

    Exchanges with the others, and what a pipeline needs to add micro-batches up, are not in.
    """
    if job.workers == 1 or job.parallel == "data":
        return model.operators(math.ceil(batch / job.workers))
    if job.parallel == "tensor":
        return _shared(model, tensor_share(model, 0, job.workers, as_it_is)).operators(batch)
    return stage_operators(model, stage_cuts(model, job.workers), 0, job.micro_batches, batch)


def stage_operators(
    model: Model, cuts: tuple[int, ...], stage: int, micro_batches: int, batch: int
) -> list[OperatorCall]:
    """The NumPy calls of one stage of a pipeline in a step on `batch` samples."""
    share = stage_share(model, cuts, stage)
    rows = math.ceil(batch / micro_batches)
    shapes = layer_shapes(model)
    dtype = np.int64 if stage == 0 and model.vocabulary else model.dtype.type
    passes = share.network.operators((rows, *shapes[(0, *cuts)[stage]]), dtype)
    if stage == len(cuts):
        passes += trace_loss(model, shapes[-1], rows)
    calls = [replace(call, count=call.count * math.ceil(batch / rows)) for call in passes]
    return calls + trace_update(_shared(model, share))


def _shared(model: Model, share: Share) -> Model:
    """A model of one rank's share alone, with the loss and the optimiser of the whole."""
    own = copy.copy(model)
    own.network = share.network
    own.value, own.grad, decays = flatten(share.network)
    own.optimiser = copy.copy(model.optimiser)
    own.optimiser.attach(own.value, decays)
    return own

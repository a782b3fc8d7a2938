"""Data-parallel training: each rank takes a share of every batch, gradients meet in a ring."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from dcsim.training.base import Array
from dcsim.training.data import Dataset, Part
from dcsim.training.loop import Schedule, Trainer
from dcsim.training.model import Model
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
        model.grad[...] = summand[:-1]
        model.optimiser.step(model.value, model.grad)
        return float(summand[-1])


def trainer_for(model: Model, data: Dataset, schedule: Schedule, ring: Ring | None) -> Trainer:
    """A Trainer for this process alone, or for its place in a ring."""
    if ring is None:
        return Trainer(model, data, schedule)
    return ParallelTrainer(model, data, schedule, ring)


def ring_for(model: Model, ranks: int) -> list[Ring]:
    """A ring for the gradient of `model` and, as one more value, the loss."""
    return make_ring(ranks, model.parameter_count + 1, model.dtype)

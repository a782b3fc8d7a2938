"""Differentially private training, DP-SGD: Abadi et al. 2016, algorithm 1.

Each step takes every example with probability q = B / n by itself (Poisson sampling, which is
what the accountant assumes), clips its gradient to the norm C, sums, adds Gaussian noise of
deviation σ C, and divides by the expected batch B. The optimiser then does what it likes: what
follows the noise spends no privacy.

Noise comes from a seeded NumPy generator, so that a run can be repeated: whoever knows the
seed can take the noise off again. Measure with it; release nothing trained with a known seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dcsim.training.base import Array
from dcsim.training.data import Dataset, Part
from dcsim.training.example_gradients import MOST_BYTES, example_gradients
from dcsim.training.loop import Schedule, Trainer
from dcsim.training.model import Model

#: Streams of random numbers, after the run's seed: 2 orders batches in `loop`.
_SAMPLES, _NOISE = 5, 6


@dataclass(frozen=True, slots=True)
class Privacy:
    """`noise` σ is in units of `clip` C; C inf clips nothing. `poisson` False shuffles.

    Without Poisson sampling the run has the batches of plain training, and no epsilon.
    """

    noise: float
    clip: float
    poisson: bool = True


class PrivateTrainer(Trainer):
    """A Trainer whose steps are those of DP-SGD; stops and goes on as any other."""

    def __init__(self, model: Model, data: Dataset, schedule: Schedule, privacy: Privacy) -> None:
        super().__init__(model, data, schedule)
        self.privacy = privacy
        self._buffer = np.empty((0, model.parameter_count), model.dtype)

    @property
    def expected_batch(self) -> int:
        """The batch that sums are divided by, whatever a step happens to draw."""
        return min(self.schedule.batch_size, len(self.data.train))

    def _remaining(self) -> Iterator[tuple[int, Array, bool]]:
        n, share = len(self.data.train), self.expected_batch / len(self.data.train)
        step = len(self.history.losses)
        for epoch, rows, last in super()._remaining():
            if self.privacy.poisson:
                rng = np.random.default_rng([self.schedule.seed, _SAMPLES, step])
                rows = np.flatnonzero(rng.random(n) < share)
            yield epoch, rows, last
            step += 1

    def _learn(self, train: Part, rows: Array) -> float:
        loss, total = self._clipped_sum(train, rows)
        model, privacy = self.model, self.privacy
        if privacy.noise:
            step = len(self.history.losses)
            rng = np.random.default_rng([self.schedule.seed, _NOISE, step])
            total += rng.standard_normal(total.size) * (privacy.noise * privacy.clip)
        # A shuffled batch is as large as it is: with neither noise nor clipping, plain SGD.
        batch = self.expected_batch if privacy.poisson else len(rows)
        model.grad[...] = total / batch
        model.optimiser.step(model.value, model.grad)
        return loss

    def _clipped_sum(self, train: Part, rows: Array) -> tuple[float, Array]:
        """The mean loss and the sum of clipped gradients; 0 and zeros for no examples."""
        model, total, loss = self.model, np.zeros(self.model.parameter_count), 0.0
        width = max(int(MOST_BYTES // (model.parameter_count * model.dtype.itemsize)), 1)
        for start in range(0, len(rows), width):
            part = rows[start : start + width]
            if len(self._buffer) < len(part):
                self._buffer = np.empty((len(part), model.parameter_count), model.dtype)
            each = self._buffer[: len(part)]
            loss += len(part) * example_gradients(model, train.x[part], train.t[part], each)
            total += clipping_factors(each, self.privacy.clip) @ each
        return loss / max(len(rows), 1), total


def clipping_factors(gradients: Array, clip: float) -> Array:
    """min(1, C / ‖gᵢ‖) for the rows gᵢ of gradients (B, n)."""
    if math.isinf(clip):
        return np.ones(len(gradients), gradients.dtype)
    norms = np.sqrt(np.einsum("bp,bp->b", gradients, gradients))
    return clip / np.maximum(norms, clip)

"""A network with its loss and optimiser: the thing that takes a training step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dcsim.records.operators import OperatorCall
from dcsim.training.base import Array, Layer
from dcsim.training.losses import CategoricalCrossEntropy, Loss
from dcsim.training.optimisers import Optimiser


def flatten(network: Layer) -> tuple[Array, Array, Array]:
    """Move all parameters into one vector; each parameter becomes a view of its part.

    Returns `(value, grad, decays)`, each (n,): an optimiser updates all in one pass, a
    checkpoint is one array, and an all-reduce has one buffer.
    """
    parameters = list(network.parameters())
    size = sum(p.value.size for p in parameters)
    dtype = parameters[0].value.dtype
    value, grad, decays = np.empty(size, dtype), np.zeros(size, dtype), np.zeros(size, dtype)
    start = 0
    for p in parameters:
        part, shape = slice(start, start + p.value.size), p.value.shape
        value[part] = p.value.reshape(-1)
        decays[part] = p.decays
        p.value, p.grad = value[part].reshape(shape), grad[part].reshape(shape)
        start = part.stop
    return value, grad, decays


def _ignore(phase: str) -> None:
    """Take no note of the phase of a step."""


class Model:
    """A network, its loss and its optimiser.

    `sample_shape` is the shape of one input without the batch axis; `vocabulary` is 0 for
    real-valued inputs, else inputs are ids below it; `output` is the number of classes or
    values that the network puts out, at each place of the input where `per_place`.
    """

    def __init__(
        self,
        network: Layer,
        loss: Loss,
        optimiser: Optimiser,
        *,
        sample_shape: tuple[int, ...],
        output: int,
        vocabulary: int = 0,
        per_place: bool = False,
    ) -> None:
        self.network, self.loss, self.optimiser = network, loss, optimiser
        self.sample_shape, self.output, self.vocabulary = sample_shape, output, vocabulary
        self.per_place = per_place
        self.value, self.grad, decays = flatten(network)
        optimiser.attach(self.value, decays)

    @property
    def dtype(self) -> np.dtype:
        """The type in which the network computes."""
        return self.value.dtype

    @property
    def parameter_count(self) -> int:
        """The number of trainable values."""
        return int(self.value.size)

    def step(self, x: Array, t: Array, mark: Callable[[str], None] = _ignore) -> float:
        """One training step on inputs x (B, *sample_shape) and targets t; returns the loss.

        `mark` is told the name of each phase as it begins.
        """
        value = self.gradient(x, t, mark)
        mark("update")
        self.optimiser.step(self.value, self.grad)
        return value

    def gradient(self, x: Array, t: Array, mark: Callable[[str], None] = _ignore) -> float:
        """The loss on a batch, its gradient left in `grad`; parameters stay as they are."""
        mark("forward")
        z = self.network.forward(x, training=True)
        mark("loss")
        value = self.loss.forward(z, t)
        dz = self.loss.backward()
        mark("backward")
        self.network.backward(dz)
        return value

    def evaluate(self, x: Array, t: Array, batch: int = 256) -> tuple[float, Array]:
        """The mean loss and the predictions over x (N, ...) and t (N, ...), without dropout.

        Computed in batches, so that memory does not grow with N.
        """
        total, predictions = 0.0, []
        for start in range(0, len(x), batch):
            rows = slice(start, start + batch)
            z = self.network.forward(x[rows], training=False)
            total += self.loss.forward(z, t[rows]) * len(z)
            predictions.append(self.loss.predict(z))
        return total / len(x), np.concatenate(predictions)

    def random_batch(self, batch: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Inputs and targets of the right shapes and types with random content."""
        (x_shape, x_dtype), (t_shape, t_dtype) = self.batch_form()
        size = (batch, *x_shape)
        x: Array = (
            rng.integers(0, self.vocabulary, size) if self.vocabulary else rng.normal(size=size)
        )
        t = rng.integers(0, max(self.output, 2), (batch, *t_shape))
        if t_dtype.kind == "f":
            t %= 2
        return x.astype(x_dtype), t.astype(t_dtype)

    def batch_form(self) -> tuple[tuple[tuple[int, ...], np.dtype], ...]:
        """Shape without the batch axis and type, of the inputs and of the targets."""
        ids = np.dtype(np.int64)
        inputs = (self.sample_shape, ids if self.vocabulary else self.dtype)
        if isinstance(self.loss, CategoricalCrossEntropy):
            return inputs, (self.sample_shape if self.per_place else (), ids)
        return inputs, ((self.output,), self.dtype)

    def operators(self, batch: int) -> list[OperatorCall]:
        """The NumPy calls of one training step with `batch` samples, equal ones grouped."""
        from dcsim.training.tracing import trace_step

        return trace_step(self, batch)

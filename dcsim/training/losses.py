"""Losses, each on what the network puts out, averaged over the rows of the batch.

The cross-entropies take logits: fusing them with sigmoid or softmax keeps the logarithm
finite and gives the gradient p - t. `predict` maps the network's output to a prediction.
"""

from __future__ import annotations

import numpy as np

from dcsim.training.activations import sigmoid, softmax
from dcsim.training.base import Array


class Loss:
    """A scalar function L(z, t) of outputs z and targets t."""

    name = ""

    def forward(self, z: Array, t: Array) -> float:
        """L for outputs z and targets t."""
        raise NotImplementedError

    def backward(self) -> Array:
        """dL/dz of the latest forward pass, in the shape of z."""
        raise NotImplementedError

    def predict(self, z: Array) -> Array:
        """The prediction that belongs to outputs z: itself, or probabilities."""
        return z


class MeanSquaredError(Loss):
    """L = mean (z - t)²; dL/dz = 2 (z - t) / size; z and t of one shape."""

    name = "mean squared error"

    def forward(self, z: Array, t: Array) -> float:
        """The mean over all elements."""
        self._difference = z - t
        return float(np.mean(self._difference * self._difference))

    def backward(self) -> Array:
        """2 (z - t) / size."""
        return self._difference * (2.0 / self._difference.size)


class BinaryCrossEntropy(Loss):
    """L = mean(max(z, 0) - z t + log(1 + e^-|z|)), which is -t log p - (1-t) log(1-p).

    z (n, 1) logits, t (n, 1) in [0, 1], p = σ(z); dL/dz = (p - t) / size.
    """

    name = "binary cross-entropy"

    def forward(self, z: Array, t: Array) -> float:
        """The mean over all elements, in nats."""
        self._z, self._t = z, t
        return float(np.mean(np.maximum(z, 0.0) - z * t + np.log1p(np.exp(-np.abs(z)))))

    def backward(self) -> Array:
        """(σ(z) - t) / size."""
        return (sigmoid(self._z) - self._t) * (1.0 / self._z.size)

    def predict(self, z: Array) -> Array:
        """The probability of class 1, shape of z."""
        return sigmoid(z)


class CategoricalCrossEntropy(Loss):
    """L = mean over rows of -Σₖ tₖ log pₖ, p = softmax(z), z (..., K) logits.

    t is either soft targets (..., K) that sum to one, or class numbers (...).
    dL/dz = (p - t) / rows.
    """

    name = "categorical cross-entropy"

    def forward(self, z: Array, t: Array) -> float:
        """The mean over rows, in nats; log p = z - max z - log Σ e^(z - max z)."""
        self._shape = z.shape
        z = z.reshape(-1, z.shape[-1])
        shifted = z - np.max(z, axis=-1, keepdims=True)
        exponent = np.exp(shifted)
        total = np.sum(exponent, axis=-1, keepdims=True)
        self._p = exponent / total
        if t.dtype.kind == "f":
            self._soft, t = True, t.reshape(z.shape)
            own = np.sum(t * shifted, axis=-1)
        else:
            self._soft, t = False, t.reshape(-1)
            own = shifted[np.arange(z.shape[0], like=z), t]
        self._t = t
        return float(np.mean(np.log(total[:, 0]) - own))

    def backward(self) -> Array:
        """(p - t) / rows, in the shape of z; to be called once for each forward pass."""
        rows = self._p.shape[0]
        dz = self._p
        if self._soft:
            dz -= self._t
        else:
            dz[np.arange(rows, like=dz), self._t] -= 1.0
        dz *= 1.0 / rows
        return dz.reshape(self._shape)

    def predict(self, z: Array) -> Array:
        """The probability of each class, shape of z."""
        return softmax(z)


LOSSES: dict[str, type[Loss]] = {
    "mse": MeanSquaredError,
    "binary": BinaryCrossEntropy,
    "categorical": CategoricalCrossEntropy,
}

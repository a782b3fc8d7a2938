"""The layers that networks are built from, each backward pass beside its forward pass.

Shapes: `...` stands for any leading axes, which a layer treats as one axis of rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dcsim.training.base import Array, Layer, Parameter
from dcsim.training.initialisers import INITIALISERS


class Dense(Layer):
    """y = x w + b with x (..., n_in), w (n_in, n_out), b (n_out,), y (..., n_out)."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        rng: np.random.Generator,
        *,
        init: str = "glorot",
        dtype: type[np.floating] = np.float64,
    ) -> None:
        self.w = Parameter(INITIALISERS[init](rng, n_in, n_out, dtype), decays=True)
        self.b = Parameter(np.zeros(n_out, dtype))

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """(..., n_in) to (..., n_out)."""
        self._rows = x.reshape(-1, x.shape[-1])
        y = self._rows @ self.w.value
        y += self.b.value
        return y.reshape(*x.shape[:-1], y.shape[-1])

    def backward(self, dy: Array) -> Array:
        """dL/dw = xᵀ dy, dL/db = Σ_rows dy, dL/dx = dy wᵀ."""
        rows = dy.reshape(-1, dy.shape[-1])
        np.matmul(self._rows.T, rows, out=self.w.grad)
        np.sum(rows, axis=0, out=self.b.grad)
        dx = rows @ self.w.value.T
        return dx.reshape(*dy.shape[:-1], dx.shape[-1])


class Embedding(Layer):
    """y = table[token], token ids (...) to vectors (..., width); table (vocabulary, width)."""

    def __init__(
        self,
        vocabulary: int,
        width: int,
        rng: np.random.Generator,
        *,
        dtype: type[np.floating] = np.float64,
    ) -> None:
        self.table = Parameter(INITIALISERS["normal"](rng, vocabulary, width, dtype))

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """Integer ids (...) to vectors (..., width)."""
        self._ids = x.reshape(-1)
        return self.table.value[self._ids].reshape(*x.shape, self.table.value.shape[1])

    def backward(self, dy: Array) -> Array:
        """dL/dtable[i] = Σ dy where token = i; ids have no gradient: returns an empty array."""
        grad = self.table.grad
        grad[...] = 0.0
        np.add.at(grad, self._ids, dy.reshape(-1, dy.shape[-1]))
        return dy[:0]


class Positions(Layer):
    """y = x + table[:T], a learned vector for each place; x (B, T, width), T <= context."""

    def __init__(
        self,
        context: int,
        width: int,
        rng: np.random.Generator,
        *,
        dtype: type[np.floating] = np.float64,
    ) -> None:
        self.table = Parameter(INITIALISERS["normal"](rng, context, width, dtype))

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """(B, T, width) to the same shape."""
        self._length = x.shape[1]
        return x + self.table.value[: self._length]

    def backward(self, dy: Array) -> Array:
        """dL/dtable[:T] = Σ_batch dy, places beyond T get none; dL/dx = dy."""
        np.sum(dy, axis=0, out=self.table.grad[: self._length])
        self.table.grad[self._length :] = 0.0
        return dy


class LayerNorm(Layer):
    """y = g x̂ + b, x̂ = (x - mean) / sqrt(var + ε) over the last axis; Ba et al. 2016."""

    EPSILON = 1e-5

    def __init__(self, width: int, *, dtype: type[np.floating] = np.float64) -> None:
        self.gain = Parameter(np.ones(width, dtype))
        self.bias = Parameter(np.zeros(width, dtype))

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """(..., width) to the same shape."""
        centred = x - np.mean(x, axis=-1, keepdims=True)
        variance = np.mean(centred * centred, axis=-1, keepdims=True)
        self._inverse = 1.0 / np.sqrt(variance + self.EPSILON)
        self._normal = centred * self._inverse
        return self._normal * self.gain.value + self.bias.value

    def backward(self, dy: Array) -> Array:
        """dL/dx = (dx̂ - mean(dx̂) - x̂ mean(dx̂ x̂)) / sqrt(var + ε) with dx̂ = g dy."""
        normal = self._normal
        leading = tuple(range(dy.ndim - 1))
        np.sum(dy * normal, axis=leading, out=self.gain.grad)
        np.sum(dy, axis=leading, out=self.bias.grad)
        dn = dy * self.gain.value
        shift = np.mean(dn, axis=-1, keepdims=True)
        tilt = np.mean(dn * normal, axis=-1, keepdims=True)
        return self._inverse * (dn - shift - normal * tilt)


class Dropout(Layer):
    """y = x m / (1 - rate), m ~ Bernoulli(1 - rate) while training; y = x otherwise.

    Srivastava et al. 2014, in the inverted form.
    """

    def __init__(self, rate: float, rng: np.random.Generator) -> None:
        self.rate = rate
        self.rng = rng
        self._kept: Array | None = None

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """Any shape to the same shape."""
        if not training or self.rate == 0.0:
            self._kept = None
            return x
        kept = (self.rng.random(x.shape, dtype=x.dtype) >= self.rate).astype(x.dtype)
        kept *= 1.0 / (1.0 - self.rate)
        self._kept = kept
        return x * kept

    def backward(self, dy: Array) -> Array:
        """dL/dx = dy m / (1 - rate)."""
        return dy if self._kept is None else dy * self._kept


class Flatten(Layer):
    """(B, ...) to (B, everything else)."""

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """(B, a, b, ...) to (B, a·b·...)."""
        self._shape = x.shape
        return x.reshape(x.shape[0], -1)

    def backward(self, dy: Array) -> Array:
        """The gradient in the shape of the input."""
        return dy.reshape(self._shape)


class Sequential(Layer):
    """y = fₙ(… f₂(f₁(x))); dL/dx by the chain rule, last layer first."""

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers

    def children(self) -> tuple[Layer, ...]:
        """The layers, first to last."""
        return self.layers

    def forward(self, x: Any, *, training: bool = True) -> Array:
        """The input of the first layer to the output of the last."""
        for layer in self.layers:
            x = layer.forward(x, training=training)
        return x

    def backward(self, dy: Array) -> Array:
        """dL/dx of the first layer."""
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy


class Residual(Layer):
    """y = x + f(x); dL/dx = dy + f'(dy). He et al. 2016."""

    def __init__(self, branch: Layer) -> None:
        self.branch = branch

    def children(self) -> tuple[Layer, ...]:
        """The branch f."""
        return (self.branch,)

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """Any shape that f keeps."""
        return x + self.branch.forward(x, training=training)

    def backward(self, dy: Array) -> Array:
        """The gradient through both ways."""
        return dy + self.branch.backward(dy)

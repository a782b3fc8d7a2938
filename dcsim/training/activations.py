"""Element-wise non-linearities and softmax, each derivative beside its function."""

from __future__ import annotations

import numpy as np

from dcsim.training.base import Array, Layer


def sigmoid(x: Array) -> Array:
    """σ(x) = 1 / (1 + e⁻ˣ), written as (1 + tanh(x/2)) / 2, which cannot overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def softmax(x: Array) -> Array:
    """yᵢ = e^(xᵢ - max x) / Σⱼ e^(xⱼ - max x) along the last axis."""
    y = np.exp(x - np.max(x, axis=-1, keepdims=True))
    y /= np.sum(y, axis=-1, keepdims=True)
    return y


def softmax_backward(y: Array, dy: Array) -> Array:
    """dL/dxᵢ = yᵢ · (dyᵢ - Σⱼ dyⱼ yⱼ), from ∂yⱼ/∂xᵢ = yⱼ (δᵢⱼ - yᵢ)."""
    return y * (dy - np.sum(dy * y, axis=-1, keepdims=True))


class ReLU(Layer):
    """y = max(x, 0); dy/dx = 1 where x > 0, else 0."""

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """Any shape to the same shape."""
        self._x = x
        return np.maximum(x, 0.0)

    def backward(self, dy: Array) -> Array:
        """dL/dx = dy · [x > 0]."""
        return dy * (self._x > 0.0)


class Tanh(Layer):
    """y = tanh(x); dy/dx = 1 - y²."""

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """Any shape to the same shape."""
        self._y = np.tanh(x)
        return self._y

    def backward(self, dy: Array) -> Array:
        """dL/dx = dy · (1 - y²)."""
        return dy * (1.0 - self._y * self._y)


class Sigmoid(Layer):
    """y = σ(x); dy/dx = y (1 - y)."""

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """Any shape to the same shape."""
        self._y = sigmoid(x)
        return self._y

    def backward(self, dy: Array) -> Array:
        """dL/dx = dy · y (1 - y)."""
        return dy * self._y * (1.0 - self._y)


class Softmax(Layer):
    """y = softmax(x) along the last axis."""

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """Any shape to the same shape; the last axis sums to one."""
        self._y = softmax(x)
        return self._y

    def backward(self, dy: Array) -> Array:
        """dL/dx as in `softmax_backward`."""
        return softmax_backward(self._y, dy)


class GELU(Layer):
    """y = x/2 · (1 + tanh u), u = c (x + a x³); Hendrycks & Gimpel 2016, the tanh form.

    c = sqrt(2/π), a = 0.044715; dy/dx = (1 + tanh u)/2 + x/2 (1 - tanh² u) c (1 + 3 a x²).
    """

    C = float(np.sqrt(2.0 / np.pi))
    A = 0.044715

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """Any shape to the same shape."""
        self._x = x
        self._tanh = np.tanh(self.C * (x + self.A * (x * x * x)))
        return 0.5 * x * (1.0 + self._tanh)

    def backward(self, dy: Array) -> Array:
        """dL/dx = dy · dy/dx as above."""
        x, tanh = self._x, self._tanh
        slope = self.C * (1.0 + 3.0 * self.A * (x * x))
        return dy * (0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * slope)


ACTIVATIONS: dict[str, type[Layer]] = {
    "relu": ReLU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "gelu": GELU,
}

"""What a layer is: a forward pass, the matching backward pass, and its parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.records.operators import OperatorCall

Array = NDArray[Any]


class Parameter:
    """A trainable array and the gradient of the loss with respect to it (same shape)."""

    __slots__ = ("decays", "grad", "value")

    def __init__(self, value: Array, *, decays: bool = False) -> None:
        self.value = value
        self.grad = np.zeros_like(value)
        #: Whether weight decay applies: to weight matrices, not to biases and gains.
        self.decays = decays


class Layer:
    """One differentiable function y = f(x; parameters).

    `forward` keeps whatever `backward` needs; `backward` takes dL/dy (the shape of y),
    writes dL/dp into the `grad` of every parameter p, and returns dL/dx (the shape of x).
    A backward pass belongs to the latest forward pass with `training=True`.
    """

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """Return y for x; see each layer for the shapes."""
        raise NotImplementedError

    def backward(self, dy: Array) -> Array:
        """Return dL/dx for dL/dy and fill the gradients of the parameters."""
        raise NotImplementedError

    def children(self) -> tuple[Layer, ...]:
        """The layers that this one is made of, in the order of the forward pass."""
        return ()

    def walk(self) -> Iterator[Layer]:
        """This layer and every layer inside it, outermost first."""
        yield self
        for child in self.children():
            yield from child.walk()

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter, own ones first, then those of the children."""
        for layer in self.walk():
            for value in vars(layer).values():
                if isinstance(value, Parameter):
                    yield value

    def operators(
        self, shape: tuple[int, ...], dtype: type[np.generic] | None = None
    ) -> list[OperatorCall]:
        """The NumPy calls of one forward and one backward pass over an input of `shape`.

        Found by running the layer itself over arrays that record calls without computing,
        so the counts cannot drift from the code. `dtype` defaults to that of the parameters.
        """
        from dcsim.training.tracing import trace_layer

        return trace_layer(self, shape, dtype)

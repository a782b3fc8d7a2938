"""The gradient of each example by itself, in one backward pass over the whole batch.

What a layer's `backward` sums over the batch is here kept apart, by the same formula with the
batch as one more axis: for y = x w, dL/dw = xᵀ dy of one example is a small product, and those
of all examples are one batched product. Goodfellow, "Efficient Per-Example Gradient
Computations", 2015; Rochette, Manoel and Tramel 2019 for convolutions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from dcsim.training.base import Array, Layer, Parameter
from dcsim.training.convolution import Conv2d
from dcsim.training.layers import Dense, Embedding, LayerNorm, Positions
from dcsim.training.model import Model
from dcsim.training.pooling import EmbeddingBag

#: Bytes that the gradients of examples may take at a time; more examples go in parts.
MOST_BYTES = 64 * 2**20

#: dL/dp of every example into arrays (B, *shape of p), in the order of the layer's parameters.
Rule = Callable[[Layer, Array, list[Array]], None]


def example_gradients(model: Model, x: Array, t: Array, out: Array) -> float:
    """The mean loss of a batch; dLᵢ/dθ of each of its B examples into `out` (B, parameters).

    Lᵢ is the loss of example i alone, so that the mean of the rows of `out` is the gradient
    of the batch. Raises TypeError for a layer with parameters whose rule is not known here.
    """
    z = model.network.forward(x, training=True)
    loss = model.loss.forward(z, t)
    dz = model.loss.backward() * float(len(x))
    with _recording(model.network, out):
        model.network.backward(dz)
    return loss


@contextmanager
def _recording(network: Layer, out: Array) -> Iterator[None]:
    """While this lasts, a backward pass of `network` also fills `out`, layer by layer."""
    start, changes = 0, []
    for layer in network.walk():
        own = [p for p in vars(layer).values() if isinstance(p, Parameter)]
        parts = []
        for p in own:
            part = out[:, start : start + p.value.size]
            parts.append(part.reshape(len(out), *p.value.shape))
            start += p.value.size
        if own:
            changes.append((layer, _with_examples(layer, _rule(layer), parts)))
    try:
        for layer, backward in changes:
            # An attribute of the object stands before the method of its class.
            setattr(layer, "backward", backward)  # noqa: B010, a method by design
        yield
    finally:
        for layer, _ in changes:
            del layer.backward


def _with_examples(layer: Layer, rule: Rule, parts: list[Array]) -> Callable[[Array], Array]:
    original = layer.backward

    def backward(dy: Array) -> Array:
        rule(layer, dy, parts)
        return original(dy)

    return backward


def _rule(layer: Layer) -> Rule:
    for kind, rule in RULES.items():
        if isinstance(layer, kind):
            return rule
    raise TypeError(f"gradients of single examples are not known for {type(layer).__name__}")


def _product(rows: Array, dy: Array, parts: list[Array]) -> None:
    """y = rows w + b: dw = rowsᵀ dy and db = Σ dy over the rows of each example."""
    examples = len(parts[0])
    x = rows.reshape(examples, -1, rows.shape[-1])
    dy = dy.reshape(examples, -1, dy.shape[-1])
    np.matmul(x.swapaxes(1, 2), dy, out=parts[0])
    np.sum(dy, axis=1, out=parts[1])


def _dense(layer: Layer, dy: Array, parts: list[Array]) -> None:
    assert isinstance(layer, Dense)
    _product(layer._rows, dy, parts)


def _conv(layer: Layer, dy: Array, parts: list[Array]) -> None:
    assert isinstance(layer, Conv2d)
    _product(layer._columns, dy, parts)


def _norm(layer: Layer, dy: Array, parts: list[Array]) -> None:
    """dg = Σ dy x̂, db = Σ dy over all but the first and the last axis."""
    assert isinstance(layer, LayerNorm)
    inner = tuple(range(1, dy.ndim - 1))
    np.sum(dy * layer._normal, axis=inner, out=parts[0])
    np.sum(dy, axis=inner, out=parts[1])


def _positions(layer: Layer, dy: Array, parts: list[Array]) -> None:
    """dtable[:T] = dy, an example has each place once."""
    parts[0][...] = 0.0
    parts[0][:, : dy.shape[1]] = dy


def _embedding(layer: Layer, dy: Array, parts: list[Array]) -> None:
    assert isinstance(layer, Embedding)
    _scatter(layer._ids, dy, parts[0])


def _bag(layer: Layer, dy: Array, parts: list[Array]) -> None:
    assert isinstance(layer, EmbeddingBag)
    _scatter(layer._ids, layer._weights * dy[:, None, :], parts[0])


def _scatter(ids: Array, dy: Array, out: Array) -> None:
    """Add each row of dy to the row of its id, in the table of its own example."""
    out[...] = 0.0
    examples = np.repeat(np.arange(len(out)), ids.size // len(out))
    np.add.at(out, (examples, ids.reshape(-1)), dy.reshape(ids.size, -1))


RULES: dict[type[Layer], Rule] = {
    Dense: _dense,
    Conv2d: _conv,
    LayerNorm: _norm,
    Positions: _positions,
    Embedding: _embedding,
    EmbeddingBag: _bag,
}

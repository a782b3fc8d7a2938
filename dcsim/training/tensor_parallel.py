"""Tensor parallelism: each worker holds columns of one matrix and rows of the next.

Shoeybi et al. 2019 (arXiv 1909.08053), section 3: in a pair of products Y = f(X A) B with an
element-wise f, A is split by columns and B by rows, and one sum over workers ends the forward
pass of the pair (over Y) and one its backward pass (over dL/dX). Attention is split by heads.
All other layers are repeated on every worker.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np

from dcsim.records import Fault, InputError
from dcsim.training.activations import ACTIVATIONS
from dcsim.training.attention import SelfAttention
from dcsim.training.base import Array, Layer
from dcsim.training.data import Dataset, Part
from dcsim.training.layers import Dense, Dropout, Residual, Sequential
from dcsim.training.loop import Schedule
from dcsim.training.model import Model
from dcsim.training.places import Place
from dcsim.training.split import (
    Share,
    SplitTrainer,
    parameter_part,
    places_of,
    share_of,
)

Sum = Callable[[Array], Array]
_ELEMENTWISE = (*ACTIVATIONS.values(), Dropout)


class ColumnDense(Dense):
    """Columns of a Dense; the gradient of its input is summed over workers if anybody needs it."""

    def __init__(self, whole: Dense, columns: Array, places: dict[int, Array], total: Sum) -> None:
        self.w = parameter_part(whole.w, places, (slice(None), columns))
        self.b = parameter_part(whole.b, places, columns)
        self.total = total

    def backward(self, dy: Array) -> Array:
        """dL/dx = Σ over workers of dy wᵀ."""
        return self.total(super().backward(dy))


class RowDense(Dense):
    """Rows of a Dense; its output is summed over workers, and the bias, whole on each, added."""

    def __init__(self, whole: Dense, rows: Array, places: dict[int, Array], total: Sum) -> None:
        self.w = parameter_part(whole.w, places, rows)
        self.b = parameter_part(whole.b, places, slice(None))
        self.total = total

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """(..., own rows) to (..., n_out), the same on every worker."""
        self._rows = x.reshape(-1, x.shape[-1])
        y = self.total(self._rows @ self.w.value)
        y += self.b.value
        return y.reshape(*x.shape[:-1], y.shape[-1])


class _Splitter:
    """Builds one rank's copy of a network; counts the pairs that it could split."""

    def __init__(self, network: Layer, rank: int, ranks: int, total: Sum) -> None:
        self.places, self.rank, self.ranks, self.total = places_of(network), rank, ranks, total
        self.whole: set[int] = set(self.places)
        self.pairs = 0

    def own(self, n: int) -> slice:
        """This rank's part of n columns or heads."""
        return slice(n * self.rank // self.ranks, n * (self.rank + 1) // self.ranks)

    def split(self, layer: Layer, first: bool = False) -> Layer:
        """A layer with everything inside it split that can be; `first`: its input is data."""
        if isinstance(layer, Sequential):
            return Sequential(*self._split_row(layer.layers, first))
        if isinstance(layer, Residual):
            return Residual(self.split(layer.branch))
        if isinstance(layer, SelfAttention):
            return self._split_heads(layer)
        return layer

    def _split_row(self, layers: Sequence[Layer], first: bool) -> list[Layer]:
        """Pairs of Dense with nothing but element-wise layers between them, split."""
        found: list[Layer] = []
        place = 0
        while place < len(layers):
            pair = _pair(layers, place)
            if pair is None:
                found.append(self.split(layers[place], first and place == 0))
                place += 1
            else:
                found += self._split_pair(*pair, first and place == 0)
                place += 2 + len(pair[1])
        return found

    def _split_pair(
        self, opening: Dense, between: Sequence[Layer], closing: Dense, first: bool
    ) -> list[Layer]:
        if any(isinstance(layer, Dropout) and layer.rate > 0.0 for layer in between):
            raise InputError(
                Fault(
                    "tensor parallel workers hold different units, whose dropout would not be "
                    "that of one process; set dropout=0"
                )
            )
        units = opening.b.value.size
        self._check(units, "units")
        self.pairs += 1
        own = np.arange(units)[self.own(units)]
        column = ColumnDense(opening, own, self.places, as_it_is if first else self.total)
        return [column, *between, RowDense(closing, own, self.places, self.total)]

    def _split_heads(self, whole: SelfAttention) -> Layer:
        """Attention with some of the heads; the columns of its first product are (3, H, d)."""
        self._check(whole.heads, "heads")
        self.pairs += 1
        own = self.own(whole.heads)
        width = whole.out.w.value.shape[0]
        columns = np.arange(3 * width).reshape(3, whole.heads, -1)[:, own].reshape(-1)
        rows = np.arange(width).reshape(whole.heads, -1)[own].reshape(-1)
        part = copy.copy(whole)
        part.heads = own.stop - own.start
        part.qkv = ColumnDense(whole.qkv, columns, self.places, self.total)
        part.out = RowDense(whole.out, rows, self.places, self.total)
        return part

    def _check(self, n: int, what: str) -> None:
        if n < self.ranks:
            raise InputError(
                Fault(f"{n} {what} cannot be split over {self.ranks} tensor parallel workers")
            )


def _pair(layers: Sequence[Layer], place: int) -> tuple[Dense, Sequence[Layer], Dense] | None:
    """The Dense at `place`, element-wise layers and the next Dense; None without such a pair."""
    opening = layers[place]
    if not isinstance(opening, Dense):
        return None
    for after in range(place + 1, len(layers)):
        closing = layers[after]
        if isinstance(closing, Dense):
            return opening, layers[place + 1 : after], closing
        if not isinstance(closing, _ELEMENTWISE):
            return None
    return None


def as_it_is(array: Array) -> Array:
    """No sum: for the gradient of the data, which nobody needs, and to look at one rank alone."""
    return array


def tensor_share(model: Model, rank: int, ranks: int, total: Sum) -> Share:
    """One rank's Share of a model; `total` sums an array over all workers in place.

    Raises InputError when nothing can be split, or not over so many workers.
    """
    network = copy.deepcopy(model.network)
    splitter = _Splitter(network, rank, ranks, total)
    part = splitter.split(network, first=not model.vocabulary)
    if not splitter.pairs:
        raise InputError(
            Fault("this network has no pair of dense layers that tensor parallel workers can split")
        )
    closing = {id(layer.b) for layer in part.walk() if isinstance(layer, RowDense)}
    return share_of(part, splitter.places, frozenset(splitter.whole | closing), rank)


class TensorTrainer(SplitTrainer):
    """A Trainer that computes its part of every split layer on every batch."""

    def __init__(self, model: Model, data: Dataset, schedule: Schedule, place: Place) -> None:
        share = tensor_share(model, place.rank, place.ranks, self._total)
        super().__init__(model, data, schedule, place, share)
        self._exchange_s = 0.0

    def _total(self, array: Array) -> Array:
        start = perf_counter()
        array = self.ring.sum(np.ascontiguousarray(array))
        self._exchange_s += perf_counter() - start
        self.history.exchanged.append(array.size)
        return array

    def _learn(self, train: Part, rows: Array) -> float:
        self._exchange_s = 0.0
        self.history.exchanged = []
        model = self.model
        z = self.share.network.forward(train.x[rows], training=True)
        loss = model.loss.forward(z, train.t[rows])
        self.share.network.backward(model.loss.backward())
        self.optimiser.step(self.value, self.grad)
        self.history.exchange_s.append(self._exchange_s)
        return loss

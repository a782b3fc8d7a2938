"""Layers that make one vector of many: the mean over places, the mean of a set of embeddings."""

from __future__ import annotations

import numpy as np

from dcsim.training.base import Array, Layer, Parameter
from dcsim.training.initialisers import INITIALISERS

#: The id that stands for "no item" where a set is smaller than the array that holds it.
PADDING = 0


class MeanPlaces(Layer):
    """y = mean over places of x; x (B, T, width), y (B, width)."""

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """(B, T, width) to (B, width)."""
        self._like = x
        return np.mean(x, axis=1)

    def backward(self, dy: Array) -> Array:
        """dL/dx = dy / T at every place."""
        dx = np.empty_like(self._like)
        dx[...] = (dy * (1.0 / dx.shape[1]))[:, None, :]
        return dx


class EmbeddingBag(Layer):
    """y = mean of table[i] over the ids i of a set that are not `PADDING`; zeros for none.

    x (B, L) ids, table (vocabulary, width), y (B, width): the averaged history of
    Covington et al. 2016, section 3.2.
    """

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
        """Integer ids (B, L) to vectors (B, width)."""
        present = (x != PADDING).astype(self.table.value.dtype)
        count = np.maximum(np.sum(present, axis=1, keepdims=True), 1.0)
        self._ids, self._weights = x.reshape(-1), (present / count)[:, :, None]
        width = self.table.value.shape[1]
        vectors = self.table.value[self._ids].reshape(*x.shape, width)
        return np.sum(vectors * self._weights, axis=1)

    def backward(self, dy: Array) -> Array:
        """dL/dtable[i] = Σ dy / count over the sets that hold i; ids have no gradient."""
        grad = self.table.grad
        grad[...] = 0.0
        spread = self._weights * dy[:, None, :]
        np.add.at(grad, self._ids, spread.reshape(-1, dy.shape[-1]))
        return dy[:0]

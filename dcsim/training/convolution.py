"""Convolution and pooling of images (B, height, width, channels), as matrix products and slices.

With channels last, the patch under a kernel is a few runs of neighbouring values, and the
columns of all patches are one matrix that BLAS multiplies by the kernels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dcsim.training.base import Array, Layer, Parameter
from dcsim.training.initialisers import INITIALISERS


class Conv2d(Layer):
    """y[b,i,j,f] = bias[f] + Σ_{u,v,c} x[b,i+u-p,j+v-p,c] w[u,v,c,f], zeros beyond the edge.

    The kernel is `size` × `size` with odd size and p = (size-1)/2, so that y has the height
    and width of x. `w` is kept as (size²·C, F); im2col as in Chellapilla et al. 2006.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        rng: np.random.Generator,
        *,
        size: int = 3,
        dtype: type[np.floating] = np.float64,
    ) -> None:
        if size % 2 == 0:
            raise ValueError(f"a kernel of {size} has no middle; its size must be odd")
        self.size = size
        self.w = Parameter(INITIALISERS["he"](rng, size * size * n_in, n_out, dtype), decays=True)
        self.b = Parameter(np.zeros(n_out, dtype))

    def _places(self) -> Iterator[tuple[int, int]]:
        return ((u, v) for u in range(self.size) for v in range(self.size))

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """(B, H, W, C) to (B, H, W, F)."""
        b, h, w, c = x.shape
        k, p = self.size, self.size // 2
        padded = np.zeros_like(x, shape=(b, h + k - 1, w + k - 1, c))
        padded[:, p : p + h, p : p + w] = x
        columns = np.empty_like(x, shape=(b, h, w, k, k, c))
        for u, v in self._places():
            columns[:, :, :, u, v] = padded[:, u : u + h, v : v + w]
        self._shape = x.shape
        self._columns = columns.reshape(b * h * w, k * k * c)
        y = self._columns @ self.w.value
        y += self.b.value
        return y.reshape(b, h, w, y.shape[-1])

    def backward(self, dy: Array) -> Array:
        """dL/dw = columnsᵀ dy, dL/db = Σ dy; dL/dx adds dy wᵀ back to where patches came from."""
        b, h, w, c = self._shape
        k, p = self.size, self.size // 2
        rows = dy.reshape(b * h * w, dy.shape[-1])
        np.matmul(self._columns.T, rows, out=self.w.grad)
        np.sum(rows, axis=0, out=self.b.grad)
        columns = (rows @ self.w.value.T).reshape(b, h, w, k, k, c)
        padded = np.zeros_like(dy, shape=(b, h + k - 1, w + k - 1, c))
        for u, v in self._places():
            part = padded[:, u : u + h, v : v + w]
            np.add(part, columns[:, :, :, u, v], out=part)
        return padded[:, p : p + h, p : p + w]


class _Pool(Layer):
    """Windows of `size` × `size` that do not overlap; height and width must be multiples."""

    def __init__(self, size: int = 2) -> None:
        self.size = size

    def _slices(self, x: Array) -> list[Array]:
        """For each place in a window, the (B, H/size, W/size, C) view of all such elements."""
        s = self.size
        if x.shape[1] % s or x.shape[2] % s:
            raise ValueError(f"windows of {s} do not tile {x.shape[1]} × {x.shape[2]}")
        return [x[:, u::s, v::s] for u in range(s) for v in range(s)]


class MaxPool2d(_Pool):
    """y = the largest of each window; its gradient goes there, shared equally among equals."""

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """(B, H, W, C) to (B, H/size, W/size, C)."""
        first, *others = self._slices(x)
        y = first
        for part in others:
            y = np.maximum(y, part)
        self._x, self._y = x, y
        return y

    def backward(self, dy: Array) -> Array:
        """dL/dx = dy · [x = y] / (number of elements of the window that equal y)."""
        hits = [(part == self._y).astype(dy.dtype) for part in self._slices(self._x)]
        count = hits[0]
        for hit in hits[1:]:
            count = count + hit
        share = dy / count
        dx = np.empty_like(self._x)
        for part, hit in zip(self._slices(dx), hits, strict=True):
            np.multiply(hit, share, out=part)
        return dx


class AvgPool2d(_Pool):
    """y = the mean of each window; every element of it gets the same share of the gradient."""

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """(B, H, W, C) to (B, H/size, W/size, C)."""
        self._like = x
        first, *others = self._slices(x)
        total = first
        for part in others:
            total = total + part
        return total * (1.0 / self.size**2)

    def backward(self, dy: Array) -> Array:
        """dL/dx = dy / size²."""
        share = dy * (1.0 / self.size**2)
        dx = np.empty_like(self._like)
        for part in self._slices(dx):
            part[...] = share
        return dx

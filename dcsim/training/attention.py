"""Multi-head self-attention and the transformer block around it."""

from __future__ import annotations

import numpy as np

from dcsim.training.activations import GELU, softmax, softmax_backward
from dcsim.training.base import Array, Layer
from dcsim.training.layers import Dense, Dropout, LayerNorm, Residual, Sequential


class SelfAttention(Layer):
    """y = concat_h(softmax(q kᵀ/√d + mask) v) w_o; `causal`: a place sees no later ones.

    Vaswani et al. 2017, eq. 1. With B sequences, T places, H heads of size d: x and y are
    (B, T, H·d); q, k, v are (B, H, T, d) views of one product x w_qkv; weights (B, H, T, T).
    """

    def __init__(
        self,
        width: int,
        heads: int,
        rng: np.random.Generator,
        *,
        context: int,
        causal: bool = True,
        dtype: type[np.floating] = np.float64,
    ) -> None:
        self.heads = heads
        self.scale = float(1.0 / np.sqrt(width // heads))
        self.qkv = Dense(width, 3 * width, rng, init="normal", dtype=dtype)
        self.out = Dense(width, width, rng, init="normal", dtype=dtype)
        hidden = np.full((context, context), -np.inf, dtype)
        self._mask = np.triu(hidden, k=1) if causal else None

    def children(self) -> tuple[Layer, ...]:
        """The product into queries, keys and values, and the one back to the width."""
        return (self.qkv, self.out)

    def _split(self, qkv: Array) -> Array:
        """(B, T, 3·H·d) to a view (3, B, H, T, d)."""
        b, t, width = qkv.shape
        parts = qkv.reshape(b, t, 3, self.heads, width // (3 * self.heads))
        return parts.transpose(2, 0, 3, 1, 4)

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """(B, T, H·d) to the same shape."""
        b, t, _ = x.shape
        self._qkv = self.qkv.forward(x, training=training)
        parts = self._split(self._qkv)
        q, k, v = parts[0], parts[1], parts[2]
        scores = q @ k.swapaxes(-1, -2)
        scores *= self.scale
        if self._mask is not None:
            scores += self._mask[:t, :t]
        self._weights = softmax(scores)
        heads = self._weights @ v
        joined = heads.transpose(0, 2, 1, 3).reshape(b, t, -1)
        return self.out.forward(joined, training=training)

    def backward(self, dy: Array) -> Array:
        """dv = pᵀ do, dp = do vᵀ, ds = softmax'(dp)/√d, dq = ds k, dk = dsᵀ q."""
        b, t, _ = dy.shape
        joined = self.out.backward(dy)
        do = joined.reshape(b, t, self.heads, -1).transpose(0, 2, 1, 3)
        parts = self._split(self._qkv)
        q, k, v = parts[0], parts[1], parts[2]
        ds = softmax_backward(self._weights, do @ v.swapaxes(-1, -2))
        ds *= self.scale
        dqkv = np.empty_like(self._qkv)
        grads = self._split(dqkv)
        grads[0] = ds @ k
        grads[1] = ds.swapaxes(-1, -2) @ q
        grads[2] = self._weights.swapaxes(-1, -2) @ do
        return self.qkv.backward(dqkv)


def transformer_block(
    width: int,
    heads: int,
    rng: np.random.Generator,
    *,
    context: int,
    hidden: int | None = None,
    dropout: float = 0.0,
    causal: bool = True,
    dtype: type[np.floating] = np.float64,
) -> Layer:
    """x + attention(norm(x)), then x + mlp(norm(x)): the pre-norm block of GPT-2.

    `hidden` is the width inside the MLP, 4 · width unless given. (B, T, width) to the same.
    """
    hidden = hidden or 4 * width
    attend: list[Layer] = [
        LayerNorm(width, dtype=dtype),
        SelfAttention(width, heads, rng, context=context, causal=causal, dtype=dtype),
    ]
    think: list[Layer] = [
        LayerNorm(width, dtype=dtype),
        Dense(width, hidden, rng, init="normal", dtype=dtype),
        GELU(),
        Dense(hidden, width, rng, init="normal", dtype=dtype),
    ]
    if dropout:
        attend.append(Dropout(dropout, rng))
        think.append(Dropout(dropout, rng))
    return Sequential(Residual(Sequential(*attend)), Residual(Sequential(*think)))

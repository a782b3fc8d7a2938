"""Builders of networks of any size: multi-layer perceptrons and decoder-only transformers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dcsim.training.activations import ACTIVATIONS
from dcsim.training.attention import transformer_block
from dcsim.training.base import Layer
from dcsim.training.layers import Dense, Dropout, Embedding, LayerNorm, Positions, Sequential
from dcsim.training.losses import LOSSES
from dcsim.training.model import Model
from dcsim.training.optimisers import OPTIMISERS

DTYPES: dict[str, type[np.floating]] = {"float32": np.float32, "float64": np.float64}


def build_mlp(
    sizes: Sequence[int],
    *,
    activation: str = "relu",
    loss: str = "categorical",
    optimiser: str = "adam",
    rate: float = 1e-3,
    weight_decay: float = 0.0,
    dropout: float = 0.0,
    layer_norm: bool = False,
    dtype: str = "float64",
    seed: int = 0,
) -> Model:
    """A perceptron with layers of `sizes` units, inputs first, outputs last.

    Hidden layers are Dense → (LayerNorm) → activation → (Dropout); the output layer is
    Dense, its softmax or sigmoid inside the loss. `activation` is relu, tanh, sigmoid or
    gelu; `loss` is mse, binary or categorical; `optimiser` is sgd, momentum or adam;
    `dtype` is float32 or float64. Weights start as He normal under ReLU and GELU, else as
    Glorot uniform. Raises ValueError for fewer than two sizes, KeyError for another name.
    """
    if len(sizes) < 2:
        raise ValueError("a perceptron needs at least an input and an output size")
    rng = np.random.default_rng(seed)
    kind = DTYPES[dtype]
    init = "he" if activation in ("relu", "gelu") else "glorot"
    layers: list[Layer] = []
    for n_in, n_out in pairwise(sizes[:-1]):
        layers.append(Dense(n_in, n_out, rng, init=init, dtype=kind))
        if layer_norm:
            layers.append(LayerNorm(n_out, dtype=kind))
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(Dropout(dropout, rng))
    layers.append(Dense(sizes[-2], sizes[-1], rng, dtype=kind))
    return Model(
        Sequential(*layers),
        LOSSES[loss](),
        OPTIMISERS[optimiser](rate, weight_decay=weight_decay),
        sample_shape=(sizes[0],),
        output=sizes[-1],
    )


def build_transformer(
    vocabulary: int,
    *,
    context: int,
    width: int,
    heads: int,
    depth: int,
    hidden: int | None = None,
    optimiser: str = "adam",
    rate: float = 1e-3,
    weight_decay: float = 0.0,
    dropout: float = 0.0,
    dtype: str = "float32",
    seed: int = 0,
) -> Model:
    """A decoder-only language model: ids (B, context) to next-token logits (B, context, V).

    Embedding → Positions → `depth` pre-norm blocks of `heads` heads → LayerNorm → Dense;
    `hidden` is the width inside each block's MLP (4 · width unless given). Raises
    ValueError when `heads` does not divide `width`, KeyError for an unknown name.
    """
    if width % heads:
        raise ValueError(f"width {width} is not a multiple of {heads} heads")
    rng = np.random.default_rng(seed)
    kind = DTYPES[dtype]
    blocks = [
        transformer_block(
            width, heads, rng, context=context, hidden=hidden, dropout=dropout, dtype=kind
        )
        for _ in range(depth)
    ]
    network = Sequential(
        Embedding(vocabulary, width, rng, dtype=kind),
        Positions(context, width, rng, dtype=kind),
        *blocks,
        LayerNorm(width, dtype=kind),
        Dense(width, vocabulary, rng, init="normal", dtype=kind),
    )
    return Model(
        network,
        LOSSES["categorical"](),
        OPTIMISERS[optimiser](rate, weight_decay=weight_decay),
        sample_shape=(context,),
        output=vocabulary,
        vocabulary=vocabulary,
    )

"""Builders of networks of any size, each a Model with its loss and optimiser."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dcsim.training.activations import ACTIVATIONS, ReLU
from dcsim.training.attention import transformer_block
from dcsim.training.base import Layer
from dcsim.training.convolution import Conv2d, MaxPool2d
from dcsim.training.layers import (
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    Positions,
    Sequential,
)
from dcsim.training.losses import LOSSES
from dcsim.training.model import Model
from dcsim.training.optimisers import OPTIMISERS
from dcsim.training.pooling import EmbeddingBag, MeanPlaces

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
        per_place=True,
    )


def build_encoder(
    vocabulary: int,
    classes: int,
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
    """A transformer that classifies: ids (B, context) to logits (B, classes).

    As `build_transformer`, but every place sees all others, the mean over places is what is
    classified, and dropout also thins the embeddings. Raises as that does.
    """
    if width % heads:
        raise ValueError(f"width {width} is not a multiple of {heads} heads")
    rng = np.random.default_rng(seed)
    kind = DTYPES[dtype]
    first: list[Layer] = [
        Embedding(vocabulary, width, rng, dtype=kind),
        Positions(context, width, rng, dtype=kind),
    ]
    if dropout:
        first.append(Dropout(dropout, rng))
    blocks = [
        transformer_block(
            width,
            heads,
            rng,
            context=context,
            hidden=hidden,
            dropout=dropout,
            causal=False,
            dtype=kind,
        )
        for _ in range(depth)
    ]
    last = (LayerNorm(width, dtype=kind), MeanPlaces(), Dense(width, classes, rng, dtype=kind))
    return Model(
        Sequential(*first, *blocks, *last),
        LOSSES["categorical"](),
        OPTIMISERS[optimiser](rate, weight_decay=weight_decay),
        sample_shape=(context,),
        output=classes,
        vocabulary=vocabulary,
    )


def build_cnn(
    shape: tuple[int, int, int],
    channels: Sequence[int],
    hidden: Sequence[int],
    classes: int,
    *,
    optimiser: str = "adam",
    rate: float = 1e-3,
    weight_decay: float = 0.0,
    dropout: float = 0.0,
    dtype: str = "float32",
    seed: int = 0,
) -> Model:
    """A convolutional network: images (B, *shape), channels last, to logits (B, classes).

    A block of Conv2d 3 × 3 → ReLU → MaxPool2d for each of `channels`, each halving the
    sides, then Dense → ReLU for each of `hidden`, (Dropout) and Dense. Raises ValueError
    when a side cannot be halved that often, KeyError for an unknown name.
    """
    rng = np.random.default_rng(seed)
    kind = DTYPES[dtype]
    height, width, depth = shape
    shrink = 2 ** len(channels)
    if height % shrink or width % shrink:
        raise ValueError(f"{height} × {width} cannot be halved {len(channels)} times")
    layers: list[Layer] = []
    for n_in, n_out in pairwise((depth, *channels)):
        layers += [Conv2d(n_in, n_out, rng, dtype=kind), ReLU(), MaxPool2d()]
    layers.append(Flatten())
    sizes = ((height // shrink) * (width // shrink) * (depth, *channels)[-1], *hidden)
    for n_in, n_out in pairwise(sizes):
        layers += [Dense(n_in, n_out, rng, init="he", dtype=kind), ReLU()]
    if dropout:
        layers.append(Dropout(dropout, rng))
    layers.append(Dense(sizes[-1], classes, rng, dtype=kind))
    return Model(
        Sequential(*layers),
        LOSSES["categorical"](),
        OPTIMISERS[optimiser](rate, weight_decay=weight_decay),
        sample_shape=shape,
        output=classes,
    )


def build_recommender(
    items: int,
    *,
    history: int,
    width: int,
    hidden: Sequence[int],
    activation: str = "relu",
    optimiser: str = "adam",
    rate: float = 1e-3,
    weight_decay: float = 0.0,
    dropout: float = 0.0,
    dtype: str = "float32",
    seed: int = 0,
) -> Model:
    """What is chosen next: ids (B, history), 0 for none, to a logit for each of `items`.

    The mean embedding of the history goes through LayerNorm and a perceptron, whose softmax
    over all items is the recommendation: the candidate network of Covington et al. 2016.
    Raises KeyError for an unknown name.
    """
    rng = np.random.default_rng(seed)
    kind = DTYPES[dtype]
    layers: list[Layer] = [
        EmbeddingBag(items, width, rng, dtype=kind),
        LayerNorm(width, dtype=kind),
    ]
    for n_in, n_out in pairwise((width, *hidden)):
        layers += [Dense(n_in, n_out, rng, init="he", dtype=kind), ACTIVATIONS[activation]()]
        if dropout:
            layers.append(Dropout(dropout, rng))
    layers.append(Dense(hidden[-1], items, rng, dtype=kind))
    return Model(
        Sequential(*layers),
        LOSSES["categorical"](),
        OPTIMISERS[optimiser](rate, weight_decay=weight_decay),
        sample_shape=(history,),
        output=items,
        vocabulary=items,
    )

"""Why a trained network says what it says: permutation importance and integrated gradients.

Each function returns plain data (strings, numbers, lists), so that a worker can send it and a
picture can be drawn elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from dcsim.training.base import Array, Layer
from dcsim.training.data import Dataset
from dcsim.training.model import Model

#: Shuffles of each column; points on the way from baseline to input.
SHUFFLES, POINTS = 10, 20
#: Rows of the test part that are looked at, at most.
MOST_ROWS = 360
#: What is listed: columns or pairs; words a class; and how often one must occur.
LISTED, WORDS, OFTEN = 12, 6, 8


def interpret(model: Model, data: Dataset, seed: int = 0) -> dict[str, Any]:
    """What the predictions on the test part rest on; empty where there is nothing to say.

    Always has `method`, `about` (one sentence), `unit` and `kind`. `bars`: `labels` and
    `values`, `spread` beside them; `groups`: `titles` and for each `labels` and `values`;
    `maps`: `titles` and for each `values` (rows, columns); `curve`: `values` from place 1 on.
    """
    if data.task == "soft":
        return {}
    if data.features:
        return _importance(model, data, seed)
    if data.task == "language":
        return _reach(model, data)
    if data.task == "ranking":
        return _pairs(model, data)
    return _words(model, data) if data.tokens else _maps(model, data)


def permutation_importance(
    model: Model, x: Array, t: Array, rng: np.random.Generator, shuffles: int = SHUFFLES
) -> Array:
    """How much the loss rises when a column of x (n, d) is shuffled: (d, shuffles) in nats.

    Breiman 2001, section 10, with the loss in place of the error rate.
    """
    whole = model.evaluate(x, t)[0]
    rise = np.empty((x.shape[1], shuffles))
    for column in range(x.shape[1]):
        shuffled = x.copy()
        for repeat in range(shuffles):
            shuffled[:, column] = rng.permutation(x[:, column])
            rise[column, repeat] = model.evaluate(shuffled, t)[0] - whole
    return rise


def integrated_gradients(
    layers: Sequence[Layer], x: Array, picked: Array, points: int = POINTS
) -> Array:
    """Share of each element of x in the outputs that `picked` selects, in the shape of x.

    With F(x) = Σ picked · f(x), f the layers one after the other and picked of the shape of
    f(x): x · ∫₀¹ ∇F(α x) dα by the midpoint rule, from a baseline of zeros; Sundararajan et
    al. 2017, eq. 1. The shares sum to F(x) - F(0) but for the rule's error.
    """
    total = np.zeros_like(x)
    for point in range(points):
        y = x * ((point + 0.5) / points)
        for layer in layers:
            y = layer.forward(y, training=False)
        dy = picked
        for layer in reversed(layers):
            dy = layer.backward(dy)
        total += dy
    return x * total / points


def _one_hot(t: Array, size: int, dtype: np.dtype) -> Array:
    """1 at each target, t (...) to (..., size)."""
    picked = np.zeros((*t.shape, size), dtype)
    np.put_along_axis(picked, t[..., None], 1.0, axis=-1)
    return picked


def _rows(data: Dataset, most: int) -> tuple[Array, Array]:
    """At most so many rows of the test part, evenly from all of it: it may lie class by class."""
    n = len(data.test)
    rows = np.linspace(0, n - 1, min(n, most)).astype(int)
    return data.test.x[rows], data.test.t[rows]


def _layers(model: Model) -> tuple[Layer, ...]:
    return model.network.children()


def _importance(model: Model, data: Dataset, seed: int) -> dict[str, Any]:
    rise = permutation_importance(model, data.test.x, data.test.t, np.random.default_rng([seed, 7]))
    mean, spread = rise.mean(axis=1), rise.std(axis=1)
    order = np.argsort(-mean, kind="stable")[:LISTED]
    return {
        "method": "permutation importance",
        "about": "How much worse the test loss gets without each of the measurements",
        "unit": "rise of the loss when shuffled (nats)",
        "kind": "bars",
        "labels": [data.features[column] for column in order],
        "values": mean[order].tolist(),
        "spread": spread[order].tolist(),
    }


def _maps(model: Model, data: Dataset) -> dict[str, Any]:
    """For each class, where ink speaks for it (above 0) or against it, mean over its images."""
    x, t = _rows(data, MOST_ROWS)
    shares = integrated_gradients(_layers(model), x, _one_hot(t, data.outputs, x.dtype))
    return {
        "method": "integrated gradients",
        "about": "Where ink speaks for a class (blue) and where against it (orange)",
        "unit": "share in the class's logit",
        "kind": "maps",
        "titles": list(data.labels),
        "values": [shares[t == k].mean(axis=0).sum(axis=-1).tolist() for k in range(data.outputs)],
    }


def _words(model: Model, data: Dataset) -> dict[str, Any]:
    """For each class, the words that speak most for it in its own test passages."""
    x, t = _rows(data, MOST_ROWS)
    embed, *rest = _layers(model)
    vectors = embed.forward(x, training=False)
    shares = integrated_gradients(rest, vectors, _one_hot(t, data.outputs, vectors.dtype)).sum(-1)
    labels, values = [], []
    for k in range(data.outputs):
        words, own = x[t == k].reshape(-1), shares[t == k].reshape(-1)
        count = np.bincount(words, minlength=data.vocabulary)
        sums = np.bincount(words, weights=own, minlength=data.vocabulary)
        mean = np.where(count >= OFTEN, sums / np.maximum(count, 1), -np.inf)
        mean[0] = -np.inf  # the rare words together are no word
        best = [word for word in np.argsort(-mean, kind="stable")[:WORDS] if mean[word] > -np.inf]
        labels.append([data.tokens[word] for word in best])
        values.append([float(mean[word]) for word in best])
    return {
        "method": "integrated gradients",
        "about": "The words that speak most for each class",
        "unit": "mean share in the class's logit",
        "kind": "groups",
        "titles": list(data.labels),
        "labels": labels,
        "values": values,
    }


def _pairs(model: Model, data: Dataset) -> dict[str, Any]:
    """Which chosen item speaks most for which recommended one, over true pairs of the test."""
    x, t = data.test.x, data.test.t
    bag, *rest = _layers(model)
    mean = bag.forward(x, training=False)
    picked = _one_hot(t, data.outputs, mean.dtype)
    # The bag is linear: an item's share is that of its own part of the mean.
    table = next(bag.parameters()).value
    present = x > 0
    weight = present / np.maximum(present.sum(axis=1, keepdims=True), 1)
    slope = integrated_gradients(rest, mean, picked) / np.where(mean == 0.0, 1.0, mean)
    shares = np.einsum("blw,bw->bl", table[x], slope) * weight
    sums: dict[tuple[int, int], list[float]] = defaultdict(list)
    for row, place in zip(*np.nonzero(present), strict=True):
        sums[int(x[row, place]), int(t[row])].append(float(shares[row, place]))
    often = {pair: np.mean(own) for pair, own in sums.items() if len(own) >= OFTEN}
    best = sorted(often, key=lambda pair: (-often[pair], pair))[:LISTED]
    return {
        "method": "integrated gradients",
        "about": "Which item speaks most for recommending which other",
        "unit": "mean share in the logit of the recommended item",
        "kind": "bars",
        "labels": [f"{data.tokens[a]} → {data.tokens[b]}" for a, b in best],
        "values": [float(often[pair]) for pair in best],
        "spread": [float(np.std(sums[pair])) for pair in best],
    }


def _reach(model: Model, data: Dataset) -> dict[str, Any]:
    """How much of a prediction rests on the token so many places back, in the mean."""
    x, t = _rows(data, MOST_ROWS // 4)
    embed, *rest = _layers(model)
    vectors = embed.forward(x, training=False)
    picked = _one_hot(t, data.outputs, vectors.dtype)
    picked[:, :-1] = 0.0  # only the last place, which sees all others
    size = np.abs(integrated_gradients(rest, vectors, picked).sum(axis=-1))
    share = (size / size.sum(axis=1, keepdims=True)).mean(axis=0)[::-1]
    return {
        "method": "integrated gradients",
        "about": f"The latest token carries {share[0]:.0%} of a prediction, "
        f"those more than 10 places back {share[10:].sum():.0%}",
        "unit": "share of the attribution",
        "kind": "curve",
        "values": share.tolist(),
    }

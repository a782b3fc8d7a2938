"""Figures of quality. Every function takes predictions first, then the truth."""

from __future__ import annotations

import numpy as np

from dcsim.training.base import Array


def accuracy(p: Array, t: Array) -> float:
    """Share of rows predicted rightly.

    p (n, 1) probabilities of class 1 with t (n, 1) in {0, 1}; or p (..., k) probabilities
    with t (...) class numbers or (..., k) soft targets, of which the largest counts.
    """
    if p.shape[-1] == 1:
        return float(np.mean((p >= 0.5) == (t >= 0.5)))
    truth = np.argmax(t, axis=-1) if t.shape == p.shape else t
    return float(np.mean(np.argmax(p, axis=-1) == truth))


def _ranks(scores: Array) -> Array:
    """Ranks from 1, equal scores sharing their mean rank; (n,) to (n,)."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[inverse]


def auc(p: Array, t: Array) -> float:
    """Area under the ROC curve: chance that a positive scores above a negative, ties half.

    The Mann-Whitney statistic (Σ ranks of positives - n₊(n₊+1)/2) / (n₊ n₋), on p and t
    of n values each, flattened. NaN when a class is absent.
    """
    scores, positive = p.reshape(-1), t.reshape(-1) >= 0.5
    n = int(np.sum(positive))
    others = len(positive) - n
    if not n or not others:
        return float("nan")
    return float((np.sum(_ranks(scores)[positive]) - n * (n + 1) / 2.0) / (n * others))


def average_precision(p: Array, t: Array) -> float:
    """Σ (Rᵢ - Rᵢ₋₁) Pᵢ over the distinct scores, highest first; NaN without a positive."""
    scores, positive = p.reshape(-1), t.reshape(-1) >= 0.5
    if not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    recall = hits[last] / hits[-1]
    precision = hits[last] / (last + 1.0)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def brier(p: Array, t: Array) -> float:
    """Mean squared distance of a probability from what came true."""
    return float(np.mean((p - t) ** 2))


def calibration_error(p: Array, t: Array, bins: int = 10) -> float:
    """Expected calibration error: Σ_bins (n_bin / n) |mean p - share of class 1|.

    `bins` of equal width over p in [0, 1], on p and t of n values each, flattened; Naeini et
    al. 2015. A perfectly calibrated model scores above 0 on few rows, by chance alone.
    """
    scores, truth = p.reshape(-1).astype(np.float64), t.reshape(-1)
    place = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=scores - truth, minlength=bins)
    return float(np.sum(np.abs(gaps)) / len(scores))


def chance_calibration_error(p: Array, bins: int = 10, draws: int = 50) -> float:
    """The mean `calibration_error` of p if every outcome came true with exactly its probability.

    What the number of rows alone costs; the same draws for the same p.
    """
    rng = np.random.default_rng(0)
    errors = [
        calibration_error(p, (rng.random(p.shape) < p).astype(np.float64), bins)
        for _ in range(draws)
    ]
    return float(np.mean(errors))


def target_ranks(scores: Array, chosen: Array, t: Array) -> Array:
    """How many items score above the target, (n,), items that are already chosen left out.

    scores (n, items), chosen (n, places) ids with 0 for none (0 is no item), t (n,) ids.
    Half of the items that score the same count as above.
    """
    others = scores.astype(np.float64)
    own = np.take_along_axis(others, t[:, None], axis=1)
    np.put_along_axis(others, chosen, -np.inf, axis=1)
    others[:, 0] = -np.inf
    equal = np.sum(others == own, axis=1) - 1
    return np.sum(others > own, axis=1) + equal / 2.0


def hit_rate(ranks: Array, top: int = 10) -> float:
    """Share of targets among the `top` recommendations."""
    return float(np.mean(ranks < top))


def ndcg(ranks: Array, top: int = 10) -> float:
    """Mean of 1 / log₂(rank + 2) for targets among the `top`, 0 for others; one target a row.

    Järvelin & Kekäläinen 2002.
    """
    return float(np.mean(np.where(ranks < top, 1.0 / np.log2(ranks + 2.0), 0.0)))


def perplexity(loss: float) -> float:
    """e^loss: the number of equally likely choices that a loss in nats stands for."""
    return float(np.exp(loss))


def unigram_loss(train: Array, test: Array, vocabulary: int) -> float:
    """Nats a token of `test` when predicted by frequency in `train`, one added to each count."""
    counts = np.bincount(train.reshape(-1), minlength=vocabulary) + 1.0
    return float(-np.mean(np.log(counts / counts.sum())[test.reshape(-1)]))


def bigram_loss(train_x: Array, train_t: Array, x: Array, t: Array, vocabulary: int) -> float:
    """Nats a token of `t` when predicted from the token before it, one added to each count."""
    pairs = train_x.reshape(-1) * vocabulary + train_t.reshape(-1)
    counts = np.bincount(pairs, minlength=vocabulary**2).reshape(vocabulary, vocabulary) + 1.0
    chance = counts / counts.sum(axis=1, keepdims=True)
    return float(-np.mean(np.log(chance[x.reshape(-1), t.reshape(-1)])))

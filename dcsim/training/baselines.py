"""What simpler methods reach on the same split, so that a network's figures mean something."""

from __future__ import annotations

import numpy as np

from dcsim.training import metrics
from dcsim.training.activations import sigmoid
from dcsim.training.base import Array
from dcsim.training.data import Dataset

#: Above this many columns, Newton's method for the logistic baseline would take too long.
MOST_COLUMNS = 200
_RIDGE = 1.0
_NEWTON_STEPS = 25


def baselines(data: Dataset) -> dict[str, float]:
    """Figures on the test part of methods that suit the task, by name; all need no training
    but one pass over the counts, or a convex fit of a second.
    """
    if data.task == "language":
        return _letters(data)
    if data.task == "ranking":
        return _popularity(data)
    if data.task == "soft":
        return {}
    found = {"test_majority_accuracy": _majority(data)}
    if data.task in ("binary", "rare") and data.train.x.shape[1] <= MOST_COLUMNS:
        p = logistic_regression(data)
        found["test_logistic_accuracy"] = metrics.accuracy(p, data.test.t)
        found["test_logistic_average_precision"] = metrics.average_precision(p, data.test.t)
    if data.vocabulary:
        found["test_naive_bayes_accuracy"] = _naive_bayes(data)
    return found


def _letters(data: Dataset) -> dict[str, float]:
    train, test = data.train, data.test
    return {
        "test_unigram_loss": metrics.unigram_loss(train.t, test.t, data.vocabulary),
        "test_bigram_loss": metrics.bigram_loss(train.x, train.t, test.x, test.t, data.vocabulary),
    }


def _majority(data: Dataset) -> float:
    """Accuracy of always saying the commonest class."""
    counts = np.bincount(data.train.t.reshape(-1).astype(np.int64))
    return float(np.mean(data.test.t == int(np.argmax(counts))))


def _popularity(data: Dataset) -> dict[str, float]:
    """Recommending to everybody what is chosen most."""
    counts = np.bincount(data.train.t, minlength=data.outputs).astype(float)
    ranks = metrics.target_ranks(np.tile(counts, (len(data.test), 1)), data.test.x, data.test.t)
    return {
        "test_popularity_hit_rate": metrics.hit_rate(ranks),
        "test_popularity_ndcg": metrics.ndcg(ranks),
    }


def logistic_regression(data: Dataset) -> Array:
    """Probabilities (n, 1) of class 1 on the test part, from a ridge-penalised logistic model.

    Minimises Σ log(1 + e^(-±w·x)) + |w|²/2 over the training part by Newton's method
    (iteratively reweighted least squares); the intercept carries no penalty.
    """
    x = np.column_stack([data.train.x, np.ones(len(data.train))]).astype(np.float64)
    t = data.train.t[:, 0].astype(np.float64)
    penalty = np.full(x.shape[1], _RIDGE)
    penalty[-1] = 1e-9  # keeps the Hessian regular when the classes are far apart
    w = np.zeros(x.shape[1])
    for _ in range(_NEWTON_STEPS):
        p = sigmoid(x @ w)
        gradient = x.T @ (p - t) + penalty * w
        hessian = (x.T * (p * (1.0 - p))) @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        w -= step
        if np.max(np.abs(step)) < 1e-8:
            break
    test = np.column_stack([data.test.x, np.ones(len(data.test))])
    return sigmoid(test @ w)[:, None]


def _naive_bayes(data: Dataset) -> float:
    """Accuracy of the multinomial naive Bayes classifier, one added to each word's count."""
    table = np.ones((data.outputs, data.vocabulary))
    np.add.at(table, (data.train.t[:, None], data.train.x), 1.0)
    logs = np.log(table / table.sum(axis=1, keepdims=True))
    prior = np.log(np.bincount(data.train.t, minlength=data.outputs) / len(data.train))
    scores = logs[:, data.test.x].sum(axis=2).T + prior
    return float(np.mean(np.argmax(scores, axis=1) == data.test.t))

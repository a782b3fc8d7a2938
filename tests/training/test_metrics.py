"""Figures of quality against scikit-learn's and against values known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from dcsim.training import metrics


@settings(max_examples=50, deadline=None)
@given(
    arrays(float, 12, elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9])),
    arrays(float, 12, elements=st.sampled_from([0.0, 1.0])),
)
def test_ranking_figures_agree_with_sklearn(p: np.ndarray, t: np.ndarray) -> None:
    assume(0 < t.sum() < len(t))
    assert metrics.auc(p, t) == pytest.approx(roc_auc_score(t, p))
    expected = average_precision_score(t, p)
    assert metrics.average_precision(p, t) == pytest.approx(expected)


def test_figures_without_a_class_are_not_numbers() -> None:
    p = np.array([0.2, 0.7])
    assert np.isnan(metrics.auc(p, np.zeros(2)))
    assert np.isnan(metrics.auc(p, np.ones(2)))
    assert np.isnan(metrics.average_precision(p, np.zeros(2)))


def test_accuracy_of_each_kind_of_target() -> None:
    assert metrics.accuracy(np.array([[0.2], [0.7]]), np.array([[0.0], [0.0]])) == 0.5
    p = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])
    assert metrics.accuracy(p, np.array([0, 1, 1])) == pytest.approx(2 / 3)
    assert metrics.accuracy(p, np.array([[1.0, 0.0], [0.1, 0.9], [0.8, 0.2]])) == 1.0
    assert metrics.accuracy(p[None], np.array([[0, 1, 0]])) == 1.0


def test_language_baselines_in_closed_form() -> None:
    train, test = np.array([[0, 0, 0, 1]]), np.array([[0, 1]])
    expected = -0.5 * (np.log(4 / 6) + np.log(2 / 6))
    assert metrics.unigram_loss(train, test, 2) == pytest.approx(expected)
    x, t = np.array([[0, 1, 0]]), np.array([[1, 0, 1]])
    assert metrics.bigram_loss(x, t, x, t, 2) == pytest.approx(
        -(2 * np.log(3 / 4) + np.log(2 / 3)) / 3
    )
    assert metrics.perplexity(np.log(7.0)) == pytest.approx(7.0)


def test_brier_is_the_mean_square() -> None:
    assert metrics.brier(np.array([[0.5], [1.0]]), np.array([[0.0], [1.0]])) == 0.125

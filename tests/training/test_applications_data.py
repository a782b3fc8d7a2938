"""The data sets of the applications: parts that share nothing, baselines against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB

from dcsim.training import baselines, metrics
from dcsim.training.data import breast_cancer, digit_images, digits
from dcsim.training.pooling import PADDING
from dcsim.training.source_code import HISTORY, SUBJECTS, call_histories, passages
from dcsim.training.transactions import COLUMNS, generate, payments


def test_calls_are_left_out_one_at_a_time() -> None:
    data = call_histories(np.float32)
    for part in data.parts:
        assert part.x.shape == (len(part.t), HISTORY)
        assert part.t.min() > PADDING
        assert part.t.max() < data.outputs == len(data.tokens)
        assert not np.any(part.x == part.t[:, None])
        known = part.x > PADDING
        assert known.sum(axis=1).min() >= 2
        assert np.all(known[:, :-1] >= known[:, 1:])  # padding only at the end
    assert 0.5 < len(data.train) / sum(map(len, data.parts)) < 0.8


def test_passages_are_words_of_one_subject() -> None:
    data = passages(np.float32, context=16)
    assert data.labels == tuple(SUBJECTS)
    for part in data.parts:
        assert part.x.shape == (len(part.t), 16)
        assert set(part.t) == set(range(len(SUBJECTS)))
    asyncio = data.train.x[data.train.t == 0]
    assert np.mean(asyncio == data.tokens.index("loop")) > 5 * np.mean(
        data.train.x[data.train.t == 2] == data.tokens.index("loop")
    )


def test_images_are_the_digits_in_the_same_parts() -> None:
    images, rows = digit_images(np.float64), digits(np.float64)
    for image, row in zip(images.parts, rows.parts, strict=True):
        np.testing.assert_array_equal(image.t, row.t)
        assert image.x.shape[1:] == (8, 8, 1)
        assert 0.0 <= image.x.min() < image.x.max() <= 1.0


def test_payments_are_generated_and_say_so() -> None:
    data = payments(np.float32)
    assert data.source.startswith("generated")
    share = np.mean(np.concatenate([part.t for part in data.parts]))
    assert 0.012 < share < 0.018
    assert data.features == COLUMNS
    x, fraud = generate(500, np.random.default_rng(1))
    again, _ = generate(500, np.random.default_rng(1))
    assert x.shape == (500, len(COLUMNS))
    assert np.isfinite(x).all()
    assert set(fraud) == {0.0, 1.0}
    np.testing.assert_array_equal(x, again)


def test_no_single_column_gives_fraud_away() -> None:
    data = payments(np.float64)
    for column in data.train.x.T:
        assert max(metrics.auc(column, data.train.t), metrics.auc(-column, data.train.t)) < 0.75


@pytest.mark.parametrize("loader", [breast_cancer, payments])
def test_the_logistic_baseline_is_that_of_sklearn(loader) -> None:
    data = loader(np.float64)
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=5000)
    theirs.fit(data.train.x, data.train.t[:, 0])
    expected = theirs.predict_proba(data.test.x)[:, 1:]
    np.testing.assert_allclose(baselines.logistic_regression(data), expected, atol=1e-5)


def test_the_naive_bayes_baseline_is_that_of_sklearn() -> None:
    data = passages(np.float32)
    counts = [
        np.stack([np.bincount(row, minlength=data.vocabulary) for row in part.x])
        for part in (data.train, data.test)
    ]
    theirs = MultinomialNB().fit(counts[0], data.train.t).score(counts[1], data.test.t)
    assert baselines.baselines(data)["test_naive_bayes_accuracy"] == pytest.approx(theirs)


def test_ranks_leave_out_what_is_chosen_and_share_ties() -> None:
    scores = np.array([[9.0, 5.0, 4.0, 3.0, 3.0], [9.0, 1.0, 2.0, 3.0, 4.0]])
    chosen, t = np.array([[1, 0], [0, 0]]), np.array([3, 4])
    ranks = metrics.target_ranks(scores, chosen, t)
    np.testing.assert_array_equal(ranks, [1.5, 0.0])
    assert metrics.hit_rate(ranks, top=1) == 0.5
    assert metrics.ndcg(ranks, top=2) == pytest.approx((1.0 + 1.0 / np.log2(3.5)) / 2.0)
    np.testing.assert_array_equal(scores[0], [9.0, 5.0, 4.0, 3.0, 3.0])


def test_calibration_error_in_closed_form() -> None:
    p = np.array([0.05, 0.05, 0.95, 0.95])[:, None]
    assert metrics.calibration_error(p, np.array([0, 0, 1, 1])[:, None]) == pytest.approx(0.05)
    assert metrics.calibration_error(p, np.array([1, 1, 0, 0])[:, None]) == pytest.approx(0.95)
    assert metrics.calibration_error(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0.0

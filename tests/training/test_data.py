"""Data sets: the right rows, parts that share none, scaling that looks at training only."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_digits

from dcsim.training.data import (
    SHARES,
    breast_cancer,
    digits,
    manual_text,
    python_manual,
    split_indices,
    standardise,
)
from dcsim.training.loaders import LOADERS


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(0, 99))
def test_a_split_keeps_every_row_once_and_the_mix_of_groups(groups: list[int], seed: int) -> None:
    labels = np.array(groups)
    parts = split_indices(labels, SHARES, np.random.default_rng(seed))
    assert sorted(np.concatenate(parts)) == list(range(len(groups)))
    for group in set(groups):
        total = np.sum(labels == group)
        for part, share in zip(parts, SHARES, strict=True):
            assert abs(np.sum(labels[part] == group) - share * total) <= 1.0


@pytest.mark.parametrize(
    ("ours", "theirs", "scale"), [(breast_cancer, load_breast_cancer, -1), (digits, load_digits, 1)]
)
def test_the_files_are_those_that_sklearn_loads(ours, theirs, scale: int) -> None:
    data, reference = ours(np.float64), theirs()
    assert sum(len(part) for part in data.parts) == len(reference.data)
    mine = sorted(np.concatenate([part.t.reshape(-1) for part in data.parts]))
    expected = reference.target if scale == 1 else 1 - reference.target
    np.testing.assert_array_equal(mine, np.sort(expected))


def test_scaling_uses_the_training_rows_only() -> None:
    data = breast_cancer(np.float64)
    np.testing.assert_allclose(data.train.x.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(data.train.x.std(axis=0), 1.0)
    assert np.abs(data.test.x.mean(axis=0)).max() > 0.01
    x = np.array([[1.0, 5.0], [3.0, 5.0], [100.0, 6.0]])
    np.testing.assert_allclose(standardise(x, np.array([0, 1])), [[-1, 0], [1, 0], [98, 1]])


@pytest.mark.parametrize("name", sorted(LOADERS))
def test_every_loader_says_where_its_data_come_from(name: str) -> None:
    data = LOADERS[name](np.float32)
    assert data.source
    assert data.nbytes > 0
    for part in data.parts:
        assert len(part.x) == len(part.t) > 0
        if part.x.dtype.kind == "f":
            assert part.x.dtype == np.float32


def test_text_windows_follow_each_other_and_share_no_target() -> None:
    data = python_manual(np.float32, context=32)
    x, t = data.train.x, data.train.t
    np.testing.assert_array_equal(x[:, 1:], t[:, :-1])
    np.testing.assert_array_equal(x[1:, 0], t[:-1, -1])
    text = manual_text()
    assert "".join(data.labels[i] for i in x[3]) == text[96:128]
    assert data.vocabulary == len(set(text)) == data.outputs

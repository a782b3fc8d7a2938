"""Cheaper weights: how far 8 bits may stray, what pruning takes first, and the study of both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.training.cheaper import BATCHES, SPARSITIES, Int8Weights, batch_times, pruned, variants
from dcsim.training.jobs import job
from dcsim.training.run import run_job


@given(seed=st.integers(0, 99), spread=st.floats(1e-3, 1e3))
def test_eight_bits_stray_by_half_a_step_at_most(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    w = rng.normal(0.0, spread, (7, 4))
    w[:, 2] = 0.0
    kept = Int8Weights(w)
    back = np.eye(7) @ kept
    assert np.all(np.abs(back - w) <= 0.5 * kept.scale * (1 + 1e-9))
    np.testing.assert_array_equal(back[:, 2], 0.0)
    x = rng.normal(size=(3, 7))
    np.testing.assert_allclose(x @ kept, x @ back, rtol=1e-9, atol=1e-9 * spread)


def test_pruning_takes_the_smallest_of_all_layers_together() -> None:
    weights = [np.array([[1.0, -5.0], [0.5, 4.0]]), np.array([[0.1], [-3.0]])]
    first, second = pruned(weights, 0.5)
    np.testing.assert_array_equal(first, [[0.0, -5.0], [0.0, 4.0]])
    np.testing.assert_array_equal(second, [[0.0], [-3.0]])
    np.testing.assert_array_equal(pruned(weights, 0.0)[0], weights[0])


@pytest.mark.parametrize("name", ["digits-mlp", "digits-cnn"])
def test_a_trained_network_bears_eight_bits_and_half_of_its_weights(name: str) -> None:
    outcome = run_job(job(name, epochs=8))
    before = outcome.model.value.copy()
    rows = variants(outcome.model, outcome.data)
    assert len(rows) == 2 + len(SPARSITIES)
    whole, eight, half = rows[:3]
    assert whole.quality == outcome.figures["test_accuracy"]
    assert eight.quality >= whole.quality - 0.01
    assert half.quality >= 0.9
    assert eight.weight_bytes < whole.weight_bytes / 2.5
    assert rows[-1].weight_bytes < rows[-2].weight_bytes < half.weight_bytes
    assert all(row.predict_s > 0 for row in rows)
    times = batch_times(outcome.model, outcome.data)
    assert [row.batch for row in times] == list(BATCHES)
    np.testing.assert_array_equal(outcome.model.value, before)

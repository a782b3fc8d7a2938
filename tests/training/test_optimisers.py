"""Update rules against the textbook, element by element."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.training.optimisers import OPTIMISERS, Adam, Momentum, Optimiser

RATE = 0.1


def run(optimiser: Optimiser, gradients: list[float]) -> float:
    value = np.array([1.0])
    optimiser.attach(value, np.ones(1))
    for gradient in gradients:
        optimiser.step(value, np.array([gradient]))
    return float(value[0])


def test_descent() -> None:
    assert run(Optimiser(RATE), [2.0, -1.0]) == pytest.approx(1.0 - 0.2 + 0.1)


def test_momentum() -> None:
    # v1 = -0.2, v2 = 0.9·(-0.2) - 0.1·1 = -0.28
    assert run(Momentum(RATE), [2.0, 1.0]) == pytest.approx(1.0 - 0.2 - 0.28)


def test_adam_follows_algorithm_1() -> None:
    m = v = 0.0
    value = 1.0
    for t, g in enumerate([2.0, -1.0, 0.5], start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = RATE * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        value -= rate * m / (np.sqrt(v) + 1e-8)
    assert run(Adam(RATE), [2.0, -1.0, 0.5]) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_decay_shrinks_weights_and_spares_the_rest(name: str) -> None:
    optimiser = OPTIMISERS[name](RATE, weight_decay=0.5)
    value = np.array([1.0, 1.0])
    optimiser.attach(value, np.array([1.0, 0.0]))
    optimiser.step(value, np.zeros(2))
    np.testing.assert_allclose(value, [0.95, 1.0])


@pytest.mark.parametrize("name", OPTIMISERS)
def test_single_precision_stays_single(name: str) -> None:
    optimiser = OPTIMISERS[name](RATE, weight_decay=0.1)
    value = np.ones(3, np.float32)
    optimiser.attach(value, np.ones(3, np.float32))
    optimiser.step(value, np.ones(3, np.float32))
    assert value.dtype == np.float32
    assert all(moment.dtype == np.float32 for moment in optimiser.state.values())

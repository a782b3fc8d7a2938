"""The closed form of run time under failures, its optimum, and both by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import lambertw

from dcsim.simulation.goodput import (
    best_interval,
    expected_runtime,
    segment_count,
    simulate_goodput,
)

HOUR = 3600.0


def test_closed_form_is_the_published_one():
    work, segments, write, restart, mtbf = 500 * HOUR, 256, 300.0, 600.0, 24 * HOUR
    interval = work / segments
    expected = segments * mtbf * np.exp(restart / mtbf) * np.expm1((interval + write) / mtbf)
    assert expected_runtime(work, interval, write, restart, mtbf) == pytest.approx(expected)


def test_last_segment_is_only_as_long_as_the_rest():
    whole = expected_runtime([1000.0, 500.0], 1000.0, 10.0, 20.0, 3000.0)
    assert expected_runtime(1500.0, 1000.0, 10.0, 20.0, 3000.0) == pytest.approx(whole.sum())


def test_rounding_adds_no_segment():
    assert segment_count(0.1 * 3, 0.1) == 3
    assert segment_count(10.0, 20.0) == 1


def test_no_failures_cost_only_the_writes():
    assert expected_runtime(1000.0, 100.0, 2.0, 50.0, np.inf) == pytest.approx(1020.0)


def test_hopeless_segments_never_end():
    assert expected_runtime(1e6, 1e6, 0.0, 0.0, 100.0) == np.inf


@given(st.floats(1e-6, 60.0), st.floats(1.0, 1e7))
def test_best_interval_is_lamberts(ratio, mtbf):
    expected = mtbf * (1.0 + lambertw(-np.exp(-ratio - 1.0)).real)
    # Near the branch point the textbook form itself loses half of its digits.
    assert best_interval(ratio * mtbf, mtbf) == pytest.approx(expected, rel=1e-6)


@given(st.floats(1e-3, 0.5))
def test_best_interval_minimises_the_closed_form(ratio):
    def per_work(log_interval):
        interval = np.exp(log_interval)
        return float(np.expm1(interval + ratio) / interval)

    found = minimize_scalar(per_work, bounds=(np.log(1e-4), np.log(3.0)), method="bounded")
    assert best_interval(ratio, 1.0) == pytest.approx(np.exp(found.x), rel=1e-2)
    assert per_work(np.log(best_interval(ratio, 1.0))) <= found.fun * (1 + 1e-9)


def test_best_interval_meets_dalys_published_figure():
    minutes = best_interval(5 * 60.0, 24 * HOUR) / 60.0
    assert minutes == pytest.approx(117.0, abs=0.5)


def test_best_interval_without_writes_or_failures():
    np.testing.assert_array_equal(best_interval([0.0, 10.0], [100.0, np.inf]), [0.0, np.inf])


@pytest.mark.parametrize(
    ("work", "interval", "write", "restart", "mtbf"),
    [
        (500 * HOUR, 500 * HOUR / 256, 300.0, 600.0, 24 * HOUR),
        (100 * HOUR, 1 * HOUR, 600.0, 1200.0, 3 * HOUR),
        (50 * HOUR, 0.7 * HOUR, 60.0, 0.0, 1 * HOUR),
        (10 * HOUR, 20 * HOUR, 0.0, 300.0, 100 * HOUR),
    ],
)
def test_simulation_meets_the_closed_form(work, interval, write, restart, mtbf):
    sample = simulate_goodput(
        work, interval, write, restart, mtbf, 20_000, np.random.default_rng(5)
    )
    expected = float(expected_runtime(work, interval, write, restart, mtbf))
    assert abs(sample.mean_s - expected) <= max(0.01 * expected, 3 * sample.standard_error_s)
    assert sample.standard_error_s <= 0.004 * expected
    # Failures come at rate 1/M over the whole run time (Wald).
    assert sample.failures.mean() == pytest.approx(expected / mtbf, rel=0.05)


def test_one_seed_one_sample():
    runs = [
        simulate_goodput(1e5, 1e3, 10.0, 5.0, 1e4, 50, np.random.default_rng(3)) for _ in range(2)
    ]
    np.testing.assert_array_equal(runs[0].runtime_s, runs[1].runtime_s)

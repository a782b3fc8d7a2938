import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.cost.operators import (
    Work,
    operator_time,
    seconds_per_byte,
    shape_efficiency,
    smooth_max,
)
from dcsim.records.profile import OperatorParameters

HOST = OperatorParameters(
    "gemm",
    overhead_s=1e-6,
    peak_flops=1e11,
    bandwidth_bytes_per_s=(2e11, 5e10, 1e10),
    level_bytes=(1e6, 3e7),
    shape_knee=(1.0, 2.0, 0.5),
)
positive = st.floats(1e-9, 1e9)
dimension = st.integers(1, 10_000)


@given(positive, positive, st.floats(1.0, 40.0))
def test_smooth_max_lies_between_the_maximum_and_the_sum(a: float, b: float, p: float) -> None:
    value = float(smooth_max(a, b, p))
    assert max(a, b) * (1 - 1e-12) <= value <= (a + b) * (1 + 1e-12)


def test_smooth_max_of_equal_times_is_the_closed_form_and_zero_stays_zero() -> None:
    assert smooth_max(2.0, 2.0, 3.0) == pytest.approx(2.0 * 2.0 ** (1 / 3))
    assert smooth_max(0.0, 0.0) == 0.0
    assert smooth_max(0.0, 5.0) == 5.0


def test_smooth_max_survives_times_whose_powers_underflow() -> None:
    assert smooth_max(1e-200, 1e-200, 2.0) == pytest.approx(math.sqrt(2) * 1e-200)


def test_efficiency_halves_where_a_dimension_equals_knee_times_ridge() -> None:
    assert shape_efficiency(20.0, np.inf, np.inf, (2.0, 9.0, 9.0), 10.0) == pytest.approx(0.5)
    assert shape_efficiency(np.inf, np.inf, np.inf, (2.0, 9.0, 9.0), 10.0) == 1.0


@given(dimension, dimension, dimension)
def test_efficiency_rises_with_every_dimension(m: int, n: int, k: int) -> None:
    knee = (1.0, 2.0, 3.0)
    here = shape_efficiency(m, n, k, knee, 5.0)
    assert 0.0 < here < 1.0
    assert shape_efficiency(2 * m, n, k, knee, 5.0) > here
    assert shape_efficiency(m, 2 * n, k, knee, 5.0) > here
    assert shape_efficiency(m, n, 2 * k, knee, 5.0) > here


def test_a_byte_costs_the_rate_of_the_level_that_holds_it() -> None:
    rates, edges = (100.0, 10.0, 1.0), (1e3, 1e9)
    assert seconds_per_byte(1.0, rates, edges) == pytest.approx(0.01, rel=1e-3)
    assert seconds_per_byte(1e6, rates, edges) == pytest.approx(0.1, rel=1e-3)
    assert seconds_per_byte(1e14, rates, edges) == pytest.approx(1.0, rel=1e-3)
    # At an edge, half of the traffic misses.
    assert seconds_per_byte(1e3, rates, edges) == pytest.approx((0.01 + 0.1) / 2, rel=1e-3)


@given(dimension, dimension, dimension)
def test_more_work_never_takes_less_time(m: int, n: int, k: int) -> None:
    def seconds(m: int, n: int, k: int) -> float:
        moved = 8.0 * (m * k + k * n + m * n)
        return float(operator_time(Work(2.0 * m * n * k, moved, moved, m, n, k), HOST))

    assert HOST.overhead_s < seconds(m, n, k) < seconds(m + 1, n, k)
    assert seconds(m, n, k) < seconds(m, n + 1, k)
    assert seconds(m, n, k) < seconds(m, n, k + 1)


def test_limits_of_large_products_and_of_streams() -> None:
    n = 1e6
    product = Work(2 * n**3, 24 * n**2, 24 * n**2, n, n, n)
    assert operator_time(product, HOST) == pytest.approx(2 * n**3 / HOST.peak_flops, rel=0.01)
    stream = Work(0.0, 1e12, 1e12)
    assert operator_time(stream, HOST) == pytest.approx(1e12 / 1e10, rel=0.01)


def test_arguments_broadcast() -> None:
    work = Work(np.ones((3, 1)), np.ones(4), 1.0)
    assert operator_time(work, HOST).shape == (3, 4)


def test_ridge_is_peak_over_the_slowest_bandwidth() -> None:
    assert HOST.ridge_flop_per_byte == pytest.approx(10.0)

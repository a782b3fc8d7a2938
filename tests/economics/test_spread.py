import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.economics import Z90, draw
from dcsim.records import Interval


@given(
    st.floats(0.01, 1e6),
    st.floats(1.0, 10.0),
    st.floats(1.0, 10.0),
    st.sampled_from([-Z90, 0, Z90]),
)
def test_the_quantiles_are_the_bounds(value: float, down: float, up: float, z: float) -> None:
    interval = Interval(value, value / down, value * up, "USD")
    expected = {-Z90: interval.low, 0: interval.value, Z90: interval.high}[z]
    assert draw(interval, z) == pytest.approx(expected)


@given(st.floats(0.5, 2.0), st.lists(st.floats(-4, 4), min_size=2, max_size=20))
def test_draws_rise_with_the_score(value: float, scores: list[float]) -> None:
    draws = draw(Interval(value, value / 2, value * 3, "s"), np.sort(scores))
    assert np.all(np.diff(draws) >= 0)


def test_an_interval_that_reaches_zero_is_drawn_linearly() -> None:
    interval = Interval(2.0, 0.0, 5.0, "USD")
    assert draw(interval, [-Z90, 0.0, Z90]) == pytest.approx([0.0, 2.0, 5.0])


def test_an_exact_figure_does_not_vary() -> None:
    assert draw(Interval.exact(3.0, "W"), [-2.0, 0.0, 2.0]) == pytest.approx([3.0] * 3)

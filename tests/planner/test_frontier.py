"""The frontier against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.planner.frontier import dominates, pareto

# Few distinct values make ties, the case that sorting gets wrong.
point = st.tuples(st.integers(0, 6), st.integers(0, 6))


def _brute_force(points: list[tuple[int, int]]) -> list[bool]:
    def beaten(p: tuple[int, int]) -> bool:
        return any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)

    return [not beaten(p) for p in points]


@given(st.lists(point, max_size=25))
def test_frontier_is_what_brute_force_finds(points: list[tuple[int, int]]) -> None:
    time = [p[0] for p in points]
    cost = [p[1] for p in points]
    assert pareto(time, cost).tolist() == _brute_force(points)


@given(st.lists(point, min_size=1, max_size=25))
def test_nothing_dominates_a_point_of_the_frontier(points: list[tuple[int, int]]) -> None:
    time = np.array([p[0] for p in points], dtype=float)
    cost = np.array([p[1] for p in points], dtype=float)
    keep = pareto(time, cost)
    for t, c, on_frontier in zip(time, cost, keep, strict=True):
        assert dominates(time, cost, (t, c)).any() != on_frontier


def test_equal_points_share_the_frontier() -> None:
    assert pareto([2.0, 2.0, 3.0], [5.0, 5.0, 5.0]).tolist() == [True, True, False]


@pytest.mark.parametrize("unknown", [np.inf])
def test_an_infinite_cost_never_beats_a_finite_one(unknown: float) -> None:
    assert pareto([1.0, 1.0], [unknown, 7.0]).tolist() == [False, True]

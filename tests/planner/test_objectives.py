import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.planner.objectives import judge
from dcsim.planner.reasons import missed, worst_missed
from dcsim.records import InputError
from dcsim.scenario.resolved import Objective


def objective(
    target: float, confidence: float = 0.9, sense: str = "at_most", hard: bool = False
) -> Objective:
    return Objective("bound", "base.finish", sense, target, "s", hard, confidence, "a bound")


@given(
    st.lists(st.floats(1.0, 1e6), min_size=1, max_size=40),
    st.floats(1.0, 1e6),
    st.floats(0.01, 1.0),
    st.sampled_from(["at_most", "at_least"]),
)
def test_a_shortfall_says_the_same_as_met(
    values: list[float], target: float, confidence: float, sense: str
) -> None:
    verdict = judge(objective(target, confidence, sense), {"base.finish": np.array(values)})
    assert verdict.met == (verdict.confidence >= confidence)
    assert (verdict.shortfall > 0.0) == (not verdict.met)
    assert verdict.value.low <= verdict.value.value <= verdict.value.high


def test_confidence_is_the_share_of_runs_that_meet_the_bound() -> None:
    samples = {"base.finish": np.arange(1.0, 11.0)}
    assert judge(objective(9.0), samples).confidence == pytest.approx(0.9)
    assert judge(objective(9.0), samples).met
    assert not judge(objective(8.5), samples).met
    assert judge(objective(8.5), samples).shortfall == pytest.approx(0.5 / 8.5)
    at_least = judge(objective(3.0, sense="at_least"), samples)
    assert at_least.confidence == pytest.approx(0.8)


def test_an_unknown_metric_is_the_users_fault() -> None:
    with pytest.raises(InputError, match=r"no metric 'base.finish'.*total.cost"):
        judge(objective(1.0), {"total.cost": np.ones(3)})


def test_a_miss_is_said_in_the_unit_of_the_objective() -> None:
    day = 86400.0
    late = judge(objective(60 * day), {"base.finish": np.full(4, 83 * day)})
    assert missed(late) == "late by 23 d"
    unsure = judge(objective(60 * day), {"base.finish": np.array([59.0, 59.5, 59.8, 61.0]) * day})
    assert missed(unsure) == "75 % sure of 60 d"


def test_a_miss_in_money_is_relative() -> None:
    budget = Objective("budget", "total.cost", "at_most", 2.0e6, "USD", False, 0.5, "")
    verdict = judge(budget, {"total.cost": np.full(4, 3.08e6)})
    assert missed(verdict) == "54 % over 2 M USD"


def test_hard_objectives_are_named_before_soft_ones() -> None:
    samples = {"base.finish": np.full(4, 2.0)}
    soft = judge(objective(0.1), samples)
    hard = judge(objective(1.9, hard=True), samples)
    assert worst_missed([soft, hard]) is hard
    assert worst_missed([judge(objective(3.0), samples)]) is None

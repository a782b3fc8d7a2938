"""The choice among candidates whose figures are given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.economics import Bill, Rates
from dcsim.planner.candidates import Candidate
from dcsim.planner.choose import (
    binding_constraints,
    compare,
    feasible,
    frontier,
    nearest_miss,
    recommend,
)
from dcsim.planner.frontier import dominates
from dcsim.planner.objectives import judge_all
from dcsim.planner.outcomes import Outcome
from dcsim.planner.space import ClusterOption
from dcsim.records import Interval
from dcsim.scenario.resolved import Objective

NOTHING = Interval.exact(0.0, "")
OPTION = ClusterOption(
    groups=(),
    fabric=None,
    rates=Rates(NOTHING, NOTHING, 0.0, 0.0, NOTHING, 0.0, 0.0, False, 1.0, 0.0, 0.0),
    violations=(),
)
DEADLINE = Objective("deadline", "total.finish", "at_most", 50.0, "s", True, 0.9, "by 50 s")
BUDGET = Objective("budget", "total.cost", "at_most", 60.0, "USD", False, 0.5, "at most 60 USD")


def candidate(
    name: str,
    time_s: float,
    cost_usd: float,
    objectives: tuple[Objective, ...] = (),
    refusal: str = "",
    refused_by: str = "",
) -> Candidate:
    zero = np.zeros(1)
    outcome = Outcome(
        simulated=True,
        finish_s={},
        makespan_s=np.array([time_s]),
        seconds={},
        bill=Bill(np.array([cost_usd]), zero, zero, zero, zero, zero),
        failures=zero,
        ettr=zero,
        goodput=zero,
    )
    verdicts = judge_all(objectives, outcome.samples())
    return Candidate(name, OPTION, (), 0, refusal, refused_by, outcome, verdicts)


figure = st.integers(1, 100)
several = st.lists(
    st.tuples(figure, figure, st.sampled_from(["", "", "memory", "site"])), min_size=1, max_size=12
)


@given(several, st.sampled_from([(), (DEADLINE,), (BUDGET,), (DEADLINE, BUDGET)]))
def test_nothing_feasible_dominates_the_recommended(
    rows: list[tuple[int, int, str]], objectives: tuple[Objective, ...]
) -> None:
    candidates = [
        candidate(f"c{i}", float(t), float(c), objectives, refused and "no", refused)
        for i, (t, c, refused) in enumerate(rows)
    ]
    chosen = recommend(candidates)
    able = [c for c in candidates if feasible(c)]
    assert (chosen is None) == (not able)
    compared = compare(candidates)
    if chosen is not None:
        rivals = [c.time_s for c in able], [c.cost_usd for c in able]
        assert not dominates(*rivals, (chosen.time_s, chosen.cost_usd)).any()
        assert [c.id for c in compared if c.status == "recommended"] == [chosen.id]
    for before, after in zip(candidates, compared, strict=True):
        assert (after.status == "infeasible") == (not feasible(before))
        assert bool(after.why_not) == (after.status != "recommended")


def test_the_cheapest_that_meets_the_objectives_is_chosen() -> None:
    candidates = [
        candidate("late", 70.0, 10.0, (DEADLINE, BUDGET)),
        candidate("good", 45.0, 50.0, (DEADLINE, BUDGET)),
        candidate("fast", 20.0, 55.0, (DEADLINE, BUDGET)),
        candidate("dear", 10.0, 90.0, (DEADLINE, BUDGET)),
    ]
    late, good, fast, dear = compare(candidates)
    assert [c.status for c in (late, good, fast, dear)] == [
        "infeasible",
        "recommended",
        "frontier",
        "frontier",
    ]
    assert fast.why_not == "10 % dearer"
    assert dear.why_not == "50 % over 60 USD"


def test_a_missed_soft_objective_still_gives_a_plan() -> None:
    candidates = [candidate("a", 40.0, 90.0, (BUDGET,)), candidate("b", 60.0, 70.0, (BUDGET,))]
    chosen = recommend(candidates)
    assert chosen is not None
    assert chosen.id == "b"


def test_a_constraint_binds_when_lifting_it_changes_the_plan() -> None:
    candidates = [
        candidate("late", 70.0, 10.0, (DEADLINE,)),
        candidate("big", 30.0, 5.0, (DEADLINE,), "needs 96 GB of 80 GB", "memory"),
        candidate("good", 45.0, 50.0, (DEADLINE,)),
    ]
    found = {b.constraint: b.without for b in binding_constraints(candidates)}
    assert found == {"memory": "big", "deadline": "late"}


def test_without_a_feasible_plan_the_nearest_miss_is_named() -> None:
    candidates = [
        candidate("far", 90.0, 10.0, (DEADLINE,)),
        candidate("near", 55.0, 20.0, (DEADLINE,)),
        candidate("refused", 1.0, 1.0, (DEADLINE,), "needs more", "memory"),
    ]
    assert recommend(candidates) is None
    assert frontier(candidates) == []
    near = nearest_miss(candidates)
    assert near is not None
    assert near.id == "near"
    assert {b.constraint for b in binding_constraints(candidates)} == {"deadline", "memory"}


@pytest.mark.parametrize("objectives", [(), (BUDGET,)])
def test_no_candidate_gives_no_plan(objectives: tuple[Objective, ...]) -> None:
    assert recommend([]) is None
    assert nearest_miss([]) is None
    assert binding_constraints([]) == ()

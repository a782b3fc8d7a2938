"""Which candidates a cluster gives."""

from dataclasses import replace
from pathlib import Path

import pytest

from dcsim import catalogue
from dcsim.calibration import reference_profile
from dcsim.planner.candidates import Candidate, build_candidates
from dcsim.planner.space import cluster_option
from dcsim.scenario import load_scenario
from dcsim.scenario.resolved import NodeGroup, Scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(SCENARIOS / "pretrain-llama3-8b.yaml")


def candidates(scenario: Scenario, count: int, as_given: bool = False) -> list[Candidate]:
    group = NodeGroup("main", catalogue.node("hgx-h100"), count)
    option = cluster_option(scenario, (group,))
    told: list[int] = []
    space = build_candidates([option], scenario, reference_profile(), told.append, as_given)
    assert told == [1]
    assert space.layouts > 0
    return list(space.candidates)


def test_ids_are_unique_and_name_the_layout(scenario: Scenario) -> None:
    found = candidates(scenario, 16)
    assert len({c.id for c in found}) == len(found)
    for candidate in found:
        assert candidate.lead is not None
        assert candidate.id.startswith("16xhgx-h100-")
        assert f"mb{candidate.lead.layout.micro_batch}" in candidate.id
        assert bool(candidate.refusal) == (not candidate.lead.fits)


def test_nodes_that_no_layout_divides_become_spares(scenario: Scenario) -> None:
    found = candidates(scenario, 134)
    assert found
    for candidate in found:
        assert candidate.lead is not None
        assert candidate.lead.accelerators == (134 - candidate.spares) * 8
    assert 6 in {c.spares for c in found}


def test_a_run_keeps_one_layout_and_no_more_spares_than_it_must(scenario: Scenario) -> None:
    (only,) = candidates(scenario, 32, as_given=True)
    assert only.spares == 0
    pinned = replace(scenario, policies=replace(scenario.policies, spares=2))
    (kept,) = candidates(pinned, 34, as_given=True)
    assert kept.spares == 2
    assert kept.lead is not None
    assert kept.lead.accelerators == 256


def test_a_cluster_that_nothing_divides_says_so(scenario: Scenario) -> None:
    work = next(w for w in scenario.workload if w.name == "base")
    odd = replace(work, global_batch=7)
    (only,) = candidates_of(replace(scenario, workload=(odd,)))
    assert only.refused_by == "layout"
    assert only.refusal == "no layout of base divides 88 GPUs"


def candidates_of(scenario: Scenario) -> list[Candidate]:
    option = cluster_option(scenario, (NodeGroup("main", catalogue.node("hgx-h100"), 11),))
    space = build_candidates([option], scenario, reference_profile(), lambda done: None)
    return list(space.candidates)

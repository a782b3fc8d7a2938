"""Screening against the cost model, one layout at a time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcsim import catalogue
from dcsim.calibration import reference_profile
from dcsim.cost.training import estimate_training
from dcsim.planner.screen import operators, screen
from dcsim.planner.space import cluster_option, layouts_for
from dcsim.scenario import load_scenario
from dcsim.scenario.resolved import NodeGroup, Scenario, TrainingWork
from dcsim.topology import tiers
from dcsim.workload.table import TrainingTable

SCENARIOS = Path(__file__).parents[2] / "scenarios"
GROUP = NodeGroup("main", catalogue.node("hgx-h100"), 8)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(SCENARIOS / "pretrain-llama3-8b.yaml")


def training(scenario: Scenario) -> TrainingWork:
    return next(work for work in scenario.workload if isinstance(work, TrainingWork))


def one_by_one(work: TrainingWork, scenario: Scenario) -> list[tuple[float, bool]]:
    """Time and fit of every layout, each estimated by itself."""
    layouts = layouts_for(work, GROUP, 64, scenario)
    network = tiers(scenario.cluster.network, GROUP.node, GROUP.count)
    found = []
    for row in range(0, len(layouts), 7):
        table = TrainingTable.from_layouts(
            work.model,
            catalogue.accelerator(GROUP.node.accelerator),
            network,
            layouts.take(np.array([row])),
            work.global_batch,
            work.seq_len,
            work.precision,
            work.software,
        )
        estimate = estimate_training(table, reference_profile())
        found.append((float(estimate.iteration_s[0]), bool(estimate.fits[0])))
    return found


def test_nothing_that_fits_is_faster_than_the_best(scenario: Scenario) -> None:
    work = training(scenario)
    found = screen(work, cluster_option(scenario, (GROUP,)), scenario, reference_profile())
    times = [step.iteration.value for step in found.best]
    assert times == sorted(times)
    assert all(step.fits for step in found.best)
    alone = one_by_one(work, scenario)
    assert min(time for time, fits in alone if fits) >= times[0] * (1 - 1e-9)
    assert found.misfit is not None
    assert not found.misfit.fits
    assert min(time for time, _ in alone) >= found.misfit.iteration.value * (1 - 1e-9)


def test_parts_and_operators_sum_to_the_step(scenario: Scenario) -> None:
    work = training(scenario)
    best = screen(work, cluster_option(scenario, (GROUP,)), scenario, reference_profile()).best[0]
    assert sum(best.parts_s.values()) == pytest.approx(best.iteration.value)
    inner = operators(best, scenario, reference_profile())
    assert sum(inner.values()) == pytest.approx(best.parts_s["compute"])
    assert best.layout.tp * best.layout.pp * best.layout.dp * best.layout.cp == 64


def test_where_nothing_fits_the_smallest_need_is_shown(scenario: Scenario) -> None:
    large = replace(training(scenario), model=catalogue.model("llama3-405b"))
    group = replace(GROUP, count=1)
    option = cluster_option(scenario, (group,))
    found = screen(large, option, scenario, reference_profile())
    assert found.best == ()
    assert found.misfit is not None
    least = screen(large, option, scenario, reference_profile(), keep=1).misfit
    assert least == found.misfit
    assert found.misfit.memory_device_bytes > found.misfit.memory_capacity_bytes


def test_a_group_without_room_has_no_layout(scenario: Scenario) -> None:
    work = replace(training(scenario), accelerators=1024)
    found = screen(work, cluster_option(scenario, (GROUP,)), scenario, reference_profile())
    assert (found.layouts, found.best, found.misfit) == (0, (), None)

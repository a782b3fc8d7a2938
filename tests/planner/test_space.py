"""Which clusters a site can hold, and what the plan may vary."""

from dataclasses import replace
from pathlib import Path

import pytest

from dcsim import catalogue
from dcsim.planner.space import (
    SPARES_TRIED,
    accelerator_choices,
    cluster_options,
    layouts_for,
    racks_needed,
    site_violations,
    spares_range,
)
from dcsim.scenario import load_scenario
from dcsim.scenario.resolved import FixedLayout, NodeGroup, Scenario, TrainingWork
from dcsim.topology import build_fabric

SCENARIOS = Path(__file__).parents[2] / "scenarios"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(SCENARIOS / "pretrain-llama3-8b.yaml")


def training(scenario: Scenario) -> TrainingWork:
    return next(work for work in scenario.workload if isinstance(work, TrainingWork))


def test_options_are_every_type_with_every_count(scenario: Scenario) -> None:
    options = cluster_options(scenario)
    varied = scenario.plan
    found = {(o.groups[0].node.name, o.groups[0].count) for o in options}
    assert found == {
        (node.name, count)
        for node in varied.node_types["main"]
        for count in varied.node_counts["main"]
    }
    assert len(options) == len(found)


def test_a_group_that_is_not_varied_stays_as_it_is(scenario: Scenario) -> None:
    fixed = replace(scenario, plan=replace(scenario.plan, node_counts={}, node_types={}))
    (option,) = cluster_options(fixed)
    assert option.groups == scenario.cluster.groups


def test_site_power_counts_ratings_fabric_storage_and_cooling(scenario: Scenario) -> None:
    node = catalogue.node("hgx-h100")
    cluster = scenario.cluster
    groups = [NodeGroup("main", node, 10)]
    fabric = build_fabric(cluster.network, groups, cluster.storage.servers)
    rated = 10 * node.rated_w + cluster.storage.servers * cluster.storage.system.server_power_w
    needed = (rated + fabric.parts.power_w) * scenario.site.pue
    enough = replace(scenario.site, power_w=needed)
    short = replace(scenario.site, power_w=0.99 * needed)
    assert site_violations(groups, fabric, cluster, enough) == ()
    (why,) = site_violations(groups, fabric, cluster, short)
    assert why.endswith("site power")


def test_racks_are_limited_by_height_and_power() -> None:
    node = replace(catalogue.node("hgx-h100"), rack_units=8.0, rated_w=10_000.0)
    assert racks_needed(node, 10, None) == 2
    assert racks_needed(node, 10, 40_000.0) == 3
    assert racks_needed(node, 10, 5_000.0) == 10
    rack_scale = replace(node, rack_units=48.0)
    assert racks_needed(rack_scale, 3, None) == 3


def test_a_rack_that_cannot_feed_a_node_is_named(scenario: Scenario) -> None:
    node = catalogue.node("hgx-h100")
    site = replace(scenario.site, rack_power_w=node.rated_w / 2)
    (why,) = site_violations([NodeGroup("main", node, 1)], None, scenario.cluster, site)
    assert why.endswith("rack power")


def test_spares_are_not_computed_on(scenario: Scenario) -> None:
    work, group = training(scenario), NodeGroup("main", catalogue.node("hgx-h100"), 4)
    assert accelerator_choices(work, group, 0) == (32,)
    assert accelerator_choices(work, group, 1) == (24,)
    assert accelerator_choices(replace(work, accelerators=16), group, 1) == (16,)
    assert accelerator_choices(replace(work, accelerators=32), group, 1) == ()
    assert accelerator_choices(work, group, 4) == ()


def test_a_rack_of_72_may_be_used_by_64(scenario: Scenario) -> None:
    group = NodeGroup("main", catalogue.node("gb200-nvl72"), 4)
    assert accelerator_choices(training(scenario), group, 0) == (288, 256)


def test_pins_of_the_job_come_before_those_of_the_plan(scenario: Scenario) -> None:
    group = NodeGroup("main", catalogue.node("hgx-h100"), 4)
    work = replace(training(scenario), layout=FixedLayout(tp=2))
    pinned = (FixedLayout(tp=4, pp=2), FixedLayout(pp=4))
    narrowed = replace(scenario, plan=replace(scenario.plan, parallelism=pinned))
    layouts = layouts_for(work, group, 32, narrowed)
    assert set(layouts.tp) == {2}
    assert set(layouts.pp) == {2, 4}
    assert set(layouts_for(work, group, 32, narrowed, as_given=True).pp) > {2, 4}


def test_spares_are_tried_only_where_nobody_says_how_many(scenario: Scenario) -> None:
    plan = replace(scenario.plan, node_counts={"main": (17,)}, node_types={})
    (small,) = cluster_options(replace(scenario, plan=plan))
    assert spares_range(small, scenario) == (range(2), SPARES_TRIED)
    assert spares_range(small, scenario, as_given=True) == (range(2), 1)
    said = replace(scenario, policies=replace(scenario.policies, spares=3))
    assert spares_range(small, said) == (range(3, 4), 1)
    calm = replace(scenario, policies=replace(scenario.policies, failures=None))
    assert spares_range(small, calm) == (range(2), 1)

"""Expected outcomes against what can be computed by hand."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import catalogue
from dcsim.planner.expected import erlang_loss, expected_outcome, job_time
from dcsim.planner.sampling import draw_scores
from dcsim.planner.screen import Layout, Step
from dcsim.planner.space import cluster_option
from dcsim.records import Interval
from dcsim.scenario import load_scenario
from dcsim.scenario.resolved import NodeGroup, Scenario, TrainingWork

SCENARIOS = Path(__file__).parents[2] / "scenarios"
GROUP = NodeGroup("main", catalogue.node("hgx-h100"), 16)
PARTS = ("compute", "tp", "pp_bubble", "dp", "ep", "cp", "optimizer", "other")
SHARES = dict(zip(PARTS, (0.6, 0.1, 0.1, 0.1, 0.0, 0.0, 0.05, 0.05), strict=True))


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(SCENARIOS / "pretrain-llama3-8b.yaml")


def reliable(scenario: Scenario) -> Scenario:
    return replace(scenario, policies=replace(scenario.policies, failures=None))


def step(scenario: Scenario, accelerators: int = 128, **changes: float) -> Step:
    work = next(work for work in scenario.workload if isinstance(work, TrainingWork))
    return Step(
        work=replace(work, **changes),
        group=GROUP,
        accelerators=accelerators,
        layout=Layout(1, 1, 1, accelerators, 1, 1, 1, "none", 1, False),
        iteration=Interval(10.0, 8.0, 13.0, "s"),
        parts_s={name: 10.0 * share for name, share in SHARES.items()},
        memory_device_bytes=70e9,
        memory_capacity_bytes=80e9,
        fits=True,
        mfu=0.4,
        hfu=0.4,
        model_flops=1e18,
        bottleneck="matrix products",
        parameters=8e9,
    )


def test_without_failures_a_run_is_its_steps_and_one_save(scenario: Scenario) -> None:
    calm = reliable(scenario)
    job = step(calm, tokens=1e9)
    time = job_time(job, calm, np.ones(1))
    assert time.failures == 0.0
    assert time.seconds["checkpoint"] > 0.0
    compute = job.steps * 10.0
    assert time.total_s == pytest.approx(compute + time.seconds["checkpoint"])
    assert time.seconds["pipeline_bubble"] == pytest.approx(0.1 * compute)
    assert time.seconds["exposed_communication"] == pytest.approx(0.2 * compute)


@given(st.floats(0.5, 4.0))
def test_failures_only_ever_cost_time(factor: float) -> None:
    scenario = load_scenario(SCENARIOS / "pretrain-llama3-8b.yaml")
    job, slow = step(scenario), np.array([factor])
    with_failures = job_time(job, scenario, slow)
    without = job_time(job, reliable(scenario), slow)
    assert with_failures.total_s > without.total_s
    assert all(np.all(s >= 0.0) for s in with_failures.seconds.values())


@given(st.integers(0, 12), st.floats(0.01, 20.0))
def test_erlang_loss_is_the_textbook_sum(servers: int, load: float) -> None:
    terms = [load**n / math.factorial(n) for n in range(servers + 1)]
    assert erlang_loss(servers, load) == pytest.approx(terms[-1] / sum(terms))


def test_a_free_node_saves_the_wait_for_repairs(scenario: Scenario) -> None:
    full, partly = step(scenario, 128), step(scenario, 120)
    ones = np.ones(1)
    assert job_time(full, scenario, ones).queued_s > job_time(partly, scenario, ones).queued_s > 0


def outcome_of(scenario: Scenario, *jobs: Step):
    option = cluster_option(scenario, (GROUP,))
    scores = draw_scores(16, 1, ["H100-SXM"], [option.price_key])
    return expected_outcome(jobs, (), option, scenario, scores)


def test_the_ledger_sums_to_the_capacity(scenario: Scenario) -> None:
    found = outcome_of(scenario, step(scenario))
    assert sum(found.seconds.values()) == pytest.approx(found.makespan_s * 128)
    assert np.all(found.goodput <= 1.0)
    assert np.all(found.ettr <= found.goodput)


def test_jobs_of_one_pool_wait_for_each_other(scenario: Scenario) -> None:
    calm = reliable(scenario)
    first, second = step(calm), step(calm)
    second = replace(second, work=replace(second.work, name="second"))
    alone = outcome_of(calm, first)
    both = outcome_of(calm, first, second)
    assert both.makespan_s == pytest.approx(2 * alone.makespan_s)
    half = [replace(job, accelerators=64) for job in (first, second)]
    assert outcome_of(calm, *half).makespan_s == pytest.approx(alone.makespan_s)


def test_a_job_of_higher_priority_goes_first(scenario: Scenario) -> None:
    calm = reliable(scenario)
    low, high = step(calm), step(calm)
    high = replace(high, work=replace(high.work, name="high", priority=5))
    found = outcome_of(calm, low, high)
    assert np.all(found.finish_s["high"] < found.finish_s["base"])


def test_intervals_come_from_the_step_and_the_price(scenario: Scenario) -> None:
    found = outcome_of(reliable(scenario), step(scenario))
    assert found.time.high / found.time.value == pytest.approx(1.3, rel=0.06)
    assert found.cost.high / found.cost.value > found.time.high / found.time.value

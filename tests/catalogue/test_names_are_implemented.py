"""What the catalogue names, the code can do; and what the code can do, it names."""

import pytest

from dcsim import catalogue
from dcsim.scheduling.policies import PLACEMENTS, SCHEDULERS
from dcsim.training import jobs
from dcsim.workload.layouts import RECOMPUTES


def test_schedulers() -> None:
    named = catalogue.names("scheduler")
    meant = {catalogue.named("scheduler", name).name for name in SCHEDULERS}
    assert meant == set(named)
    assert all(name in SCHEDULERS for name in named)


def test_placements() -> None:
    assert set(catalogue.names("placement")) == set(PLACEMENTS)


def test_recomputation() -> None:
    assert catalogue.names("recompute") == RECOMPUTES


def test_jobs() -> None:
    assert set(catalogue.names("job")) == set(jobs.names())
    for name, entry in catalogue.entries("job").items():
        network = entry.parameters.get("network")  # only some networks have a card
        assert network is None or network in catalogue.names("models")
        jobs.job(name)


@pytest.mark.parametrize("key", ["epochs", "batch_size", "max_steps", "rate", "seed"])
def test_parameters_that_a_scenario_may_change(key: str) -> None:
    for name in catalogue.names("job"):
        assert key in jobs.job(name).parameters()


def test_small_networks_have_the_widths_that_are_named() -> None:
    widths = {name: catalogue.model(name).widths for name in ("mlp-128-64-1", "mlp-128-64-10")}
    for job_name, card in (("medical-classifier", "mlp-128-64-1"), ("digits-mlp", "mlp-128-64-10")):
        hidden = tuple(int(width) for width in jobs.job(job_name).hidden.split("-"))
        assert widths[card][1:-1] == hidden


def test_metrics_have_the_units_of_the_results() -> None:
    from dcsim.planner.outcomes import METRIC_UNITS

    for name, entry in catalogue.entries("metric").items():
        assert METRIC_UNITS[name.rpartition(".")[2]] == entry.unit


def test_topologies() -> None:
    from dcsim.topology.builders import SWITCHED

    assert set(catalogue.names("topology")) == {*SWITCHED, "torus"}


def test_every_option_of_a_topology_can_be_written() -> None:
    from dcsim.scenario.schema import NetworkPart
    from dcsim.topology.spec import option_names

    assert set(option_names) <= {*NetworkPart.model_fields, *NetworkPart.later}

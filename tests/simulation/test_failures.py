"""Failures of nodes: how often, whom they hit, correlated ones and lemons."""

import numpy as np
import pytest
from simulation_scenes import breakdowns, cluster, crashes, pool, training

from dcsim.records import InputError
from dcsim.simulation import FailureClass, Lemons, simulate


def hopeful(**changes):
    """A run that never ends on its own, to count failures in."""
    return training(steps=10**9, checkpoint_interval_s=100.0, **changes)


@pytest.mark.parametrize("shape", [0.7, 1.0, 3.0])
def test_failures_come_at_their_rate_whatever_the_shape(shape):
    kind = crashes(1000.0, 32, shape=shape)
    spec = cluster(hopeful(), failures=(kind,), horizon_s=2e6, audit=False)
    record = simulate(spec, 1)
    expected = 2e6 / 1000.0
    # New nodes of shape < 1 fail early, of shape > 1 late: at most a few failures a node.
    assert record.jobs[0].failures == pytest.approx(expected, abs=4 * np.sqrt(expected) + 8)


def test_a_job_is_hit_by_its_share_of_failures():
    jobs = (hopeful(name="big", accelerators=24), hopeful(name="small", accelerators=4))
    spec = cluster(*jobs, failures=(crashes(500.0, 32),), horizon_s=5e5, audit=False)
    record = simulate(spec, 2)
    assert record.job("big").failures == pytest.approx(750, rel=0.15)
    assert record.job("small").failures == pytest.approx(125, rel=0.3)


def test_idle_nodes_break_as_well():
    spec = cluster(
        hopeful(accelerators=8),
        failures=(breakdowns(5000.0, 32, repair_s=500.0),),
        horizon_s=5e5,
    )
    record = simulate(spec, 1)
    away = record.nodes.repair_share
    # Each node fails every 20,000 s and is away for 500 s.
    assert away.mean() == pytest.approx(500 / 20_500, rel=0.4)
    assert np.count_nonzero(record.nodes.failures) == 4


def test_a_rack_fails_as_one():
    rack = breakdowns(2e5, 64, nodes_at_once=4, repair_s=3600.0, restart_s=10.0)
    spec = cluster(
        hopeful(accelerators=16),
        pools=(pool(nodes=8),),
        failures=(rack,),
        horizon_s=3e6,
        spares={"main": 4},
    )
    record = simulate(spec, 1)
    failures = record.nodes.failures
    assert failures[:4].max() > 0
    np.testing.assert_array_equal(failures[:4], failures[0])
    np.testing.assert_array_equal(failures[4:], failures[4])
    assert record.ledger.imbalance() < 1e-9


def test_lemons_fail_more_often_and_the_mean_stays():
    spec = cluster(
        hopeful(accelerators=8),
        pools=(pool(nodes=50),),
        failures=(breakdowns(1000.0, 400, repair_s=0.0),),
        lemons=Lemons(share=0.2, factor=20.0),
        horizon_s=1e6,
        audit=False,
    )
    failures = np.sort(simulate(spec, 1).nodes.failures)
    assert failures.sum() == pytest.approx(1000, rel=0.35)
    lemons, sound = failures[failures > 30], failures[failures <= 30]
    assert 3 <= len(lemons) <= 18
    assert lemons.mean() / sound.mean() == pytest.approx(20.0, rel=0.4)


def test_repairs_take_their_mean_time():
    spec = cluster(
        hopeful(accelerators=8),
        pools=(pool(nodes=20),),
        failures=(breakdowns(500.0, 160, repair_s=1000.0, repair_shape=2.0),),
        horizon_s=3e5,
        audit=False,
    )
    record = simulate(spec, 4)
    begun = sum(e.kind == "failure" for e in record.events)
    down_s = record.nodes.repair_share.sum() * record.end_s
    assert down_s / begun == pytest.approx(1000.0, rel=0.1)


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (FailureClass("bad", -1.0), "at least 0"),
        (FailureClass("bad", 1e-6, shape=0.0), "shapes above 0"),
        (FailureClass("bad", 1e-6, nodes_at_once=0), "at least one node"),
        (FailureClass("bad", 1e-6, repair_s=float("inf")), "finite"),
    ],
)
def test_wrong_failure_classes_are_refused(failure, message):
    with pytest.raises(InputError, match=message):
        simulate(cluster(training(), failures=(failure,)), 1)


def test_wrong_lemons_are_refused():
    with pytest.raises(InputError, match="share between 0 and 1"):
        simulate(cluster(training(), lemons=Lemons(2.0, 3.0)), 1)

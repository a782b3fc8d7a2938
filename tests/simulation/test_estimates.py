"""Closed forms of the undisturbed cluster, against the simulation of it."""

import numpy as np
import pytest
from simulation_scenes import STORAGE, breakdowns, cluster, crashes, pool, training

from dcsim.simulation import simulate
from dcsim.simulation.estimates import (
    failure_rate,
    job_mtbf_s,
    mean_downtime_s,
    storage_rates,
)


@pytest.mark.parametrize(("accelerators", "nic"), [(8, 50e9), (8, 3e9), (32, 3e9)])
def test_idle_rates_are_those_of_the_simulation(accelerators, nic):
    read, write = storage_rates(STORAGE, accelerators // 8, nic)
    job = training(
        accelerators=accelerators, initial_read_bytes=float(read) * 7, checkpoint_bytes=write * 9
    )
    (done,) = simulate(cluster(job, pools=(pool(nic=nic),)), 1).jobs
    assert done.seconds["data_wait"] == pytest.approx(7.0)
    assert done.seconds["checkpoint"] == pytest.approx(9.0)


def test_rates_of_classes_add():
    failures = (breakdowns(100.0, 10, detect_s=5.0), crashes(300.0, 10, restart_s=9.0))
    assert failure_rate(failures) == pytest.approx((1 / 100 + 1 / 300) / 10)
    np.testing.assert_allclose(job_mtbf_s(failures, [10, 20]), [75.0, 37.5])
    assert mean_downtime_s(failures) == pytest.approx(0.75 * 5.0 + 0.25 * 9.0)


def test_without_failures_nothing_ever_fails():
    assert job_mtbf_s((), 8) == np.inf
    assert mean_downtime_s(()) == 0.0

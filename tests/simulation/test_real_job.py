"""Real jobs: their measured times come out of the simulation as they went in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation_scenes import cluster, local, pool, real, training

from dcsim.records import InputError
from dcsim.simulation import simulate


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=50), st.floats(0.0, 2.0))
def test_replay_takes_exactly_the_measured_time(step_s, startup_s):
    spec = cluster(real(step_s=step_s, startup_s=startup_s), pools=(local(),))
    (job,) = simulate(spec, 1).jobs
    assert job.end_s == pytest.approx(startup_s + sum(step_s), rel=1e-12)
    assert job.step_s == np.median(step_s)
    assert job.steps_done == len(step_s)


def test_every_measured_phase_is_in_the_ledger():
    spec = cluster(
        real(startup_s=1.0, load_s=0.5, evaluation_s=0.25, checkpoint_s=0.125, data_bytes=1e6),
        pools=(local(),),
    )
    record = simulate(spec, 1)
    (job,) = record.jobs
    assert job.end_s == 1.0 + 0.5 + 0.875 + 0.25 + 0.125
    assert job.seconds == {"starting": 1.5, "useful_training": 1.125, "checkpoint": 0.125}
    assert record.ledger.capacity_s == 0.0
    assert record.ledgers["local"].imbalance() < 1e-9


def test_a_slow_read_is_waiting_for_data():
    spec = cluster(real(load_s=1.0, data_bytes=3e9), pools=(local(),))
    (job,) = simulate(spec, 1).jobs
    assert job.seconds["data_wait"] == pytest.approx(2.0)


def test_two_real_jobs_take_turns_on_one_slot():
    spec = cluster(real("a"), real("b", step_s=(2.0,)), pools=(local(),))
    record = simulate(spec, 1)
    assert record.job("b").start_s == record.job("a").end_s == 0.875


def test_real_and_simulated_jobs_share_one_cluster():
    spec = cluster(
        training(checkpoint_interval_s=1000.0, checkpoint_bytes=1e11),
        real(submit_s=500.0, data_bytes=1e9, checkpoint_bytes=1e6),
        pools=(pool(), local()),
    )
    record = simulate(spec, 1)
    assert record.job("probe").start_s == 500.0
    assert record.job("base").end_s == pytest.approx(10_000.0 + 10 * 6.25)
    assert record.ledger.capacity_s == pytest.approx(32 * record.end_s)


def test_stopped_replay_counts_whole_steps():
    spec = cluster(real(), pools=(local(),), horizon_s=0.8)
    (job,) = simulate(spec, 1).jobs
    assert (job.status, job.steps_done) == ("running", 2.0)


@pytest.mark.parametrize(
    ("job", "message"),
    [(real(step_s=()), "measured step times"), (real(step_s=(-1.0,)), "measured step times")],
)
def test_wrong_measurements_are_refused(job, message):
    with pytest.raises(InputError, match=message):
        simulate(cluster(job, pools=(local(),)), 1)


def test_real_jobs_need_a_local_pool():
    with pytest.raises(InputError, match="local pool"):
        simulate(cluster(real(), pools=(pool(name="local"),)), 1)

"""One simulated training run: its times in closed form, its failures, its ledger."""

import numpy as np
import pytest
from simulation_scenes import (
    HOUR,
    breakdowns,
    cluster,
    crashes,
    pool,
    training,
)

from dcsim.records import InputError
from dcsim.simulation import expected_runtime, simulate


def only(record):
    (job,) = record.jobs
    return job


def test_undisturbed_run_takes_its_steps():
    job = only(simulate(cluster(training(start_s=60.0)), 1))
    assert job.end_s == pytest.approx(10_060.0)
    assert job.status == "done"
    assert job.seconds == pytest.approx({"starting": 60.0, "useful_training": 10_000.0})


def test_parts_of_a_step_reach_the_ledger():
    spec = cluster(training(exposed_communication_share=0.2, pipeline_bubble_share=0.1))
    ledger = simulate(spec, 1).ledger
    assert ledger.seconds["exposed_communication"] == pytest.approx(0.2 * 32 * 10_000)
    assert ledger.seconds["pipeline_bubble"] == pytest.approx(0.1 * 32 * 10_000)
    assert ledger.ettr == pytest.approx(1.0)


@pytest.mark.parametrize(("accelerators", "write_s"), [(32, 100.0), (8, 100.0)])
def test_idle_checkpoint_takes_bytes_over_rate(accelerators, write_s):
    job = training(accelerators=accelerators, checkpoint_bytes=1.6e12)
    done = only(simulate(cluster(job), 1))
    assert done.seconds["checkpoint"] == pytest.approx(write_s)
    assert done.written_bytes == pytest.approx(1.6e12)


def test_narrow_nics_limit_the_checkpoint():
    spec = cluster(training(checkpoint_bytes=1e12), pools=(pool(nic=1e9),))
    assert only(simulate(spec, 1)).seconds["checkpoint"] == pytest.approx(250.0)


def test_checkpoints_follow_each_interval_and_the_end():
    job = only(
        simulate(cluster(training(checkpoint_interval_s=3000.0, checkpoint_bytes=1.6e10)), 1)
    )
    assert job.checkpoints == 4
    assert job.end_s == pytest.approx(10_000.0 + 4 * 1.0)


def test_checkpoints_behind_the_steps_cost_only_the_last():
    spec = training(
        checkpoint_interval_s=1000.0, checkpoint_bytes=1.6e12, checkpoint_blocking=False
    )
    job = only(simulate(cluster(spec), 1))
    assert job.checkpoints == 10
    assert job.end_s == pytest.approx(10_000.0 + 100.0)


def test_checkpoints_slower_than_the_interval_hold_the_job_back():
    spec = training(
        checkpoint_interval_s=1000.0, checkpoint_bytes=1.6e13 * 1.5, checkpoint_blocking=False
    )
    job = only(simulate(cluster(spec), 1))
    assert job.end_s == pytest.approx(1000.0 + 10 * 1500.0)


def test_slow_storage_makes_the_job_wait_for_data():
    spec = training(data_bytes_per_step=800e9)
    job = only(simulate(cluster(spec), 1))
    assert job.end_s == pytest.approx(1000 * 20.0)
    assert job.seconds["data_wait"] == pytest.approx(10_000.0)
    fast = only(simulate(cluster(training(data_bytes_per_step=200e9)), 1))
    assert fast.end_s == pytest.approx(10_000.0)
    assert fast.seconds.get("data_wait", 0.0) == 0.0


def test_without_prefetch_every_step_waits_for_its_read():
    spec = training(data_bytes_per_step=200e9, prefetch=False)
    job = only(simulate(cluster(spec), 1))
    assert job.end_s == pytest.approx(1000 * 15.0)


@pytest.mark.parametrize("blocking", [True, False])
def test_trains_equal_single_stretches(blocking):
    """A light job beside it never touches the links, but forbids fast-forwarding."""
    spec = training(
        accelerators=16,
        checkpoint_interval_s=700.0,
        checkpoint_bytes=3.2e11,
        data_bytes_per_step=1e6,
        checkpoint_blocking=blocking,
        restore_bytes=3.2e11,
    )
    failures = (crashes(1000.0, 32, detect_s=30.0, restart_s=60.0),)
    idle = training("idle", accelerators=16, steps=1, step_s=1e9, data_bytes_per_step=1.0)
    alone = simulate(cluster(spec, failures=failures), 3)
    beside = simulate(cluster(spec, idle, failures=failures, horizon_s=5e4, audit=False), 3)
    # Failures strike the same accelerators at the same times in both runs.
    assert alone.job("base").failures > 2
    assert beside.job("base").failures == alone.job("base").failures
    assert beside.job("base").end_s == pytest.approx(alone.job("base").end_s, rel=1e-9)
    assert beside.job("base").lost_s == pytest.approx(alone.job("base").lost_s, rel=1e-6)
    assert beside.job("base").checkpoints == alone.job("base").checkpoints
    assert beside.job("base").seconds == pytest.approx(alone.job("base").seconds, rel=1e-6)
    assert alone.event_count < beside.event_count / 2


def test_many_checkpoints_are_few_events():
    spec = training(steps=1_000_000, checkpoint_interval_s=600.0, checkpoint_bytes=1e10)
    record = simulate(cluster(spec), 1)
    assert only(record).checkpoints == 16_667
    assert record.event_count < 20


def test_mean_run_time_meets_the_closed_form():
    """Daly's complete model, failures while computing, writing and restarting alike."""
    work, interval, write, restart, mtbf = 20 * HOUR, HOUR, 300.0, 600.0, 5 * HOUR
    spec = cluster(
        training(
            accelerators=8,
            steps=int(work / 60.0),
            step_s=60.0,
            checkpoint_interval_s=interval,
            checkpoint_bytes=write * 16e9,
        ),
        pools=(pool(nodes=1),),
        failures=(crashes(mtbf, 8, restart_s=restart),),
        audit=False,
        timeline_points=0,
    )
    times = np.array([only(simulate(spec, seed)).end_s for seed in range(1200)])
    expected = float(expected_runtime(work, interval, write, restart, mtbf))
    error = times.std(ddof=1) / np.sqrt(len(times))
    assert error < 0.006 * expected
    assert abs(times.mean() - expected) <= max(0.01 * expected, 3 * error)


def test_a_broken_node_is_replaced_by_the_spare():
    spec = cluster(
        training(accelerators=24, checkpoint_interval_s=500.0),
        spares={"main": 1},
        failures=(breakdowns(20_000.0, 24, detect_s=30.0, restart_s=60.0, repair_s=1e9),),
        horizon_s=1e6,
    )
    record = next(r for r in (simulate(spec, seed) for seed in range(50)) if only(r).failures == 1)
    kinds = [event.kind for event in record.events if event.job]
    assert kinds == ["submit", "start", "failure", "detected", "replaced", "resume", "end"]
    assert only(record).seconds["detecting_failure"] == pytest.approx(30.0)
    assert only(record).seconds["restarting"] == pytest.approx(60.0)
    assert record.nodes.repair_share.max() > 0.0


def test_without_a_spare_the_job_waits_for_the_repair():
    spec = cluster(
        training(checkpoint_interval_s=500.0),
        failures=(breakdowns(5000.0, 32, repair_s=7200.0),),
    )
    record = simulate(spec, 3)
    job = only(record)
    assert job.failures > 0
    assert job.wait_s > 0.0
    assert "requeue" in {event.kind for event in record.events}
    assert record.ledger.seconds["unallocated_fragmented"] > 0.0
    assert record.ledger.queued_s == pytest.approx(job.wait_s * 32)
    assert record.ledger.imbalance() < 1e-9


def test_lost_work_is_computed_again():
    spec = cluster(training(), failures=(crashes(4000.0, 32),))
    record = simulate(spec, 1)
    job = only(record)
    assert job.failures > 0
    assert job.lost_s > 0.0
    assert job.seconds["recomputing"] == pytest.approx(job.end_s - 10_000.0)
    assert job.seconds["recomputing"] <= job.lost_s * (1 + 1e-9)


def test_planned_failures_are_maintenance():
    spec = cluster(
        training(checkpoint_interval_s=500.0),
        failures=(breakdowns(3000.0, 32, planned=True, repair_s=600.0),),
    )
    seconds = simulate(spec, 1).ledger.seconds
    assert seconds["maintenance"] > 0.0
    assert seconds["repair"] == 0.0


def test_silent_corruption_returns_to_an_older_checkpoint():
    silent = crashes(20_000.0, 32, name="corruption", silent=True, detect_s=2000.0)
    spec = cluster(training(checkpoint_interval_s=500.0), failures=(silent,))
    record = next(r for r in (simulate(spec, seed) for seed in range(30)) if only(r).failures == 1)
    job = only(record)
    # It runs on for the detection time and falls back to before the corruption.
    assert 2000.0 <= job.lost_s <= 2500.0
    assert job.end_s == pytest.approx(10_000.0 + job.lost_s)


def test_model_uncertainty_scales_every_step():
    spec = training(step_log_spread=0.1)
    ends = np.array([only(simulate(cluster(spec), seed)).end_s for seed in range(200)])
    assert np.log(ends / 10_000.0).std() == pytest.approx(0.1, rel=0.2)
    fixed = only(simulate(cluster(training(step_log_spread=0.1, step_score=1.0)), 7))
    assert fixed.step_s == pytest.approx(10.0 * np.exp(0.1))


def test_horizon_cuts_what_runs():
    record = simulate(cluster(training(), horizon_s=2505.0), 1)
    job = only(record)
    assert record.stopped == "horizon"
    assert (record.end_s, job.status, job.steps_done) == (2505.0, "running", 250.5)
    assert np.isnan(job.end_s)
    assert record.ledger.imbalance() < 1e-9


def test_hopeless_run_stops_at_the_event_limit():
    spec = cluster(
        training(steps=10_000), failures=(crashes(100.0, 32),), event_limit=2000, audit=False
    )
    record = simulate(spec, 1)
    assert record.stopped == "event limit"
    assert record.ledger.imbalance() < 1e-9


def test_without_storage_everything_moves_at_once():
    spec = cluster(
        training(checkpoint_bytes=1e15, checkpoint_interval_s=500.0, data_bytes_per_step=1e12),
        storage=None,
    )
    assert only(simulate(spec, 1)).end_s == pytest.approx(10_000.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accelerators": 40}, "has 32 besides its spares"),
        ({"pool": "west"}, "does not exist"),
        ({"steps": 0}, "at least one step"),
        ({"checkpoint_interval_s": 0.0}, "above 0, or none"),
        ({"exposed_communication_share": 0.9, "pipeline_bubble_share": 0.2}, "at most 1"),
        ({"checkpoint_bytes": -1.0}, "at least 0"),
        ({"submit_s": float("nan")}, "submitted"),
    ],
)
def test_wrong_jobs_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        simulate(cluster(training(**changes)), 1)

"""Many jobs on one cluster: queues, shared storage, conservation, one seed one result."""

import dataclasses
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation_scenes import (
    breakdowns,
    cluster,
    crashes,
    local,
    pool,
    real,
    training,
)

from dcsim.records import InputError
from dcsim.simulation import FailureClass, PoolSpec, SimulationSpec, simulate
from dcsim.simulation.record import EVENT_KINDS, TIMELINE_SERIES


def test_random_arrivals_on_one_server_follow_lindleys_recursion():
    random = np.random.default_rng(11)
    submit = np.cumsum(random.exponential(10.0, 150))
    service = random.exponential(8.0, 150)
    jobs = [
        training(f"job-{i}", 8, steps=1, step_s=service[i], submit_s=submit[i]) for i in range(150)
    ]
    record = simulate(cluster(*jobs, pools=(pool(nodes=1),)), 1)
    free_at, waits = 0.0, []
    for arrival, duration in zip(submit, service, strict=True):
        start = max(arrival, free_at)
        waits.append(start - arrival)
        free_at = start + duration
    np.testing.assert_allclose([job.wait_s for job in record.jobs], waits, atol=1e-9)
    assert record.end_s == pytest.approx(free_at)


def test_poisson_arrivals_wait_as_queueing_theory_says():
    """M/M/1 at load 0.6: mean wait = load / (service rate - arrival rate)."""
    random = np.random.default_rng(3)
    count = 4000
    submit = np.cumsum(random.exponential(1.0, count))
    service = random.exponential(0.6, count)
    jobs = [
        training(f"job-{i}", 8, steps=1, step_s=service[i], submit_s=submit[i])
        for i in range(count)
    ]
    spec = cluster(*jobs, pools=(pool(nodes=1),), audit=False, timeline_points=0)
    waits = [job.wait_s for job in simulate(spec, 1).jobs]
    assert np.mean(waits) == pytest.approx(0.6 / (1 / 0.6 - 1.0), rel=0.15)


def test_completions_come_before_arrivals_and_both_before_the_pass():
    jobs = (
        training("first", 32, steps=1, step_s=100.0),
        training("same-second", 32, steps=1, step_s=10.0, submit_s=100.0),
        training("urgent", 32, steps=1, step_s=10.0, submit_s=100.0, priority=1),
    )
    record = simulate(cluster(*jobs), 1)
    assert [record.job(name).start_s for name in ("urgent", "same-second")] == [100.0, 110.0]


def test_the_head_holds_back_what_would_fit():
    jobs = (
        training("running", 24, steps=10),
        training("head", 32, steps=1, submit_s=1.0),
        training("small", 8, steps=1, submit_s=2.0),
    )
    record = simulate(cluster(*jobs), 1)
    assert record.job("small").start_s == 110.0
    assert record.ledger.seconds["unallocated_held_back"] == pytest.approx(8 * 98.0)
    assert record.ledger.seconds["unallocated_fragmented"] == pytest.approx(8 * 1.0)
    easy = simulate(cluster(*jobs, scheduler="easy"), 1)
    assert easy.job("small").start_s == 2.0
    assert easy.job("head").start_s == 100.0


def saver(name, accelerators=16, steps=10, size=1.6e12, **changes):
    return training(
        name, accelerators, steps=steps, checkpoint_bytes=size, checkpoint_interval_s=1e9, **changes
    )


def test_two_equal_writers_halve_the_storage():
    record = simulate(cluster(saver("a"), saver("b")), 1)
    for job in record.jobs:
        assert job.seconds["checkpoint"] == pytest.approx(200.0)


def test_a_late_writer_shares_only_while_both_write():
    # a writes alone for 50 s, then both share: a has 50 s of work left, that is 100 s.
    record = simulate(cluster(saver("a"), saver("b", submit_s=50.0)), 1)
    assert record.job("a").seconds["checkpoint"] == pytest.approx(150.0)
    assert record.job("b").seconds["checkpoint"] == pytest.approx(150.0)


def test_a_late_reader_shares_only_while_both_read():
    # 4e12 bytes at 40 GB/s: the first reads alone for 50 s, then both share for 100 s.
    jobs = [
        training(name, 16, steps=1, initial_read_bytes=4e12, submit_s=submit)
        for name, submit in (("a", 0.0), ("b", 50.0))
    ]
    record = simulate(cluster(*jobs), 1)
    assert record.job("a").seconds["data_wait"] == pytest.approx(150.0)
    assert record.job("b").seconds["data_wait"] == pytest.approx(150.0)
    read = dict(zip(record.links.names, record.links.bytes, strict=True))["storage read"]
    assert read == pytest.approx(8e12)


def test_shares_follow_nodes_and_narrow_nics_leave_room():
    # b's single node may send 2 GB/s; a gets the rest of 16 GB/s.
    pools = (pool(nodes=2), PoolSpec("slow", "node", 1, 8, 2e9))
    jobs = (saver("a"), saver("b", 8, size=2e11, pool="slow"))
    record = simulate(cluster(*jobs, pools=pools), 1)
    assert record.job("b").seconds["checkpoint"] == pytest.approx(100.0)
    moved = 100.0 * 14e9
    expected = 100.0 + (1.6e12 - moved) / 16e9
    assert record.job("a").seconds["checkpoint"] == pytest.approx(expected)


def test_readers_slow_each_other_to_the_fair_share():
    # Each wants 30 GB/s of 40 GB/s: both get 20, so a step takes 15 s instead of 10 s.
    jobs = [training(name, 16, steps=100, data_bytes_per_step=300e9) for name in "ab"]
    record = simulate(cluster(*jobs), 1)
    for job in record.jobs:
        assert job.end_s == pytest.approx(1500.0)
        assert job.seconds["data_wait"] == pytest.approx(500.0)


def test_a_train_is_cut_where_another_job_begins_to_write():
    steady = training(
        "steady", 16, steps=1000, checkpoint_interval_s=1000.0, checkpoint_bytes=1.6e12
    )
    # Steady writes alone from 3200 to 3230, then both share until it is done at 3370.
    visitor = saver("visitor", 16, steps=1, submit_s=3220.0)
    record = simulate(cluster(steady, visitor), 1)
    assert record.job("visitor").seconds["checkpoint"] == pytest.approx(170.0)
    assert record.job("steady").seconds["checkpoint"] == pytest.approx(1000.0 + 70.0)
    assert record.event_count < 60


def test_links_carry_what_jobs_moved():
    jobs = (saver("a"), training("b", 16, steps=100, data_bytes_per_step=1e9))
    record = simulate(cluster(*jobs), 1)
    moved = dict(zip(record.links.names, record.links.bytes, strict=True))
    assert moved["storage write"] == pytest.approx(1.6e12)
    assert moved["storage read"] == pytest.approx(1e11)
    assert moved["main NICs in"] == pytest.approx(1e11)
    peak = dict(zip(record.links.names, record.links.peak_share, strict=True))
    assert peak["storage write"] == pytest.approx(1.0)
    assert np.all(record.links.mean_share <= record.links.peak_share + 1e-9)
    series = record.timeline.series
    assert set(series) == set(TIMELINE_SERIES)
    width = record.end_s / len(record.timeline.time_s)
    assert series["storage_write"].sum() * width == pytest.approx(1.6e12)
    assert series["accelerators_busy"].sum() * width == pytest.approx(
        sum(sum(job.seconds.values()) * job.accelerators for job in record.jobs)
    )


jobs_strategy = st.lists(
    st.builds(
        lambda submit, size, steps, interval, data, behind, priority: {
            "submit_s": submit,
            "accelerators": size,
            "steps": steps,
            "checkpoint_interval_s": interval,
            "data_bytes_per_step": data,
            "checkpoint_blocking": not behind,
            "priority": priority,
        },
        st.floats(0.0, 3000.0),
        st.integers(1, 16),
        st.integers(1, 200),
        st.none() | st.floats(5.0, 500.0),
        st.sampled_from([0.0, 1e9, 5e11]),
        st.booleans(),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=5,
)

failures_strategy = st.lists(
    st.builds(
        FailureClass,
        name=st.sampled_from(["hardware", "software"]),
        per_accelerator_s=st.floats(0.0, 2e-5),
        detect_s=st.sampled_from([0.0, 20.0, 300.0]),
        restart_s=st.sampled_from([0.0, 30.0]),
        repair_s=st.floats(0.0, 2000.0),
        shape=st.sampled_from([0.7, 1.0, 2.0]),
        takes_node=st.booleans(),
        planned=st.booleans(),
        silent=st.booleans(),
        nodes_at_once=st.integers(1, 3),
    ),
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(
    jobs_strategy,
    failures_strategy,
    st.sampled_from(["fcfs", "easy", "firstfit", "sjf"]),
    st.sampled_from(["best-fit", "pack", "spread"]),
    st.integers(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_random_clusters_keep_every_invariant(jobs, failures, scheduler, placement, spare, seed):
    spec = cluster(
        *(
            training(
                f"job-{i}",
                checkpoint_bytes=8e11,
                restore_bytes=8e11,
                initial_read_bytes=1e10,
                start_s=5.0,
                exposed_communication_share=0.2,
                **fields,
            )
            for i, fields in enumerate(jobs)
        ),
        real(submit_s=100.0, data_bytes=1e8, checkpoint_bytes=1e8),
        pools=(pool(nodes=5, size=4), local()),
        failures=tuple(failures),
        spares={"main": spare},
        scheduler=scheduler,
        placement=placement,
        horizon_s=50_000.0,
        event_limit=20_000,
    )
    record = simulate(spec, seed)
    for ledger in record.ledgers.values():
        assert ledger.imbalance() < 1e-9
        assert min(ledger.seconds.values()) >= -1e-6
    for job in record.jobs:
        held = sum(job.seconds.values())
        if job.status == "done":
            assert job.steps_done == job.steps
            assert held + job.wait_s == pytest.approx(job.run_s, abs=1e-6)
        assert job.wait_s >= 0.0
    assert {event.kind for event in record.events} <= set(EVENT_KINDS)
    assert np.all(np.diff([event.time_s for event in record.events]) >= 0.0)


def busy_week():
    return cluster(
        training(
            "a", 16, steps=3000, checkpoint_interval_s=600.0, checkpoint_bytes=1e12, start_s=9.0
        ),
        training("b", 24, steps=500, step_log_spread=0.1, submit_s=777.0, checkpoint_bytes=1e12),
        real(submit_s=50.0, data_bytes=1e9),
        pools=(pool(nodes=6), local()),
        failures=(
            breakdowns(3000.0, 48, detect_s=10.0, restart_s=50.0, repair_s=3000.0, shape=0.8),
            crashes(9000.0, 48, restart_s=20.0),
        ),
        spares={"main": 1},
    )


def test_one_seed_one_record_across_processes():
    here = pickle.dumps(simulate(busy_week(), 5))
    script = (
        "import pickle, sys; from test_cluster import busy_week; "
        "from dcsim.simulation import simulate; "
        "sys.stdout.buffer.write(pickle.dumps(simulate(busy_week(), 5)))"
    )
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parent),
        "PYTHONHASHSEED": "77",
    }
    there = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, check=True, timeout=60
    ).stdout
    first, second = pickle.loads(here), pickle.loads(there)
    assert repr(first) == repr(second)
    assert first.event_count == second.event_count
    assert repr(simulate(busy_week(), 6)) != repr(first)


def test_audit_changes_nothing():
    quiet = dataclasses.replace(busy_week(), audit=False)
    assert repr(simulate(quiet, 5)) == repr(simulate(busy_week(), 5))


def test_nodes_know_what_they_did():
    record = simulate(busy_week(), 5)
    nodes = record.nodes
    assert nodes.names[:2] == ("main-0", "main-1")
    assert np.all(nodes.busy_share + nodes.repair_share <= 1.0 + 1e-9)
    main = np.array(nodes.pool) == "main"
    busy = (nodes.busy_share * nodes.accelerators)[main].sum() * record.end_s
    assert busy == pytest.approx(record.ledger.allocated_s)
    down = (nodes.repair_share * nodes.accelerators)[main].sum() * record.end_s
    assert down <= record.ledger.seconds["repair"] * (1 + 1e-9)
    assert nodes.failures.sum() == sum(job.failures for job in record.jobs) + sum(
        event.kind == "failure" and not event.job for event in record.events
    )


def test_every_fault_of_a_spec_is_named_at_once():
    spec = SimulationSpec(
        pools=(PoolSpec("main", "node", 0, 8, 0.0), PoolSpec("main", "node", 1, 8, 1.0)),
        jobs=(training(), training()),
        spares={"west": 1},
    )
    with pytest.raises(InputError) as caught:
        simulate(spec, 1)
    text = str(caught.value)
    for part in ("two pools", "empty", "NIC rate", "pool west", "two jobs"):
        assert part in text


@settings(max_examples=20, deadline=None)
@given(
    jobs_strategy.filter(lambda jobs: len(jobs) <= 3),
    st.floats(300.0, 5000.0),
    st.booleans(),
    st.integers(0, 1000),
)
def test_fast_forwarding_changes_nothing(jobs, mtbf_s, takes_node, seed):
    """With a third job that moves next to nothing, but forever, nobody is ever alone."""
    kind = breakdowns if takes_node else crashes
    records = [
        simulate(
            cluster(
                *(
                    training(f"job-{i}", checkpoint_bytes=2e13, restore_bytes=2e12, **fields)
                    for i, fields in enumerate(jobs)
                ),
                training(
                    "witness", 1, pool="side", step_s=1e9, data_bytes_per_step=1.0, submit_s=at
                ),
                pools=(pool(nodes=5, size=4), PoolSpec("side", "node", 1, 1, 1e9, is_local=True)),
                failures=(kind(mtbf_s, 20, detect_s=20.0, repair_s=600.0),),
                horizon_s=60_000.0,
                audit=False,
            ),
            seed,
        )
        for at in (0.0, 1e9)
    ]
    slow, fast = ([job for job in r.jobs if job.name != "witness"] for r in records)
    for one, other in zip(slow, fast, strict=True):
        assert (one.status, one.failures, one.checkpoints) == (
            other.status,
            other.failures,
            other.checkpoints,
        )
        assert one.steps_done == pytest.approx(other.steps_done, rel=1e-6, abs=1e-6)
        assert one.seconds == pytest.approx(other.seconds, rel=1e-6, abs=1e-3)
        assert one.written_bytes == pytest.approx(other.written_bytes, rel=1e-6, abs=1e3)

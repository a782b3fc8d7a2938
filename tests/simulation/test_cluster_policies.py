"""Every policy in the simulated cluster: against replays, brute force and hand-made cases."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation_scenes import HOUR, cluster, pool, training

from dcsim.records import InputError
from dcsim.scheduling.policies import SCHEDULERS
from dcsim.simulation import FailureClass, SpotSpec, Stragglers, WindowSpec, simulate
from dcsim.simulation.replay import Options, replay
from dcsim.workload.traces import Trace

PARTS = 2**20  # a power of two, so that run times survive being cut into steps exactly


def traced(number, submit, run, procs, est=None, **changes):
    fields = {
        "submit_s": float(submit),
        "steps": PARTS,
        "step_s": run / PARTS,
        "estimate_s": float(run if est is None else est),
        "work": "trace",
    }
    return training(f"j{number}", procs, **(fields | changes))


def trace(rows):
    """Rows of (submit, run, procs, est, user, priority) as a trace."""
    columns = list(zip(*rows, strict=True))
    n = len(rows)
    return Trace(
        job_id=np.array([f"j{i}" for i in range(n)], dtype=object),
        submit_s=np.array(columns[0], float),
        run_s=np.array(columns[1], float),
        accelerators=np.array(columns[2], np.int64),
        est_s=np.array(columns[3], float),
        user=np.array(columns[4], dtype=object),
        group=np.array([""] * n, dtype=object),
        status=np.array([""] * n, dtype=object),
        wait_s=np.full(n, np.nan),
        source_format="generic",
        priority=np.array(columns[5], np.int64),
    )


def random_rows(seed, count=60, exact=False):
    draws = np.random.default_rng(seed)
    rows, now = [], 0.0
    for _ in range(count):
        now += float(np.floor(draws.exponential(120.0)))
        run = float(np.floor(draws.exponential(600.0)) + 1.0)
        est = run if exact else run * float(draws.integers(1, 4))
        need = int(draws.choice([1, 2, 3, 4, 8, 12]))
        rows.append((now, run, need, est, "abc"[draws.integers(3)], int(draws.integers(3))))
    return rows


def ends(rows, scheduler, nodes=3, size=4, **changes):
    jobs = [
        traced(i, submit, run, need, est, user=user, priority=priority)
        for i, (submit, run, need, est, user, priority) in enumerate(rows)
    ]
    spec = cluster(*jobs, pools=(pool(nodes, size),), storage=None, scheduler=scheduler, **changes)
    record = simulate(spec, 0)
    assert record.ledger.imbalance() < 1e-9
    return record, [record.job(f"j{i}").end_s for i in range(len(rows))]


RANKED = [n for n in SCHEDULERS if n not in ("elastic", "fifo", "fcfs", "conservative")]


@pytest.mark.parametrize("scheduler", ["fcfs", *RANKED])
@pytest.mark.parametrize("placement", ["best-fit", "pack"])
def test_the_cluster_runs_a_trace_as_its_replay_does(scheduler, placement):
    rows = random_rows(len(scheduler))
    if not scheduler.startswith(("priority", "fairshare")):
        # The cluster's queue is ordered by priority first; a replay's only where asked.
        rows = [(*row[:5], 0) for row in rows]
    _, found = ends(rows, scheduler, placement=placement)
    expected = replay(trace(rows), scheduler, 3, 4, pool=False, options=Options(placement))
    assert found == pytest.approx(expected.end_s.tolist(), rel=1e-5)


def test_conservative_equals_its_replay_where_jobs_end_as_they_say():
    rows = [(*row[:5], 0) for row in random_rows(5, exact=True)]
    _, found = ends(rows, "conservative")
    expected = replay(trace(rows), "conservative", 3, 4, pool=False)
    assert found == pytest.approx(expected.end_s.tolist())


def test_elastic_jobs_on_one_pool_equal_their_replay():
    draws = np.random.default_rng(8)
    rows = random_rows(8, 30)
    limits = [(max(1, row[2] // 2), row[2] + int(draws.integers(5))) for row in rows]
    jobs = [
        traced(i, row[0], row[1], row[2], least=low, most=min(high, 12))
        for i, (row, (low, high)) in enumerate(zip(rows, limits, strict=True))
    ]
    spec = cluster(*jobs, pools=(pool(3, 4),), storage=None, scheduler="elastic")
    record = simulate(spec, 0)
    of = trace(rows)
    least, most = np.array(limits, np.int64).T
    expected = replay(replace(of, least=least, most=most), "elastic", 12, 1, pool=True)
    found = [record.job(f"j{i}").end_s for i in range(len(rows))]
    assert found == pytest.approx(expected.end_s.tolist(), rel=1e-5)
    assert record.ledger.imbalance() < 1e-9


KINDS = (
    FailureClass("hardware", 2e-6, detect_s=60.0, restart_s=120.0, repair_s=4 * HOUR),
    FailureClass("rack", 1e-7, detect_s=60.0, restart_s=60.0, repair_s=HOUR, nodes_at_once=2),
    FailureClass("software", 4e-6, detect_s=30.0, restart_s=60.0, takes_node=False),
)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([n for n in SCHEDULERS if n != "conservative"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_random_clusters_pass_the_audit(seed, scheduler, fails, comes_and_goes, closes):
    draws = np.random.default_rng(seed)
    bound = closes and scheduler != "elastic"
    jobs = [
        training(
            f"j{i}",
            int(draws.integers(1, 17)),
            steps=int(draws.integers(20, 400)),
            submit_s=float(draws.uniform(0.0, HOUR)),
            checkpoint_bytes=float(draws.choice([0.0, 5e9, 5e11])),
            restore_bytes=5e9,
            checkpoint_interval_s=float(draws.choice([300.0, 900.0])),
            checkpoint_blocking=bool(draws.integers(2)),
            data_bytes_per_step=float(draws.choice([0.0, 1e9])),
            priority=int(draws.integers(3)),
            user=str(draws.choice(["ann", "bob"])),
            group="vc",
            least=1,
            most=20,
            resume_s=30.0,
        )
        for i in range(8)
    ]
    record = simulate(
        cluster(
            *jobs,
            pools=(pool(4, 8),),
            scheduler=scheduler,
            failures=KINDS if fails else (),
            spot={"main": SpotSpec(2 * HOUR, 60.0, 600.0)} if comes_and_goes else {},
            stragglers=Stragglers(1e-4, 1.3, 0.2, 120.0, HOUR) if fails else None,
            quota={"": 20} if bound else {},
            windows=(
                WindowSpec("main", 0, 2, 1000.0, 3000.0),
                WindowSpec("main", 3, 4, 2000.0, 2500.0, owner="ann"),
            )
            if bound
            else (),
            horizon_s=48 * HOUR,
            event_limit=30_000,
        ),
        seed % 97,
    )
    assert record.ledger.imbalance() < 1e-9
    assert record.stopped == "done" or fails or comes_and_goes


def test_a_window_drains_its_nodes_and_is_maintenance_in_the_ledger():
    long = training("long", 8, steps=1000, estimate_s=100.0, checkpoint_bytes=1e9)
    window = WindowSpec("main", 0, 1, HOUR, 2 * HOUR)
    record = simulate(cluster(long, pools=(pool(1, 8),), windows=(window,)), 1)
    assert [e.detail for e in record.events if e.kind == "stopped"] == ["maintenance"]
    assert record.job("long").lost_s == 0.0
    written = record.job("long").seconds["checkpoint"]
    maintenance = record.ledger.seconds["maintenance"]
    assert 8 * (HOUR - written) <= maintenance <= 8 * HOUR


def test_a_quota_holds_back_and_says_so():
    jobs = [training(f"j{i}", 8, group="vc", steps=100) for i in range(2)]
    record = simulate(cluster(*jobs, pools=(pool(2, 8),), quota={"vc": 8}), 1)
    assert record.job("j1").wait_s == pytest.approx(1000.0)
    assert record.ledger.seconds["unallocated_held_back"] == pytest.approx(8000.0)


def test_nodes_that_are_taken_back_are_no_capacity_meanwhile():
    job = training("base", 8, steps=5000, checkpoint_bytes=1e9, checkpoint_interval_s=600.0)
    spot = {"main": SpotSpec(2 * HOUR, 120.0, HOUR)}
    record = simulate(cluster(job, pools=(pool(1, 8),), spot=spot), 3)
    assert record.job("base").status == "done"
    assert record.job("base").lost_s == 0.0  # two minutes are enough to save
    assert record.ledger.capacity_s < 8 * record.end_s


def test_a_straggler_slows_its_job_until_it_is_evicted():
    job = training("base", 8, steps=2000, checkpoint_bytes=1e9)
    slow = Stragglers(2e-4, 2.0, 0.0, 600.0, HOUR)
    record = simulate(cluster(job, pools=(pool(2, 8),), stragglers=slow), 2)
    found = [e.time_s for e in record.events if e.kind == "stopped"]
    struck = [e for e in record.events if e.kind == "slow"]
    assert struck
    assert len(found) <= len(struck)
    assert record.job("base").end_s >= 20_000.0


def test_migration_makes_room_for_the_head():
    jobs = [
        training("a", 3, steps=100),
        training("b", 4, steps=5, submit_s=1.0),
        training("c", 3, steps=100, submit_s=2.0),
        training("d", 4, steps=10, submit_s=60.0),
        training("e", 4, steps=10, submit_s=61.0),
    ]
    still = simulate(cluster(*jobs, pools=(pool(2, 8),), placement="spread"), 1)
    moved = simulate(cluster(*jobs, pools=(pool(2, 8),), migrate=True), 1)
    assert moved.job("e").wait_s <= still.job("e").wait_s + 1.0


def test_what_does_not_go_together_is_refused():
    with pytest.raises(InputError, match="placement fgd goes with"):
        simulate(cluster(training(), scheduler="srtf", placement="fgd"), 1)
    with pytest.raises(InputError, match="migration goes with no"):
        simulate(cluster(training(), migrate=True, scheduler="srtf"), 1)

"""Where training data comes from, and where checkpoints go: origin, caches, local drives."""

from dataclasses import replace

import pytest
from simulation_scenes import STORAGE, breakdowns, cluster, crashes, pool, training

from dcsim.simulation import CacheSpec, OriginSpec, simulate

#: Each of 4 nodes holds 1 TB, read at 2.5 GB/s and written at 1.25 GB/s.
DRIVES = CacheSpec("drives", 1e12, 2.5e9, 1.25e9)


def run(job, caches=(), storage=STORAGE, **changes):
    pools = (replace(pool(nodes=4), caches=tuple(caches)),)
    return simulate(cluster(job, pools=pools, storage=storage, **changes), seed=3)


def epochs(count, size, step_bytes=100e9, **changes):
    """`count` epochs of a data set of `size`, whose steps could compute in 0.1 s."""
    steps = round(count * size / step_bytes)
    fields = {"data_bytes_per_step": step_bytes, "dataset_bytes": size} | changes
    return training(steps=steps, step_s=0.1, **fields)


def test_a_data_set_that_fits_is_read_once() -> None:
    record = run(epochs(3, 2e12), [DRIVES])
    assert record.jobs[0].read_bytes == pytest.approx(2e12)
    # First 2 TB into drives at 5 GB/s (the storage could do 40), then from them at 10 GB/s.
    assert record.jobs[0].run_s == pytest.approx(2e12 / 5e9 + 2 * 2e12 / 10e9)


def test_what_does_not_fit_is_found_as_often_as_it_is_held() -> None:
    record = run(epochs(2, 8e12), [DRIVES])
    assert record.jobs[0].read_bytes == pytest.approx(8e12 + 4e12)
    in_order = run(epochs(2, 8e12, shuffle=False), [DRIVES])
    assert in_order.jobs[0].read_bytes == pytest.approx(16e12)


def test_memory_behind_drives_takes_what_they_leave() -> None:
    memory = CacheSpec("memory", 0.25e12, 50e9, 50e9)
    both = run(epochs(2, 2e12), [memory, DRIVES])
    alone = run(epochs(2, 2e12), [DRIVES])
    # Half of the data is in memory, so the drives are the limit for half of it.
    assert both.jobs[0].run_s == pytest.approx(alone.jobs[0].run_s / 2)


def test_the_first_epoch_comes_from_the_origin() -> None:
    storage = replace(STORAGE, origin=OriginSpec("object store", 4e9))
    record = run(epochs(3, 1e12), storage=storage)
    assert record.jobs[0].run_s == pytest.approx(1e12 / 4e9 + 2 * 1e12 / 40e9)
    links = dict(zip(record.links.names, record.links.bytes, strict=True))
    assert links["object store"] == pytest.approx(1e12)
    assert links["storage write"] == pytest.approx(1e12)


def test_reading_ahead_hides_latency_as_deep_as_it_goes() -> None:
    slow = replace(STORAGE, latency_s=2.0)
    job = training(steps=100, step_s=0.5, data_bytes_per_step=1e6)
    times = {
        depth: run(replace(job, prefetch=depth), storage=slow).jobs[0].run_s
        for depth in (0, 1, 2, 4, 8)
    }
    assert times[8] == times[4] == pytest.approx(50.0)
    assert times[2] == pytest.approx(100.0)
    assert times[1] == pytest.approx(200.0)
    assert times[0] == pytest.approx(100 * (2.5 + 1e6 / 40e9), rel=1e-6)


def test_trains_of_checkpoints_stop_where_the_source_changes() -> None:
    job = epochs(4, 2e12, checkpoint_bytes=1e10, checkpoint_interval_s=0.7)
    alone = run(job, [DRIVES])
    pools = (replace(pool(nodes=5), caches=(DRIVES,)),)
    watcher = training("watch", 8, steps=1, step_s=1e5, data_bytes_per_step=1.0)
    watched = simulate(cluster(job, watcher, pools=pools), seed=3)
    assert alone.jobs[0].run_s == pytest.approx(watched.jobs[0].run_s, rel=1e-6)
    assert alone.jobs[0].checkpoints == watched.jobs[0].checkpoints
    assert alone.event_count < watched.event_count


# Checkpoints


def saver(**changes):
    fields = {
        "steps": 1000,
        "step_s": 1.0,
        "checkpoint_bytes": 320e9,
        "checkpoint_interval_s": 100.0,
        "restore_bytes": 320e9,
    }
    return training(**fields | changes)


def test_one_writer_has_one_nic() -> None:
    sharded = run(saver())
    assert sharded.jobs[0].seconds["checkpoint"] == pytest.approx(10 * 320e9 / 16e9)
    slow = replace(pool(nodes=4), nic_bytes_per_s=2e9)
    one = simulate(cluster(saver(checkpoint_writers=1), pools=(slow,)), seed=3)
    assert one.jobs[0].seconds["checkpoint"] == pytest.approx(10 * 320e9 / 2e9)


def test_a_snapshot_is_all_that_blocks_when_writing_behind() -> None:
    job = saver(checkpoint_blocking=False, checkpoint_snapshot_s=1.5)
    record = run(job)
    # Ten snapshots, and the last write, which nothing runs beside.
    assert record.jobs[0].seconds["checkpoint"] == pytest.approx(10 * 1.5 + 20.0)


def test_local_saves_cost_their_pauses() -> None:
    record = run(saver(local_interval_s=10.0, local_save_s=0.2))
    assert record.jobs[0].seconds["checkpoint"] == pytest.approx(100 * 0.2 + 10 * 20.0)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_software_failure_returns_to_the_nodes_own_drives(blocking) -> None:
    failures = (crashes(150.0, 32, restart_s=5.0),)
    job = saver(checkpoint_blocking=blocking)
    far = run(job, failures=failures)
    near = run(
        replace(job, local_interval_s=10.0, local_save_s=0.1, local_restore_s=1.0),
        failures=failures,
    )
    assert near.jobs[0].status == far.jobs[0].status == "done"
    assert near.jobs[0].lost_s / near.jobs[0].failures <= 10.0
    assert far.jobs[0].lost_s / far.jobs[0].failures > 20.0
    assert any("local" in event.detail for event in near.events if event.kind == "resume")


def test_a_lost_node_takes_the_local_saves_unless_there_is_a_copy() -> None:
    failures = (breakdowns(150.0, 32, restart_s=5.0, repair_s=50.0),)
    job = saver(local_interval_s=10.0, local_save_s=0.1, local_restore_s=1.0)

    def resumed(copies):
        record = run(
            replace(job, local_copies=copies, accelerators=24),
            failures=failures,
            spares={"main": 1},
        )
        assert record.jobs[0].status == "done"
        return [event.detail for event in record.events if event.kind == "resume"]

    assert not any("local" in detail for detail in resumed(1))
    assert any("local" in detail for detail in resumed(2))

"""What neighbours cost: slowdowns, and the link or server at fault."""

from dataclasses import replace

import pytest
from simulation_scenes import STORAGE, cluster, crashes, pool, training

from dcsim.simulation import ServerLoss, UpkeepSpec, sharing, simulate


def reader(name, accelerators=16, rate=30e9, steps=100):
    return training(
        name, accelerators, steps=steps, step_s=1.0, data_bytes_per_step=rate, checkpoint_bytes=0.0
    )


def shares(*jobs, **changes):
    return {found.job: found for found in sharing(cluster(*jobs, audit=False, **changes), seed=5)}


def test_a_job_alone_is_not_slowed() -> None:
    found = shares(reader("one"))["one"]
    assert found.alone_s == found.shared_s == pytest.approx(100.0)
    assert found.slowdown == 1.0
    assert found.at_fault == ""


def test_two_readers_of_one_storage_slow_each_other() -> None:
    found = shares(reader("one"), reader("two"))
    # Each wants 30 of the 40 GB/s and gets 20.
    for name in ("one", "two"):
        assert found[name].alone_s == pytest.approx(100.0)
        assert found[name].slowdown == pytest.approx(1.5)
        assert found[name].at_fault == "storage read"


def test_a_neighbour_that_wants_little_is_not_slowed() -> None:
    found = shares(reader("large", rate=35e9), reader("little", rate=10e9))
    assert found["little"].slowdown == 1.0
    assert found["little"].at_fault == ""
    assert found["large"].slowdown > 1.1
    assert found["large"].at_fault == "storage read"


def test_failures_and_spread_are_no_neighbours() -> None:
    job = replace(reader("one"), step_log_spread=0.5, checkpoint_interval_s=10.0)
    found = shares(job, failures=(crashes(30.0, 16),))["one"]
    assert found.alone_s == pytest.approx(100.0)
    assert found.slowdown == 1.0


def test_a_lost_server_is_named() -> None:
    upkeep = UpkeepSpec(held_bytes=1e12, losses=(ServerLoss(20.0, 2),))
    storage = replace(STORAGE, data_parts=4, parity_parts=1, upkeep=upkeep)
    found = shares(reader("one", rate=35e9), storage=storage)["one"]
    assert found.slowdown > 1.05
    assert found.at_fault.endswith("(server 2 lost)")


def test_waiting_in_the_queue_is_no_slowdown() -> None:
    found = shares(reader("one", 32), reader("two", 32), pools=(pool(nodes=4),))
    assert found["two"].slowdown == 1.0


def test_loads_never_exceed_what_links_can_do_and_add_up() -> None:
    # Whoever shares runs at changing rates; means over intervals must know them.
    jobs = (reader("one", rate=35e9, steps=300), reader("two", rate=35e9, steps=50))
    record = simulate(cluster(*jobs, timeline_points=97), seed=5)
    assert record.load is not None
    assert record.load.share.max() <= 1.0 + 1e-9
    where = record.load.names.index("storage read")
    width = record.end_s / 97
    moved = record.load.share[:, where].sum() * width * 40e9
    assert moved == pytest.approx(350 * 35e9, rel=1e-9)
    series = record.timeline.series["storage_read"]
    assert series.sum() * width == pytest.approx(350 * 35e9, rel=1e-9)

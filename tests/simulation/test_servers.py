"""Storage servers lost in the middle of a run: degraded, rebuilt, and slower meanwhile."""

from dataclasses import replace

import numpy as np
import pytest
from simulation_scenes import HOUR, cluster, pool, training

from dcsim.cost.storage_servers import degraded_read_bytes_per_s
from dcsim.records import InputError
from dcsim.simulation import ServerLoss, StorageSpec, UpkeepSpec, simulate
from dcsim.simulation.servers import idle_rebuild_s, storage_durability

#: 10 servers of 1 GB/s in an 8+2 code: 10 GB/s read, 4 GB/s of data written.
CODED = StorageSpec(
    servers=10,
    read_bytes_per_s=1e9,
    write_bytes_per_s=0.5e9,
    write_overhead=1.25,
    data_parts=8,
    parity_parts=2,
)


def lossy(*losses, held=1e12, storage=CODED, **changes):
    return replace(storage, upkeep=UpkeepSpec(held_bytes=held, losses=losses, **changes))


def reader(**changes):
    """Reads 8 GB/s while it computes, saves nothing."""
    return training(**{"steps": 1000, "step_s": 1.0, "data_bytes_per_step": 8e9} | changes)


def run(storage, *jobs, **changes):
    return simulate(cluster(*jobs, storage=storage, **changes), seed=1)


def test_an_idle_rebuild_takes_its_closed_form() -> None:
    # One job that moves nothing until the end keeps the run going.
    job = training(steps=1, step_s=1e6)
    record = run(lossy(ServerLoss(100.0, 3), detect_s=50.0), job)
    events = {event.kind: event.time_s for event in record.events if event.kind[:6] == "server"}
    storage = lossy(ServerLoss(100.0, 3))
    # Nine servers read 8 parts for each part restored: 1e12 * 8 / 9e9.
    assert idle_rebuild_s(storage) == pytest.approx(8e12 / 9e9)
    assert events["server_lost"] == 100.0
    assert events["server_rebuilt"] == pytest.approx(150.0 + 8e12 / 9e9)
    servers = record.servers
    assert servers.losses == 1
    assert servers.missing_s[3] == pytest.approx(50.0 + 8e12 / 9e9)
    assert servers.read_bytes.sum() == pytest.approx(8e12)
    assert servers.written_bytes.sum() == pytest.approx(1e12)
    assert servers.read_bytes[3] == 0.0


@pytest.mark.parametrize(
    ("mode", "servers", "throttle", "hours"),
    [("single", 101, 0.2e9, 22.222), ("declustered", 101, 0.05e9, 0.889)],
)
def test_rebuilds_of_the_textbook(mode, servers, throttle, hours) -> None:
    storage = StorageSpec(
        servers=servers,
        read_bytes_per_s=1e9,
        write_bytes_per_s=1e9,
        write_overhead=2.0,
        parity_parts=1,
        upkeep=UpkeepSpec(
            held_bytes=16e12,
            losses=(ServerLoss(0.0, 0),),
            rebuild=mode,
            rebuild_bytes_per_s=throttle,
        ),
    )
    record = run(storage, training(steps=1, step_s=1e6))
    done = next(event.time_s for event in record.events if event.kind == "server_rebuilt")
    assert done / HOUR == pytest.approx(hours, abs=1e-3)


def test_a_degraded_reader_gets_the_closed_form_rate() -> None:
    # Nothing restores the server before the job ends, so all reads are degraded.
    storage = lossy(ServerLoss(0.0, 0), detect_s=1e7)
    record = run(storage, reader(data_bytes_per_step=20e9))
    rate = degraded_read_bytes_per_s(1, 10, 8, 1e9)
    assert record.job("base").run_s == pytest.approx(1000 * 20e9 / rate)
    healthy = run(CODED, reader(data_bytes_per_step=20e9))
    assert healthy.job("base").run_s == pytest.approx(1000 * 20e9 / 10e9)


def test_a_lost_server_slows_the_job_and_loses_none() -> None:
    jobs = (reader(checkpoint_bytes=1e11, checkpoint_interval_s=100.0),)
    calm = run(CODED, *jobs)
    hit = run(lossy(ServerLoss(300.0, 2)), *jobs)
    assert all(job.status == "done" for job in hit.jobs)
    assert hit.jobs[0].steps_done == 1000
    assert hit.jobs[0].run_s > calm.jobs[0].run_s + 1.0
    assert hit.jobs[0].seconds["data_wait"] > calm.jobs[0].seconds.get("data_wait", 0.0)
    assert hit.servers.data_losses == 0
    before = hit.load.share[hit.load.time_s < 300.0]
    where = hit.load.names.index("server 2")
    assert before[:, where].max() > 0.5
    during = (hit.load.time_s > 320.0) & (hit.load.time_s < 900.0)
    assert hit.load.share[during, where].max() == 0.0


def test_drives_carry_what_jobs_and_the_rebuild_move() -> None:
    job = reader(checkpoint_bytes=1e11, checkpoint_interval_s=100.0)
    record = run(lossy(ServerLoss(300.0, 2), held=1e11, replace_s=0.0), job)
    done = record.jobs[0]
    written = done.written_bytes * 1.25 + 1e11
    assert record.servers.written_bytes.sum() == pytest.approx(written, rel=1e-9)
    # Some of the reads were degraded, and each restored byte read eight others.
    assert record.servers.read_bytes.sum() > done.read_bytes + 8e11
    assert record.servers.read_bytes.sum() < done.read_bytes * 1.7 + 8e11


def test_a_job_that_is_fast_forwarded_sees_the_loss_like_one_that_is_not() -> None:
    job = reader(data_bytes_per_step=0.0, checkpoint_bytes=1e12, checkpoint_interval_s=100.0)
    storage = lossy(ServerLoss(450.0, 1), detect_s=20.0, held=2e11)
    fast = run(storage, job)
    watcher = training("watch", 8, steps=1, step_s=1e5, data_bytes_per_step=1.0)
    slow = run(storage, job, watcher, pools=(pool(nodes=5),))
    assert fast.jobs[0].run_s == pytest.approx(slow.jobs[0].run_s, rel=1e-6)
    assert fast.event_count < slow.event_count


def test_too_many_losses_are_said_and_survived() -> None:
    losses = tuple(ServerLoss(10.0 * number, number) for number in range(3))
    record = run(lossy(*losses, held=1e12), reader())
    assert record.servers.data_losses == 1
    assert [event.kind for event in record.events].count("data_lost") == 1
    assert record.jobs[0].status == "done"


def test_servers_lost_by_chance_repeat_with_the_seed() -> None:
    storage = lossy(held=1e10, failures_per_s=1e-4, replace_s=200.0)
    job = reader(checkpoint_bytes=1e10, checkpoint_interval_s=60.0)
    first, again = run(storage, job), run(storage, job)
    assert first.servers.losses > 0
    assert first.event_count == again.event_count
    assert np.array_equal(first.servers.read_bytes, again.servers.read_bytes)
    assert first.jobs[0].end_s == again.jobs[0].end_s
    assert first.servers.durability == storage_durability(storage)
    assert first.servers.durability.mean_time_to_loss_s > 0.0


def test_ports_and_processors_of_servers_can_be_the_limit() -> None:
    job = reader(data_bytes_per_step=20e9, file_bytes=1e5)
    ports = replace(CODED, port_bytes_per_s=0.4e9)
    assert run(ports, job).job("base").run_s == pytest.approx(1000 * 20e9 / 4e9)
    # 2e5 files a step at 10 servers x 5,000 requests a second.
    slow = replace(CODED, operations_per_s=5e3)
    assert run(slow, job).job("base").run_s == pytest.approx(1000 * 2e5 / 5e4)
    # Read in order, many files come with one request of 1 MiB.
    ordered = replace(job, shuffle=False)
    assert run(slow, ordered).job("base").run_s == pytest.approx(1000 * 2.0)


def test_small_files_wait_for_the_metadata_servers() -> None:
    job = reader(data_bytes_per_step=1e9, file_bytes=1e4)
    storage = replace(CODED, metadata_servers=2, metadata_operations_per_s=5e4)
    record = run(storage, job)
    # 1e5 files of a step, each opened and closed, at 1e5 operations a second.
    assert record.job("base").run_s == pytest.approx(1000 * 2.0)
    where = record.links.names.index("metadata servers")
    assert record.links.peak_share[where] == pytest.approx(1.0)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="servers are 0 to 9"):
        run(lossy(ServerLoss(1.0, 10)), reader())
    with pytest.raises(InputError, match="cannot lose it"):
        run(replace(lossy(), servers=1), reader())
    with pytest.raises(InputError, match="operations a second"):
        run(replace(CODED, operations_per_s=0.0), reader())

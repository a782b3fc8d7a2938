"""Runs give the same figures wherever they are computed."""

import pytest

from dcsim.planner.parallel import simulate_all
from dcsim.simulation import FailureClass, PoolSpec, SimulationSpec, StorageSpec, TrainingJobSpec

SPEC = SimulationSpec(
    pools=(PoolSpec("main", "node", 4, 8, 50e9),),
    jobs=(
        TrainingJobSpec(
            name="base",
            accelerators=24,
            pool="main",
            steps=2000,
            step_s=5.0,
            checkpoint_bytes=1e11,
            checkpoint_interval_s=600.0,
            restore_bytes=1e11,
        ),
    ),
    storage=StorageSpec(servers=4, read_bytes_per_s=1e10, write_bytes_per_s=5e9),
    failures=(FailureClass("hardware", 1e-5, 60.0, 120.0, 3600.0),),
)


@pytest.mark.parametrize("workers", [None, 1])
def test_the_number_of_workers_changes_nothing(workers: int | None) -> None:
    tasks = [(SPEC, seed) for seed in range(9)]
    heard: list[int] = []
    found = simulate_all(tasks, lambda: heard.append(1), workers)
    assert len(heard) == 9
    assert found == simulate_all(tasks, lambda: None, 0)
    assert len({run.finish_s["base"] for run in found}) > 1


def test_nothing_to_do_is_done_at_once() -> None:
    assert simulate_all([], lambda: None) == []

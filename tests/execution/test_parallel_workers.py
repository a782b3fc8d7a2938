"""Several workers train what one would, to rounding, and can be stopped and resumed."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcsim.execution import measure, measure_job
from dcsim.records import InputError
from dcsim.training.jobs import job
from dcsim.training.loop import Progress
from dcsim.training.run import run_job
from dcsim.workers import Worker, WorkerDied

TINY_TRANSFORMER = {
    "max_steps": 6,
    "width": 8,
    "hidden": 16,
    "heads": 2,
    "depth": 2,
    "context": 8,
} | {"dtype": "float64", "batch_size": 5}


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("digits-mlp", {"epochs": 2, "workers": 3}),
        # Two workers for one sample: one has nothing to do.
        ("golden-3-4-2", {"epochs": 3, "workers": 2}),
        ("char-transformer", TINY_TRANSFORMER | {"workers": 2}),
        # Uneven shares: 128 and 64 units over three workers.
        ("digits-mlp", {"epochs": 1, "workers": 3, "parallel": "tensor"}),
        ("char-transformer", TINY_TRANSFORMER | {"workers": 2, "parallel": "tensor"}),
        # Dropout outside the split layers is drawn alike by all workers.
        (
            "text-classifier",
            {"epochs": 1, "max_steps": 4, "workers": 2, "parallel": "tensor", "dtype": "float64"},
        ),
        # The last batch is smaller than the number of micro-batches.
        (
            "digits-mlp",
            {"epochs": 1, "batch_size": 71, "micro_batches": 13, "workers": 3}
            | {"parallel": "pipeline"},
        ),
        ("char-transformer", TINY_TRANSFORMER | {"workers": 2, "parallel": "pipeline"}),
    ],
)
def test_workers_follow_one_process(name: str, overrides: dict) -> None:
    together = measure_job(job(name, **overrides))
    alone = run_job(job(name, **overrides | {"workers": 1}))
    np.testing.assert_allclose(together.losses, alone.history.losses, rtol=0.0, atol=1e-6)
    assert together.metrics["test_loss"] == pytest.approx(alone.figures["test_loss"], abs=1e-6)
    assert len(together.exchange_s) == len(together.step_s)
    assert min(together.exchange_s) > 0.0


@pytest.mark.parametrize("parallel", ["data", "tensor", "pipeline"])
def test_a_parallel_run_repeats_and_resumes_bit_for_bit(tmp_path: Path, parallel: str) -> None:
    chosen = job("mlp-3-5-2", epochs=2, workers=2, parallel=parallel)
    whole = measure_job(chosen)
    path = tmp_path / "checkpoint.npz"
    measure_job(replace(chosen, epochs=1), checkpoint=path)
    rest = measure_job(chosen, checkpoint=path, resume=True)
    assert rest.losses == whole.losses
    assert rest.metrics == whole.metrics


def test_a_checkpoint_does_not_depend_on_how_the_job_was_split(tmp_path: Path) -> None:
    first = job("char-transformer", **TINY_TRANSFORMER | {"workers": 2, "parallel": "tensor"})
    path = tmp_path / "checkpoint.npz"
    measure_job(replace(first, max_steps=3), checkpoint=path)
    rest = measure_job(replace(first, parallel="pipeline"), checkpoint=path, resume=True)
    alone = run_job(replace(first, workers=1))
    np.testing.assert_allclose(rest.losses, alone.history.losses, rtol=0.0, atol=1e-12)
    assert rest.metrics["test_loss"] == pytest.approx(alone.figures["test_loss"], abs=1e-12)


@pytest.mark.parametrize("parallel", ["tensor", "pipeline"])
def test_the_death_of_a_worker_ends_the_run_and_a_resumed_one_loses_nothing_else(
    tmp_path: Path, parallel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = job("digits-mlp", epochs=2, workers=2, parallel=parallel)
    path = tmp_path / "checkpoint.npz"
    measure_job(replace(chosen, epochs=1), checkpoint=path)
    pids: list[int] = []
    start = measure._start

    def remembered(*args: Any) -> list[Worker]:
        workers = start(*args)
        pids.extend(worker.pid for worker in workers)
        return workers

    def kill(now: Progress) -> None:
        os.kill(pids[1], signal.SIGKILL)

    monkeypatch.setattr(measure, "_start", remembered)
    with pytest.raises(WorkerDied):
        measure_job(replace(chosen, epochs=500), checkpoint=path, resume=True, on_progress=kill)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    monkeypatch.undo()
    rest = measure_job(chosen, checkpoint=path, resume=True)
    np.testing.assert_allclose(
        rest.losses, run_job(replace(chosen, workers=1)).history.losses, rtol=0.0, atol=1e-9
    )


@pytest.mark.parametrize(
    ("name", "overrides", "reason"),
    [
        (
            "char-transformer",
            {"workers": 5, "parallel": "tensor"},
            "4 heads cannot be split over 5",
        ),
        ("golden-3-4-2", {"workers": 4, "parallel": "pipeline"}, "cannot be cut into 4 stages"),
        ("digits-cnn", {"workers": 2, "parallel": "pipeline"}, "set dropout=0"),
        ("fraud-detector", {"workers": 2, "parallel": "tensor", "dropout": 0.1}, "set dropout=0"),
    ],
)
def test_what_cannot_be_split_is_refused(name: str, overrides: dict, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        measure_job(job(name, **overrides))

"""Several workers train what one would, to rounding, and can be stopped and resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcsim.execution import measure_job
from dcsim.training.jobs import job
from dcsim.training.run import run_job


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("digits-mlp", {"epochs": 2, "workers": 3}),
        # Two workers for one sample: one has nothing to do.
        ("golden-3-4-2", {"epochs": 3, "workers": 2}),
        (
            "char-transformer",
            {"max_steps": 6, "width": 8, "hidden": 16, "heads": 2, "depth": 1, "context": 8}
            | {"dtype": "float64", "workers": 2, "batch_size": 5},
        ),
    ],
)
def test_workers_follow_one_process(name: str, overrides: dict) -> None:
    together = measure_job(job(name, **overrides))
    alone = run_job(job(name, **overrides | {"workers": 1}))
    np.testing.assert_allclose(together.losses, alone.history.losses, rtol=0.0, atol=1e-6)
    assert together.metrics["test_loss"] == pytest.approx(alone.figures["test_loss"], abs=1e-6)
    assert len(together.exchange_s) == len(together.step_s)
    assert all(a < b for a, b in zip(together.exchange_s, together.step_s, strict=True))


def test_a_parallel_run_repeats_and_resumes_bit_for_bit(tmp_path: Path) -> None:
    chosen = job("mlp-3-5-2", epochs=2, workers=2)
    whole = measure_job(chosen)
    path = tmp_path / "checkpoint.npz"
    measure_job(replace(chosen, epochs=1), checkpoint=path)
    rest = measure_job(chosen, checkpoint=path, resume=True)
    assert rest.losses == whole.losses
    assert rest.metrics == whole.metrics

"""Real jobs: trained truly in a worker, kept by what they depend on, renewed on demand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcsim.execution import cache_directory, measure_job, run_real_job
from dcsim.execution.cache import cache_path, read_run, write_run
from dcsim.records import InputError, RealRun
from dcsim.scenario.resolved import RealWork
from dcsim.training.jobs import job
from dcsim.training.loop import Progress
from dcsim.training.run import run_job


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCSIM_CACHE_DIR", str(tmp_path / "cache"))


def work(name: str = "probe", **parameters: float | int | str) -> RealWork:
    return RealWork(name, "digits-mlp", 0.0, 0, 1, {"epochs": 2, **parameters})


def test_a_real_job_is_measured_once_and_then_read() -> None:
    heard: list[Progress] = []
    first = run_real_job(work(), measure=False, progress=heard.append)
    assert heard[-1].step == heard[-1].steps == len(first.step_s)
    assert not first.cached
    assert min(first.step_s) > 0
    assert first.losses[-1] < 0.5 * first.losses[0]
    assert first.startup_s > 0
    assert first.checkpoint_bytes > 3 * 8 * first.parameter_count
    assert len(first.evaluations) == 2

    second = run_real_job(work("again"), measure=False)
    assert second.cached
    assert second == replace(first, name="again", cached=True)
    renewed = run_real_job(work(), measure=True)
    assert not renewed.cached
    assert renewed.losses == first.losses
    assert renewed.step_s != first.step_s


def test_the_worker_trains_what_this_process_would() -> None:
    chosen = job("digits-mlp", epochs=1)
    here = run_job(chosen)
    there = measure_job(chosen)
    np.testing.assert_allclose(there.losses, here.history.losses, rtol=1e-12)
    assert there.metrics == pytest.approx(here.figures)


def test_the_key_tells_jobs_parameters_and_tables_apart(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("1,0\n2,1\n")
    one = cache_path(job("medical-classifier", table=str(table)))
    table.write_text("1,0\n3,1\n")
    keys = {
        one,
        cache_path(job("medical-classifier", table=str(table))),
        cache_path(job("medical-classifier")),
        cache_path(job("medical-classifier", seed=1)),
        cache_path(job("digits-mlp")),
    }
    assert len(keys) == 5
    assert all(path.is_relative_to(cache_directory()) for path in keys)


def test_a_damaged_cache_is_measured_again() -> None:
    run = run_real_job(work(), measure=False)
    (path,) = cache_directory().rglob("*.json")
    for damage in ("", "{", "[]", '{"name": 1}'):
        path.write_text(damage)
        assert read_run(path) is None
    assert not run_real_job(work(), measure=False).cached
    assert read_run(path) is not None
    assert RealRun.from_json(json.loads(json.dumps(run.to_json()))) == run


def test_a_cache_that_cannot_be_written_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("DCSIM_CACHE_DIR", str(blocked))
    run = run_real_job(work(), measure=False)
    assert "cannot be written" in run.notes[0]
    assert not write_run(blocked / "x.json", run)


def test_faults_carry_the_name_in_the_scenario() -> None:
    with pytest.raises(InputError, match=r"probe\.epochz: .*did you mean \"epochs\""):
        run_real_job(work(epochz=3), measure=False)
    with pytest.raises(InputError, match='did you mean "digits-mlp"'):
        run_real_job(replace(work(), job="digit-mlp"), measure=False)

"""The loop: determinism under a seed, stopping, checkpoints that go on bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcsim.records import InputError
from dcsim.training import run as runs
from dcsim.training.data import Dataset
from dcsim.training.jobs import Job, build_model, job, load_data
from dcsim.training.loop import Trainer
from dcsim.training.model import Model
from dcsim.training.run import run_job


def trained(chosen: Job, stop_after: int | None = None) -> tuple[Trainer, Model, Dataset]:
    data = load_data(chosen)
    model = build_model(chosen, data)
    schedule = chosen.schedule()
    if stop_after is not None:
        schedule = replace(schedule, max_steps=stop_after)
    trainer = Trainer(model, data, schedule)
    trainer.run()
    return trainer, model, data


SMALL = (
    ("digits-mlp", {"epochs": 3, "hidden": "16", "dropout": 0.2}),
    ("mlp-3-5-2", {"epochs": 2, "optimiser": "momentum"}),
    (
        "char-transformer",
        {"max_steps": 12, "width": 8, "hidden": 16, "heads": 2, "depth": 1, "context": 16}
        | {"dropout": 0.1, "batch_size": 4},
    ),
    ("digits-cnn", {"max_steps": 12, "channels": "3-4", "hidden": "8"}),
    ("text-classifier", {"max_steps": 12, "width": 8, "heads": 2, "hidden": 8, "context": 16}),
    ("fraud-detector", {"max_steps": 12, "hidden": "8"}),
)


@pytest.mark.parametrize(("name", "overrides"), SMALL)
def test_one_seed_gives_one_result_bit_for_bit(name: str, overrides: dict) -> None:
    first, one, _ = trained(job(name, **overrides))
    second, two, _ = trained(job(name, **overrides))
    other, _, _ = trained(job(name, **overrides, seed=1))
    assert first.history.losses == second.history.losses
    assert one.value.tobytes() == two.value.tobytes()
    assert first.history.losses != other.history.losses


@pytest.mark.parametrize(("name", "overrides"), SMALL)
@pytest.mark.parametrize("steps", [1, 7])
def test_a_restored_run_ends_as_if_it_had_never_stopped(
    name: str, overrides: dict, steps: int
) -> None:
    chosen = job(name, **overrides)
    whole, model, data = trained(chosen)
    stopped, _, _ = trained(chosen, stop_after=steps)
    state = {key: value.copy() for key, value in stopped.state().items()}
    again = Trainer(build_model(chosen, data), data, chosen.schedule())
    again.load(state)
    again.run()
    assert again.history.losses == whole.history.losses
    assert again.model.value.tobytes() == model.value.tobytes()
    assert again.final_figures() == whole.final_figures()


def test_resume_from_disk_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "CHECKPOINT_EVERY_S", 0.0)
    path = tmp_path / "deep" / "checkpoint.npz"
    chosen = job("digits-mlp", hidden="16", dropout=0.1, epochs=4)
    whole = run_job(chosen)
    half = run_job(replace(chosen, epochs=2), checkpoint=path)
    assert half.checkpoint_bytes == path.stat().st_size
    kept = {p.name for p in path.parent.iterdir()}
    assert kept == {"checkpoint.npz", "checkpoint.previous.npz"}
    rest = run_job(chosen, checkpoint=path, resume=True)
    assert rest.history.losses == whole.history.losses
    assert rest.history.step_s[: len(half.history.step_s)] == half.history.step_s
    assert rest.history.evaluations == whole.history.evaluations
    assert rest.figures == whole.figures
    assert rest.model.value.tobytes() == whole.model.value.tobytes()
    # Nothing is left to do for a run that is over.
    assert run_job(chosen, checkpoint=path, resume=True).history.losses == whole.history.losses


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    chosen = job("mlp-3-5-2", epochs=1)
    with pytest.raises(InputError, match="no checkpoint"):
        run_job(chosen, checkpoint=path, resume=True)
    run_job(chosen, checkpoint=path)
    with pytest.raises(InputError, match="not a checkpoint of mlp-3-5-2"):
        run_job(replace(chosen, hidden="6"), checkpoint=path, resume=True)
    content = path.read_bytes()
    for damage in (b"", b"text", content[: len(content) // 2]):
        path.write_bytes(damage)
        with pytest.raises(InputError, match="checkpoint"):
            run_job(chosen, checkpoint=path, resume=True)


def test_training_stops_at_its_target_or_its_limit() -> None:
    chosen = job("digits-mlp", target_metric="accuracy", target=0.9)
    outcome = run_job(chosen)
    assert outcome.stopped == "target"
    assert outcome.history.evaluations[-1]["accuracy"] >= 0.9
    assert all(entry["accuracy"] < 0.9 for entry in outcome.history.evaluations[:-1])
    limited = run_job(job("digits-mlp", max_steps=5))
    assert (limited.stopped, len(limited.history.losses)) == ("limit", 5)
    falling = run_job(job("mlp-3-5-2", target_metric="loss", target=0.5))
    assert falling.stopped == "target"
    assert falling.history.evaluations[-1]["loss"] <= 0.5


def test_a_run_that_blows_up_says_so() -> None:
    outcome = run_job(job("digits-mlp", optimiser="sgd", rate=1e3, epochs=2))
    assert outcome.stopped == "diverged"
    assert not np.isfinite(outcome.history.losses[-1])


def test_every_epoch_visits_every_sample_once() -> None:
    trainer, _, data = trained(job("mlp-3-5-2", epochs=1))
    first, second = trainer.order(0), trainer.order(1)
    assert sorted(first) == sorted(second) == list(range(len(data.train)))
    assert list(first) != list(second)
    assert trainer.steps == -(-len(data.train) // 32)

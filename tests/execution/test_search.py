"""A search: decided by its seed alone, resumable, and never worse than the job as it is."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from dcsim.execution.pool import Piece, Pool
from dcsim.execution.search import search
from dcsim.training.jobs import job

JOB = job("mlp-3-5-2", epochs=9)


def wait_and_answer(value: int, seconds: float) -> int:
    time.sleep(seconds)
    if value < 0:
        raise ValueError("a negative value")
    return value


def test_a_pool_answers_in_the_order_of_its_pieces() -> None:
    pieces = [Piece(wait_and_answer, (i, 0.02 * (5 - i)), 0.1) for i in range(5)]
    heard: list[int] = []
    with Pool(2) as pool:
        assert pool.run(pieces, lambda index, value: heard.append(index)) == [0, 1, 2, 3, 4]
        assert sorted(heard) == [0, 1, 2, 3, 4]
        with pytest.raises(ValueError, match="negative"):
            pool.run([Piece(wait_and_answer, (-1, 0.0), 0.1)])


def test_the_outcome_is_that_of_the_seed_whatever_the_slots(tmp_path: Path) -> None:
    def outcome(slots: int, seed: int) -> list[tuple]:
        found = search(replace(JOB, seed=seed), 9, tmp_path / f"{slots}-{seed}", slots=slots)
        return [(t.number, str(t.settings), t.steps, t.value, t.outcome) for t in found.trials]

    assert outcome(1, 3) == outcome(3, 3)
    assert outcome(1, 3) != outcome(1, 4)


def test_a_search_stops_poor_trials_and_is_no_worse_than_the_job(tmp_path: Path) -> None:
    found = search(JOB, 9, tmp_path, slots=2)
    assert len(found.trials) == 9
    assert found.best.outcome == "complete"
    assert found.best.value >= found.own
    stopped = [trial for trial in found.trials if trial.outcome == "stopped early"]
    assert stopped
    assert found.steps_spared > 0.0
    assert set(found.test) >= {"test_loss", "test_accuracy"}


def test_a_killed_search_repeats_nothing(tmp_path: Path) -> None:
    whole = search(JOB, 6, tmp_path, slots=1)
    rungs = tmp_path / "rungs.jsonl"
    lines = rungs.read_text().splitlines(keepends=True)
    rungs.write_text("".join(lines[:-2]) + lines[-2][:20])
    told: list[str] = []
    again = search(
        JOB, 6, tmp_path, slots=1, resume=True, on_progress=lambda done, of, line: told.append(line)
    )
    assert len(told) == 2
    assert [(t.settings, t.value) for t in again.trials] == [
        (t.settings, t.value) for t in whole.trials
    ]

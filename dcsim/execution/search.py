"""Hyper-parameter search: trials as jobs under the scheduler, poor ones stopped early.

Optuna proposes settings (tree-structured Parzen estimator, Bergstra et al. 2011) and decides
after each rung which trials go on (successive halving, Li et al. 2020, arXiv 1810.05934). A
trial's rungs are jobs that resume its checkpoint. Trials are proposed and judged in waves of
fixed size, so that the outcome depends on the seed alone and not on which job ends first.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from dcsim.execution.cache import source_hash
from dcsim.execution.pool import Piece, Pool
from dcsim.training.jobs import Job, build_model, load_data
from dcsim.training.loop import FALLING, HEADLINES, Trainer
from dcsim.training.run import run_job

#: Trials that are proposed together, and the factor between the lengths of their rungs.
WAVE, REDUCTION, RUNGS = 4, 3, 3
#: Settings within this factor of the job's own are tried.
_RATE_FACTOR = 10.0
_BATCHES = (16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting: what it changed, how far it got, and its figure on the validation part.

    `steps` were taken of those of a whole run; `outcome` is `complete` or `stopped early`;
    `seconds` is the training time of all its rungs.
    """

    number: int
    settings: dict[str, Any]
    steps: int
    value: float
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Search:
    """All trials, which was best, and how much of their full length was spared.

    `metric` is the headline figure on the validation part; `own` that of the job as it is,
    and `test` holds the figures of the best trial on data that chose nothing.
    """

    metric: str
    trials: tuple[Trial, ...]
    best: Trial
    own: float
    test: dict[str, float]
    steps_spared: float
    slots: int
    wall_s: float


class _Memory:
    """Finished rungs in a file of lines, so that a killed search repeats none of them."""

    def __init__(self, path: Path, resume: bool) -> None:
        self._path = path
        self._known: dict[str, dict[str, Any]] = {}
        if resume and path.is_file():
            self._known = dict(_lines(path))
        elif path.is_file():
            path.unlink()

    def find(self, job: Job) -> dict[str, Any] | None:
        """What a rung gave, if it was finished before."""
        return self._known.get(_key(job))

    def keep(self, job: Job, found: dict[str, Any]) -> None:
        """Add a finished rung."""
        self._known[_key(job)] = found
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": _key(job), "found": found}) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The whole lines of a memory; a kill may have cut the last one."""
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        yield entry["key"], entry["found"]


def _key(job: Job) -> str:
    return json.dumps([source_hash(), job.name, job.parameters()], sort_keys=True)


def search(
    job: Job,
    trials: int,
    directory: Path,
    *,
    slots: int | None = None,
    resume: bool = False,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Search:
    """Search `trials` settings of a job; checkpoints and finished rungs are kept in `directory`.

    The first trial is the job as it is. `on_progress` is told of finished rungs: trials
    judged, trials in all, and a line about the rung. Raises InputError as `run_job` does.
    """
    start, slots = perf_counter(), slots or os.cpu_count() or 1
    directory.mkdir(parents=True, exist_ok=True)
    data = load_data(job)
    metric = HEADLINES[data.task]
    study = _study(job.seed, falling=metric in FALLING)
    study.enqueue_trial({name: getattr(job, name) for name in _space(job)})
    memory = _Memory(directory / "rungs.jsonl", resume)
    found: list[Trial] = []
    with Pool(slots, preload=[__name__]) as pool:
        while len(found) < trials:
            asked = [study.ask() for _ in range(min(WAVE, trials - len(found)))]
            wave = _Wave(job, asked, directory, memory, metric)
            found += wave.run(study, pool, partial(_told, on_progress, len(found), trials))
    best = (min if metric in FALLING else max)(
        (trial for trial in found if trial.outcome == "complete"), key=lambda trial: trial.value
    )
    final = memory.find(_rung(_applied(job, best.settings), RUNGS - 1))
    whole = [_rung_steps(_applied(job, trial.settings), RUNGS - 1) for trial in found]
    return Search(
        metric=metric,
        trials=tuple(found),
        best=best,
        own=found[0].value,
        test=(final or {}).get("test", {}),
        steps_spared=1.0 - sum(trial.steps for trial in found) / sum(whole),
        slots=slots,
        wall_s=perf_counter() - start,
    )


def _told(
    on_progress: Callable[[int, int, str], None] | None, done: int, trials: int, line: str
) -> None:
    if on_progress is not None:
        on_progress(done, trials, line)


def _study(seed: int, *, falling: bool) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        direction="minimize" if falling else "maximize",
        sampler=optuna.samplers.TPESampler(seed=seed % 2**32),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION),
    )


def _space(job: Job) -> dict[str, Callable[[Any], Any]]:
    """How to draw each setting that is searched."""
    low, high = job.rate / _RATE_FACTOR, job.rate * _RATE_FACTOR
    batches = sorted({*_BATCHES, job.batch_size})
    space: dict[str, Callable[[Any], Any]] = {
        "rate": lambda trial: trial.suggest_float("rate", low, high, log=True),
        "weight_decay": lambda trial: trial.suggest_float("weight_decay", 0.0, 2.0),
        "batch_size": lambda trial: trial.suggest_categorical("batch_size", batches),
    }
    if job.dropout > 0.0:
        space["dropout"] = lambda trial: trial.suggest_float("dropout", 0.0, 0.8)
    return space


def _applied(job: Job, settings: dict[str, Any]) -> Job:
    return replace(job, **settings)


def _rung_steps(job: Job, rung: int) -> int:
    """Steps until the end of a rung: the last is a whole run, each before a third of the next."""
    data = load_data(job)
    whole = Trainer(build_model(job, data), data, job.schedule()).steps
    return math.ceil(whole / REDUCTION ** (RUNGS - 1 - rung))


def _rung(job: Job, rung: int) -> Job:
    return replace(job, max_steps=_rung_steps(job, rung))


class _Wave:
    """Some trials that go from rung to rung together."""

    def __init__(
        self, job: Job, asked: list[Any], directory: Path, memory: _Memory, metric: str
    ) -> None:
        self._asked, self._directory, self._memory = asked, directory, memory
        self._metric = metric
        self._settings = [
            {name: draw(trial) for name, draw in _space(job).items()} for trial in asked
        ]
        self._jobs = [_applied(job, settings) for settings in self._settings]
        self._seconds = [0.0] * len(asked)

    def run(self, study: Any, pool: Pool, tell: Callable[[str], Any]) -> list[Trial]:
        """Take every trial as far as it deserves; the study is told."""
        alive = list(range(len(self._asked)))
        done: dict[int, Trial] = {}
        for rung in range(RUNGS):
            results = self._train(alive, rung, pool, tell)
            for place, result in zip(list(alive), results, strict=True):
                trial, value = self._asked[place], _worth(result["value"])
                self._seconds[place] += result["seconds"]
                stops = rung < RUNGS - 1 and self._judged(trial, value, rung)
                if stops or rung == RUNGS - 1:
                    alive.remove(place)
                    done[place] = self._ended(study, place, rung, value, stops)
        return [done[place] for place in range(len(self._asked))]

    def _judged(self, trial: Any, value: float, rung: int) -> bool:
        """Report a rung and ask whether to stop."""
        trial.report(value, REDUCTION**rung)
        return bool(trial.should_prune()) or not math.isfinite(value)

    def _ended(self, study: Any, place: int, rung: int, value: float, stops: bool) -> Trial:
        import optuna

        state = optuna.trial.TrialState
        if stops:
            study.tell(self._asked[place], state=state.PRUNED)
        else:
            study.tell(self._asked[place], value if math.isfinite(value) else None)
        return Trial(
            self._asked[place].number,
            self._settings[place],
            _rung_steps(self._jobs[place], rung),
            value,
            "stopped early" if stops else "complete",
            self._seconds[place],
        )

    def _train(
        self, alive: list[int], rung: int, pool: Pool, tell: Callable[[str], Any]
    ) -> list[dict[str, Any]]:
        """The rung of every trial that is alive; those in the memory are not repeated."""
        jobs = {place: _rung(self._jobs[place], rung) for place in alive}
        due = [place for place in alive if self._memory.find(jobs[place]) is None]
        pieces = [self._piece(place, jobs[place], rung) for place in due]

        def keep(index: int, found: dict[str, Any]) -> None:
            self._memory.keep(jobs[due[index]], found)
            number = self._asked[due[index]].number
            tell(f"trial {number}, rung {rung + 1}: {self._metric} {found['value']:.4g}")

        pool.run(pieces, keep)
        return [self._memory.find(jobs[place]) or {} for place in alive]

    def _piece(self, place: int, job: Job, rung: int) -> Piece:
        path = self._directory / f"trial-{self._asked[place].number}.npz"
        estimate_s = (self._seconds[place] or 1.0) * (REDUCTION - 1.0 if rung else 1.0)
        return Piece(train_rung, (job, path, rung > 0, self._metric), estimate_s)


def _worth(value: float | None) -> float:
    return float("nan") if value is None else value


def train_rung(job: Job, path: Path, resume: bool, metric: str) -> dict[str, Any]:
    """In a worker: train to the end of a rung; its validation and test figures and its time."""
    start = perf_counter()
    outcome = run_job(job, checkpoint=path, resume=resume)
    figures = {name: value for name, value in outcome.figures.items() if math.isfinite(value)}
    test = {name: value for name, value in figures.items() if name.startswith("test_")}
    value = figures.get(f"validation_{metric}")
    return {"value": value, "test": test, "seconds": perf_counter() - start}

"""The whole rehearsal: time the machine, predict, run for real, compare; several times."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from dcsim.calibration import reference_profile
from dcsim.execution.rehearsal.cluster import Cluster, JobRun
from dcsim.execution.rehearsal.figures import (
    Outcome,
    compare,
    median_outcome,
    median_times,
)
from dcsim.execution.rehearsal.node import Shape, look_at
from dcsim.execution.rehearsal.nodes import Nodes, usable_processors
from dcsim.execution.rehearsal.pace import Pace, measure_pace
from dcsim.execution.rehearsal.plan import (
    RehearsedJob,
    Times,
    at_load,
    constant_step,
    offered_load,
    plan_jobs,
    predict,
    prediction_document,
    real_jobs,
    shortened,
)
from dcsim.execution.rehearsal.storage import SharedStorage
from dcsim.records import Fault, InputError
from dcsim.scenario.fallbacks import REHEARSAL_NODES as NODES
from dcsim.scenario.fallbacks import REHEARSAL_STORAGE as STORAGE_BYTES_PER_S
from dcsim.scenario.resolved import RealWork, Rehearsal, Scenario
from dcsim.training.checkpoint import write_atomically
from dcsim.training.jobs import Job

RUNS = 5
#: A quick rehearsal has no more predicted work than these seconds of all its processors.
QUICK_WORK_S = 19.0


class Progress(Protocol):
    """What is told of the stages of a rehearsal."""

    def start(self, stage: str, what: str, total: int | None = None) -> None:
        """A stage begins; `total` is what `advance` will reach."""

    def advance(self, done: int) -> None:
        """`done` of the stage's total."""

    def finish(self, note: str = "") -> None:
        """The stage is over."""


@dataclass(frozen=True, slots=True)
class OneRun:
    """One prediction, written to `path` with this hash, and what then happened."""

    jobs: tuple[RehearsedJob, ...]
    pace: Pace
    predicted: tuple[Times, ...]
    null: tuple[Times, ...]
    measured: tuple[Times, ...]
    details: tuple[JobRun, ...]
    compute_share: float
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class RehearsalResult:
    """All runs of a rehearsal and the medians of their figures."""

    runs: tuple[OneRun, ...]
    nodes: int
    processors: int
    load: float
    outcome: Outcome
    null: Outcome
    compute_share: float

    @property
    def names(self) -> list[str]:
        """The jobs, in order of submission."""
        return [job.name for job in self.runs[0].jobs]

    def times(self) -> tuple[list[Times], list[Times]]:
        """Measured and predicted times of every job, medians over runs."""
        return (
            median_times([run.measured for run in self.runs]),
            median_times([run.predicted for run in self.runs]),
        )


def rehearse(scenario: Scenario, quick: bool, out: Path, progress: Progress) -> RehearsalResult:
    """Rehearse the real jobs of `scenario`, once and shortened if `quick`, else `RUNS` times.

    Each run writes `prediction-N.json` into `out` before its first job starts. Raises
    InputError where the scenario has no real jobs or they do not fit, and leaves no
    process behind however it ends.
    """
    rehearsal = scenario.rehearsal or Rehearsal(NODES, None, STORAGE_BYTES_PER_S, None)
    here = usable_processors()
    processors = min(rehearsal.processors or max(len(here) - 1, 1), len(here), rehearsal.nodes)
    found = real_jobs(scenario)
    _check_sizes(found, rehearsal)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(Fault(f"cannot be made: {error.strerror}", str(out))) from None
    with tempfile.TemporaryDirectory(prefix="dcsim-rehearsal-") as folder:
        storage = SharedStorage(Path(folder), rehearsal.storage_bytes_per_s)
        progress.start("start", f"{rehearsal.nodes} workers on {processors} processors")
        with Nodes(rehearsal.nodes, processors) as nodes:
            shapes = nodes.workers[-1].call(look_at, [chosen for _, chosen in found], storage)
            progress.finish(f"{len(found)} jobs")
            stage = _Stage(scenario, rehearsal, processors, nodes, storage, out, progress)
            runs: list[OneRun] = []
            for _ in range(1 if quick else RUNS):
                runs.append(stage.run(found, shapes, quick, runs))
    return _result(runs, rehearsal.nodes, processors)


def _check_sizes(found: Sequence[tuple[RealWork, Job]], rehearsal: Rehearsal) -> None:
    faults = [
        Fault(f"{work.name} wants {chosen.workers} of {rehearsal.nodes} nodes; ask for fewer")
        for work, chosen in found
        if chosen.workers > rehearsal.nodes
    ]
    if faults:
        raise InputError(faults)


@dataclass(frozen=True, slots=True)
class _Stage:
    """What all runs of a rehearsal have in common."""

    scenario: Scenario
    rehearsal: Rehearsal
    processors: int
    nodes: Nodes
    storage: SharedStorage
    out: Path
    progress: Progress

    def run(
        self,
        found: Sequence[tuple[RealWork, Job]],
        shapes: Sequence[Shape],
        quick: bool,
        earlier: Sequence[OneRun],
    ) -> OneRun:
        """Time the machine, predict, write that down, and only then run the jobs."""
        number = len(earlier) + 1
        self.progress.start("measure", "other networks on all workers")
        pace = measure_pace(reference_profile().host, self.nodes, self.storage)
        self.progress.finish(f"{pace.granted:.0%} of the processors granted")
        jobs = self._jobs(found, shapes, pace, quick, earlier)
        predicted, null = (
            predict(jobs, pace, self.scenario.policies, self.rehearsal, self.processors, step_s)
            for step_s in (None, constant_step(jobs))
        )
        path = self.out / f"prediction-{number}.json"
        sha256 = self._write(path, prediction_document(jobs, predicted, null, pace))
        self.progress.start("rehearse", f"run {number}, prediction {sha256[:12]}", len(jobs))
        details = self._run(jobs)
        self.progress.finish(f"{max(run.end_s for run in details):.1f} s")
        busy_s = sum(run.processor_s for run in details)
        return OneRun(
            jobs=tuple(jobs),
            pace=pace,
            predicted=tuple(predicted),
            null=tuple(null),
            measured=tuple(
                Times(run.submit_s, run.start_s, run.end_s, run.step_s(job.ranks))
                for job, run in zip(jobs, details, strict=True)
            ),
            details=tuple(details),
            compute_share=busy_s / (self.processors * max(run.end_s for run in details)),
            path=path,
            sha256=sha256,
        )

    def _jobs(
        self,
        found: Sequence[tuple[RealWork, Job]],
        shapes: Sequence[Shape],
        pace: Pace,
        quick: bool,
        earlier: Sequence[OneRun],
    ) -> list[RehearsedJob]:
        jobs = plan_jobs(found, shapes, pace, self.scenario, self.rehearsal, self.processors)
        if earlier:
            # Arrivals stay as in the first run, however the machine's pace has changed.
            before = {job.name: job.submit_s for job in earlier[0].jobs}
            return [replace(job, submit_s=before[job.name]) for job in jobs]
        granted = self.processors * pace.granted
        work_s = sum(job.work_s for job in jobs) / granted
        if quick and work_s > QUICK_WORK_S:
            jobs = shortened(jobs, QUICK_WORK_S / work_s)
        return at_load(jobs, self.rehearsal.load, granted) if self.rehearsal.load else jobs

    def _run(self, jobs: Sequence[RehearsedJob]) -> list[JobRun]:
        for left in self.storage.directory.glob("checkpoint-*"):
            left.unlink()
        policies = (self.scenario.policies.scheduler, self.scenario.policies.placement)
        return Cluster(self.nodes, self.storage, policies, self.progress.advance).run(jobs)

    @staticmethod
    def _write(path: Path, document: dict[str, Any]) -> str:
        """Write a document; returns its SHA-256."""
        content = json.dumps(document, indent=1).encode()
        write_atomically(path, content)
        return hashlib.sha256(content).hexdigest()


def _result(runs: Sequence[OneRun], nodes: int, processors: int) -> RehearsalResult:
    first = runs[0]
    return RehearsalResult(
        runs=tuple(runs),
        nodes=nodes,
        processors=processors,
        load=offered_load(first.jobs, processors * first.pace.granted),
        outcome=median_outcome([compare(run.measured, run.predicted) for run in runs]),
        null=median_outcome([compare(run.measured, run.null) for run in runs]),
        compute_share=median(run.compute_share for run in runs),
    )


def rehearsal_json(result: RehearsalResult) -> dict[str, Any]:
    """The document of `dcsim rehearse --json`; times in seconds, errors as fractions."""
    measured, predicted = result.times()
    return {
        "runs": len(result.runs),
        **_figures(result.outcome),
        "compute_share": result.compute_share,
        "null": _figures(result.null),
        "jobs": [
            {
                "name": name,
                "submit_s": m.submit_s,
                "start_measured_s": m.start_s,
                "start_predicted_s": p.start_s,
                "end_measured_s": m.end_s,
                "end_predicted_s": p.end_s,
                "step_measured_s": m.step_s,
                "step_predicted_s": p.step_s,
            }
            for name, m, p in zip(result.names, measured, predicted, strict=True)
        ],
    }


def _figures(outcome: Outcome) -> dict[str, Any]:
    return {
        "makespan": {
            "measured_s": outcome.makespan_measured_s,
            "predicted_s": outcome.makespan_predicted_s,
        },
        "mean_wait": {
            "measured_s": outcome.wait_measured_s,
            "predicted_s": outcome.wait_predicted_s,
        },
        "median_completion_error": outcome.median_completion_error,
        "kendall_tau": outcome.kendall_tau,
    }

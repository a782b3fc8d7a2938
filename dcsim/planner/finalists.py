"""Finalists simulated over many seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcsim.economics import activity, bill, draw
from dcsim.planner.build import REPEAT
from dcsim.planner.expected import LONGEST_S
from dcsim.planner.outcomes import Outcome
from dcsim.planner.sampling import Scores
from dcsim.planner.screen import Step
from dcsim.planner.space import ClusterOption
from dcsim.records import LEDGER_CLASSES
from dcsim.simulation import SimulationRecord, SimulationSpec, TrainingJobSpec, simulate

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What is kept of one simulated run."""

    finish_s: Mapping[str, float]
    seconds: Mapping[str, float]
    failures: int
    ettr: float
    goodput: float


def run_spec(
    spec: SimulationSpec, steps: Sequence[Step], scores: Scores, run: int
) -> SimulationSpec:
    """`spec` with the step times that the scores of `run` draw."""
    drawn = {
        step.work.name: float(draw(step.iteration, scores.step[step.group.node.accelerator][run]))
        for step in steps
    }
    jobs = tuple(
        replace(job, step_s=drawn[job.name])
        if job.name in drawn and isinstance(job, TrainingJobSpec)
        else job
        for job in spec.jobs
    )
    return replace(spec, jobs=jobs)


def simulate_run(spec: SimulationSpec, seed: int) -> RunFigures:
    """One run, reduced to its figures; a job without an end counts as never ending."""
    return figures(simulate(replace(spec, timeline_points=0), seed))


def figures(record: SimulationRecord) -> RunFigures:
    """The figures of a simulated run; a job with repeats finishes with its last one."""
    finish: dict[str, float] = {}
    for job in record.jobs:
        name = job.name.partition(REPEAT)[0]
        end = job.end_s if np.isfinite(job.end_s) else LONGEST_S
        finish[name] = max(finish.get(name, 0.0), end)
    return RunFigures(
        finish_s=finish,
        seconds=dict(record.ledger.seconds),
        failures=sum(job.failures for job in record.jobs),
        ettr=record.ledger.ettr,
        goodput=record.ledger.goodput,
    )


def run_specs(
    spec: SimulationSpec, steps: Sequence[Step], scores: Scores
) -> list[tuple[SimulationSpec, int]]:
    """Specification and seed of every run of a candidate."""
    return [
        (run_spec(spec, steps, scores, run), int(seed)) for run, seed in enumerate(scores.seeds)
    ]


def collect(runs: Sequence[RunFigures], option: ClusterOption, scores: Scores) -> Outcome:
    """Figures of runs as one outcome, billed at the prices that the scores draw."""
    finish = {name: np.array([run.finish_s[name] for run in runs]) for name in runs[0].finish_s}
    makespan = np.max(list(finish.values()), axis=0)
    seconds = {
        name: np.array([run.seconds.get(name, 0.0) for run in runs]) for name in LEDGER_CLASSES
    }
    return Outcome(
        simulated=True,
        finish_s=finish,
        makespan_s=makespan,
        seconds=seconds,
        bill=bill(
            option.rates,
            makespan,
            activity(seconds),
            scores.price[option.price_key],
            scores.power,
        ),
        failures=np.array([float(run.failures) for run in runs]),
        ettr=np.array([run.ettr for run in runs]),
        goodput=np.array([run.goodput for run in runs]),
    )


def representative(outcome: Outcome) -> int:
    """The run whose makespan is the (lower) median: the one that is shown in detail."""
    order = np.argsort(outcome.makespan_s, kind="stable")
    return int(order[(len(order) - 1) // 2])

"""The jobs of a rehearsal, and their prediction by the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dcsim.execution.rehearsal.node import Shape
from dcsim.execution.rehearsal.pace import Pace
from dcsim.records import Fault, InputError
from dcsim.scenario.resolved import Policies, RealWork, Rehearsal, Scenario
from dcsim.simulation import PoolSpec, SimulationSpec, StorageSpec, TrainingJobSpec, simulate
from dcsim.simulation.spec import Kill
from dcsim.training.jobs import Job
from dcsim.training.jobs import job as ready_job

#: Seconds of computing between checkpoints where the scenario asks for the optimum.
SAVE_EVERY_S = 1.0
#: What the scheduler is told is this much longer than a run on a full cluster.
CAUTION = 1.2
#: Links between nodes and storage are this machine's memory, and never the limit.
UNLIMITED_BYTES_PER_S = 1e15
POOL = "local"


@dataclass(frozen=True, slots=True)
class RehearsedJob:
    """One job as both clusters are given it; `estimate_s` is what the scheduler is told."""

    name: str
    job: Job
    shape: Shape
    step_s: float
    submit_s: float
    priority: int
    save_every: int
    estimate_s: float
    kill_after_s: float | None

    @property
    def ranks(self) -> int:
        """Nodes that the job takes, a worker on each."""
        return self.job.workers

    @property
    def work_s(self) -> float:
        """Predicted processor seconds of all ranks and steps."""
        return self.ranks * self.shape.steps * self.step_s


@dataclass(frozen=True, slots=True)
class Times:
    """When a job started and ended, from the start of the rehearsal, and its step's seconds."""

    submit_s: float
    start_s: float
    end_s: float
    step_s: float


def real_jobs(scenario: Scenario) -> list[tuple[RealWork, Job]]:
    """Every real job, its repeats numbered.

    Raises InputError where a job or a parameter is unknown, or nothing is to be rehearsed.
    """
    found: list[tuple[RealWork, Job]] = []
    for work in scenario.workload:
        if not isinstance(work, RealWork):
            continue
        chosen = ready_job(work.job, **work.parameters)
        names = [work.name, *(f"{work.name}-{i}" for i in range(2, work.repeats + 1))]
        found += [(replace(work, name=name), chosen) for name in names]
    if not found:
        raise InputError(
            Fault("has no job of kind real; only those can be rehearsed", str(scenario.path))
        )
    return found


def plan_jobs(
    found: Sequence[tuple[RealWork, Job]],
    shapes: Sequence[Shape],
    pace: Pace,
    scenario: Scenario,
    rehearsal: Rehearsal,
    processors: int,
) -> list[RehearsedJob]:
    """The jobs in order of submission, with everything that is decided before they run."""
    interval_s = scenario.policies.checkpoint.interval_s or SAVE_EVERY_S
    crowding = rehearsal.nodes / processors
    jobs = []
    for (work, chosen), shape in zip(found, shapes, strict=True):
        step_s = pace.step_s(shape, chosen.workers)
        jobs.append(
            RehearsedJob(
                name=work.name,
                job=chosen,
                shape=shape,
                step_s=step_s,
                submit_s=work.submit_s,
                priority=work.priority,
                save_every=max(round(interval_s / step_s), 1),
                estimate_s=CAUTION * (pace.start_s + shape.steps * step_s * crowding),
                kill_after_s=work.kill_after_s,
            )
        )
    return sorted(jobs, key=lambda job: job.submit_s)


def shortened(jobs: Sequence[RehearsedJob], share: float) -> list[RehearsedJob]:
    """The jobs with `share` of their steps, and as much less time in all that counts it."""
    cut = []
    for job in jobs:
        steps = max(round(share * job.shape.steps), 1)
        cut.append(
            replace(
                job,
                job=replace(job.job, max_steps=steps),
                shape=replace(job.shape, steps=steps),
                estimate_s=share * job.estimate_s,
                kill_after_s=None if job.kill_after_s is None else share * job.kill_after_s,
            )
        )
    return cut


def at_load(jobs: Sequence[RehearsedJob], load: float, processors: float) -> list[RehearsedJob]:
    """The jobs with arrivals stretched to an offered load, work ÷ (processors × last arrival)."""
    last_s = max(job.submit_s for job in jobs)
    if last_s == 0.0:
        return list(jobs)
    factor = sum(job.work_s for job in jobs) / (processors * last_s * load)
    return [replace(job, submit_s=factor * job.submit_s) for job in jobs]


def offered_load(jobs: Sequence[RehearsedJob], processors: float) -> float:
    """Predicted work ÷ what the processors can do until the last arrival."""
    last_s = max(job.submit_s for job in jobs)
    work_s = sum(job.work_s for job in jobs)
    return work_s / (processors * last_s) if last_s else float("inf")


def constant_step(jobs: Sequence[RehearsedJob]) -> float:
    """The step time that the null model gives every job: the mean over all steps of all ranks.

    No other constant comes closer, for this one keeps the work of all jobs together.
    """
    return sum(job.work_s for job in jobs) / sum(job.ranks * job.shape.steps for job in jobs)


def predict(
    jobs: Sequence[RehearsedJob],
    pace: Pace,
    policies: Policies,
    rehearsal: Rehearsal,
    processors: int,
    constant_step_s: float | None = None,
) -> list[Times]:
    """Simulate the jobs; with `constant_step_s`, as if every step of each took that long."""
    pool = PoolSpec(
        POOL,
        "worker process",
        rehearsal.nodes,
        1,
        UNLIMITED_BYTES_PER_S,
        is_local=True,
        processors=min(processors * pace.granted, rehearsal.nodes),
    )
    rate = rehearsal.storage_bytes_per_s
    spec = SimulationSpec(
        pools=(pool,),
        jobs=tuple(_job_spec(job, pace, constant_step_s or job.step_s) for job in jobs),
        storage=StorageSpec(1, rate, rate),
        scheduler=policies.scheduler,
        placement=policies.placement,
        timeline_points=0,
    )
    record = simulate(spec, seed=0)
    return [Times(job.submit_s, job.start_s, job.end_s, job.step_s) for job in record.jobs]


def _job_spec(job: RehearsedJob, pace: Pace, step_s: float) -> TrainingJobSpec:
    """Every rank reads the data, and the checkpoint when it goes on; the first one saves."""
    shape, ranks = job.shape, job.ranks
    kills: tuple[Kill, ...] = ()
    if job.kill_after_s is not None:
        kills = (Kill(job.kill_after_s, restart_s=pace.restart_s + pace.start_s),)
    return TrainingJobSpec(
        name=job.name,
        accelerators=ranks,
        pool=POOL,
        steps=shape.steps,
        step_s=step_s,
        submit_s=job.submit_s,
        initial_read_bytes=float(ranks * shape.data_bytes),
        checkpoint_bytes=shape.checkpoint_bytes,
        checkpoint_interval_s=job.save_every * step_s,
        restore_bytes=ranks * (shape.data_bytes + shape.checkpoint_bytes),
        start_s=pace.start_s,
        priority=job.priority,
        estimate_s=job.estimate_s,
        kills=kills,
    )


def prediction_document(
    jobs: Sequence[RehearsedJob], predicted: Sequence[Times], null: Sequence[Times], pace: Pace
) -> dict[str, Any]:
    """What is written, and hashed, before the first job starts."""
    return {
        "granted_processors": pace.granted,
        "jobs": [
            {
                "name": job.name,
                "submit_s": job.submit_s,
                "start_s": times.start_s,
                "end_s": times.end_s,
                "step_s": times.step_s,
                "steps": job.shape.steps,
                "estimate_s": job.estimate_s,
                "save_every": job.save_every,
                "null_start_s": other.start_s,
                "null_end_s": other.end_s,
                "null_step_s": other.step_s,
            }
            for job, times, other in zip(jobs, predicted, null, strict=True)
        ],
    }

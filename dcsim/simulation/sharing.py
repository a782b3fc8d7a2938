"""What jobs cost each other: the same cluster with and without the neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dcsim.simulation.model import simulate
from dcsim.simulation.record import JobRecord, SimulationRecord
from dcsim.simulation.spec import JobSpec, SimulationSpec, TrainingJobSpec

#: A job that takes this much longer than alone is not slowed, but rounded.
_ROUNDING = 1e-6

#: Jobs of which each is simulated alone; of more, those that hold the most accelerators.
MOST_ALONE = 200


@dataclass(frozen=True, slots=True)
class JobSharing:
    """How long one job runs alone and among the others, queueing apart.

    `at_fault` names the link that held it back the longest, with the servers that were
    lost, if any; empty where nothing did.
    """

    job: str
    alone_s: float
    shared_s: float
    at_fault: str

    @property
    def slowdown(self) -> float:
        """Shared over alone; 1 where the neighbours cost nothing."""
        return self.shared_s / self.alone_s if self.alone_s > 0.0 else 1.0


def sharing(spec: SimulationSpec, seed: int) -> tuple[JobSharing, ...]:
    """The slowdown of every job that ends, in the order of the jobs.

    Nothing fails at random in either run, so that what differs is what neighbours take.
    Alone, a job has healthy storage: a server that a script loses counts as a neighbour.
    Jobs that are alike but for name and date are simulated alone once.
    """
    upkeep = spec.storage.upkeep if spec.storage is not None else None
    calm = replace(
        spec,
        jobs=tuple(_without_spread(job) for job in spec.jobs),
        failures=(),
        lemons=None,
        timeline_points=0,
        audit=False,
        blame=True,
    )
    if spec.storage is not None and upkeep is not None:
        calm = replace(
            calm, storage=replace(spec.storage, upkeep=replace(upkeep, failures_per_s=0.0))
        )
    together = simulate(calm, seed)
    alone: dict[JobSpec, float] = {}
    found = []
    for job in _largest(calm.jobs):
        record = together.job(job.name)
        if record.status != "done":
            continue
        key = replace(job, name="", submit_s=0.0)
        if key not in alone:
            alone[key] = _alone_s(calm, job, seed)
        found.append(_compared(record, alone[key], together))
    return tuple(found)


def _compared(record: JobRecord, alone_s: float, together: SimulationRecord) -> JobSharing:
    shared_s = record.end_s - record.start_s
    slowed = shared_s > alone_s * (1.0 + _ROUNDING)
    return JobSharing(
        job=record.name,
        alone_s=alone_s,
        # Longest sums round: a neighbour never makes a job faster.
        shared_s=shared_s if slowed else alone_s,
        at_fault=_fault(record.name, together) if slowed else "",
    )


def _alone_s(spec: SimulationSpec, job: JobSpec, seed: int) -> float:
    storage = spec.storage
    healthy = None if storage is None else replace(storage, upkeep=None)
    only = replace(spec, jobs=(replace(job, submit_s=0.0),), storage=healthy, blame=False)
    record = simulate(only, seed).jobs[0]
    return record.end_s - record.start_s


def _fault(job: str, together: SimulationRecord) -> str:
    """The link that held the job back the longest, and the servers that were lost."""
    held: Mapping[str, float] = together.held_back_s.get(job, {})
    link = max(held, key=lambda name: (held[name], name), default="")
    servers = together.servers
    lost = (
        []
        if servers is None
        else [
            name
            for name, away in zip(servers.names, servers.away_s.tolist(), strict=True)
            if away > 0.0
        ]
    )
    if not lost or (link and not link.startswith("storage")):
        return link
    return f"{link or 'storage'} ({', '.join(lost)} lost)"


def _without_spread(job: JobSpec) -> JobSpec:
    return replace(job, step_log_spread=0.0) if isinstance(job, TrainingJobSpec) else job


def _largest(jobs: tuple[JobSpec, ...]) -> list[JobSpec]:
    """All jobs, or those with the most accelerators, in their order."""
    chosen = sorted(range(len(jobs)), key=lambda n: (-jobs[n].accelerators, n))[:MOST_ALONE]
    return [jobs[number] for number in sorted(chosen)]

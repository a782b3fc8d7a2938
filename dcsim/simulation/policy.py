"""What the dispatcher decides by: scheduler, placement, rules, and usage that fades."""

from collections.abc import Mapping

import numpy as np

from dcsim.scheduling.policies import placement, scheduler, stops_jobs
from dcsim.scheduling.protocol import Closure, QueuedJob, Rules
from dcsim.simulation.spec import RealJobSpec, SimulationSpec


class Policy:
    """The names of a spec as functions, and its users and groups as numbers.

    `owner` and `account` are numbers of each job: usage is shared fairly among users (groups
    where no job has a user), quotas belong to groups or users.
    """

    def __init__(self, spec: SimulationSpec) -> None:
        users = [_name(job, "user") for job in spec.jobs]
        groups = [_name(job, "group") for job in spec.jobs]
        self.owner, owners = _numbered(users if any(users) else groups)
        self.account, accounts = _numbered(users if spec.quota_by == "user" else groups)
        self.priority_scale = float(max([1, *(abs(job.priority) for job in spec.jobs)]))
        self.resume_s = [0.0 if isinstance(job, RealJobSpec) else job.resume_s for job in spec.jobs]
        rules = Rules(
            _quota(spec.quota, accounts),
            tuple(_closures(spec, users, groups, self.owner, self.account)),
            max(self.resume_s, default=0.0),
            self.priority_scale,
        )
        sizes = [job.accelerators for job in spec.jobs if not isinstance(job, RealJobSpec)]
        self.place = placement(spec.placement, spec.rack_nodes, sizes)
        self.decide = scheduler(spec.scheduler, rules, spec.tuning, spec.placement)
        self.resizes = spec.scheduler == "elastic"
        self.migrates = spec.migrate
        self.stops = stops_jobs(spec.scheduler) or spec.migrate
        self._fades = spec.scheduler.startswith("fairshare")
        self._half_life_s = spec.tuning.half_life_s
        self._usage = np.zeros(max(len(owners), 1))
        self._held = np.zeros(max(len(owners), 1), dtype=np.int64)
        self._by_job: dict[int, int] = {}
        self._noted_s = 0.0

    def whose(self, job: int) -> tuple[int, int]:
        """Owner and account of a job; one that joins later belongs with the first."""
        return (self.owner[job], self.account[job]) if job < len(self.owner) else (0, 0)

    def expected_s(self, ask: QueuedJob) -> float:
        """How long a job that starts now is expected to run."""
        has_run = ask.attained_s > 0.0 and ask.job < len(self.resume_s)
        return ask.estimate_s + (self.resume_s[ask.job] if has_run else 0.0)

    def usage(self, now: float) -> tuple[float, ...]:
        """Accelerator-seconds of each owner, half of them forgotten in every half-life."""
        if not self._fades:
            return ()
        self._fade(now)
        return tuple(self._usage.tolist())

    def note_usage(self, now: float, job: int, held: int) -> None:
        """`job` holds `held` accelerators from now on."""
        if self._fades:
            self._fade(now)
            self._held[self.whose(job)[0]] += held - self._by_job.get(job, 0)
            self._by_job[job] = held

    def _fade(self, now: float) -> None:
        fade = 0.5 ** ((now - self._noted_s) / self._half_life_s)
        self._usage *= fade
        self._usage += self._held * ((1.0 - fade) * self._half_life_s / np.log(2.0))
        self._noted_s = now


def _name(job: object, key: str) -> str:
    return str(getattr(job, key, ""))


def _numbered(names: list[str]) -> tuple[list[int], list[str]]:
    known = sorted(set(names))
    numbers = {name: number for number, name in enumerate(known)}
    return [numbers[name] for name in names], known


def _quota(quota: Mapping[str, int], accounts: list[str]) -> dict[int, int]:
    limits = {}
    for number, name in enumerate(accounts):
        limit = quota.get(name, quota.get(""))
        if limit is not None:
            limits[number] = limit
    return limits


def _closures(
    spec: SimulationSpec,
    users: list[str],
    groups: list[str],
    owner: list[int],
    account: list[int],
) -> list[Closure]:
    first = {}
    nodes = 0
    for pool in spec.pools:
        first[pool.name] = nodes
        nodes += pool.nodes
    found = []
    for window in spec.windows:
        low = first[window.pool]
        who = {
            "owner": next(
                (
                    o
                    for o, u, g in zip(owner, users, groups, strict=True)
                    if window.owner is not None and (window.owner == (u if any(users) else g))
                ),
                -1,
            ),
            "account": next(
                (
                    a
                    for a, u, g in zip(account, users, groups, strict=True)
                    if window.owner is not None
                    and window.owner == (u if spec.quota_by == "user" else g)
                ),
                -1,
            ),
        }
        found.append(
            Closure(low + window.first, low + window.last, window.start_s, window.end_s, **who)
        )
    return found

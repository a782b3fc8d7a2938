"""The queue, and the scheduling pass that carries out a scheduler's decisions."""

from bisect import insort
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import simpy
from numpy.typing import NDArray

from dcsim.scheduling.policies import placement, scheduler
from dcsim.scheduling.protocol import ClusterView, QueuedJob, RunningJob
from dcsim.simulation.events import PASS, EventLog, after
from dcsim.simulation.nodes import FRAGMENTED, HELD_BACK, NO_DEMAND, Nodes

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Held:
    """Accelerators of a running job: `counts[i]` on node `nodes[i]`, sorted by node."""

    nodes: Ints
    counts: Ints


class Waiting(Protocol):
    """A job as the dispatcher sees it."""

    number: int
    name: str
    pool: int
    accelerators: int
    priority: int
    submit_s: float
    estimate_s: float

    def grant(self, held: Held) -> None:
        """The job holds these accelerators from now on."""


class Dispatcher:
    """Keeps the queue in order of (priority, submission, number) and runs passes.

    A pass runs once in a timestamp, after all completions and arrivals of it.
    """

    def __init__(
        self,
        environment: simpy.Environment,
        nodes: Nodes,
        log: EventLog,
        names: tuple[str, str],
    ) -> None:
        self._environment = environment
        self._nodes = nodes
        self._log = log
        self._decide, self._place = scheduler(names[0]), placement(names[1])
        self._queue: list[tuple[tuple[int, float, int], Waiting, QueuedJob]] = []
        self._running: dict[int, RunningJob] = {}
        self._pass_is_due = False

    def __len__(self) -> int:
        """Jobs in the queue."""
        return len(self._queue)

    def submit(self, job: Waiting) -> None:
        """`job` joins the queue, at the place of its first submission."""
        key = (-job.priority, job.submit_s, job.number)
        view = QueuedJob(
            job.number, job.accelerators, job.submit_s, job.estimate_s, job.priority, job.pool
        )
        insort(self._queue, (key, job, view), key=lambda entry: entry[0])
        self.request_pass()

    def started(self, job: Waiting, held: Held, expected_end_s: float) -> None:
        """`job` holds `held` from now on (at its start, or with another node in it)."""
        self._running[job.number] = RunningJob(
            job.number, held.nodes, held.counts, expected_end_s, job.pool
        )

    def release(self, job: Waiting, held: Held) -> None:
        """`job` gives everything back."""
        self._nodes.give(self._environment.now, held.nodes, held.counts)
        self._running.pop(job.number, None)
        self.request_pass()

    def withdraw(self, job: Waiting) -> None:
        """`job` leaves the queue, if it is there."""
        self._queue = [entry for entry in self._queue if entry[1] is not job]
        self.request_pass()

    def waits_for(self, pool: int) -> bool:
        """Whether some job of the queue wants nodes of `pool`."""
        return any(view.pool == pool for _, _, view in self._queue)

    def request_pass(self) -> None:
        """Something changed: decide again before this timestamp ends."""
        if not self._pass_is_due:
            self._pass_is_due = True
            after(self._environment, 0.0, PASS, self._run_pass)

    def _run_pass(self) -> None:
        self._pass_is_due = False
        now = self._environment.now
        if self._queue:
            view = ClusterView(now, self._nodes.available(), self._nodes.capacity, self._nodes.pool)
            queue = tuple(entry[2] for entry in self._queue)
            decision = self._decide(view, queue, tuple(self._running.values()), self._place)
            granted = {start.job for start in decision.starts}
            jobs = {job.number: job for _, job, _ in self._queue if job.number in granted}
            self._queue = [entry for entry in self._queue if entry[1].number not in granted]
            for start in decision.starts:
                order = np.argsort(start.nodes, kind="stable")
                held = Held(start.nodes[order], start.counts[order])
                self._nodes.take(now, held.nodes, held.counts)
                job = jobs[start.job]
                self.started(job, held, now + job.estimate_s)
                job.grant(held)
        self._explain_idle(now)

    def _explain_idle(self, now: float) -> None:
        """Say for each pool why its free accelerators stay free."""
        smallest: dict[int, int] = {}
        for _, _, view in self._queue:
            smallest[view.pool] = min(smallest.get(view.pool, view.accelerators), view.accelerators)
        available = self._nodes.available() if smallest else None
        for pool in range(len(self._nodes.pools)):
            reason = NO_DEMAND
            if available is not None and pool in smallest:
                members = self._nodes.members(pool)
                fits = self._place(
                    available[members], self._nodes.capacity[members], smallest[pool]
                )
                reason = FRAGMENTED if fits is None else HELD_BACK
            else:
                self._nodes.refill_spares(now, pool)
            self._nodes.set_reason(now, pool, reason)

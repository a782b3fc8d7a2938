"""The queue, and the scheduling pass that carries out a scheduler's decisions."""

from bisect import insort
from dataclasses import dataclass
from math import inf
from typing import Protocol

import numpy as np
import simpy
from numpy.typing import NDArray

from dcsim.scheduling.defragment import defragment
from dcsim.scheduling.protocol import ClusterView, Decision, QueuedJob, RunningJob, Start
from dcsim.simulation.events import PASS, EventLog, after
from dcsim.simulation.nodes import FRAGMENTED, HELD_BACK, NO_DEMAND, Nodes
from dcsim.simulation.policy import Policy
from dcsim.simulation.promises import Promise, Promises

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
    can_stop: bool

    def ask(self) -> QueuedJob:
        """The job as it stands in the queue now, what it still takes included."""

    def grant(self, held: Held) -> None:
        """The job holds these accelerators from now on."""

    def leave(self, why: str) -> None:
        """The job must save what it did and give back what it holds."""


class Dispatcher:
    """Keeps the queue in order of (priority, submission, number) and runs passes.

    A pass runs once in a timestamp, after all completions and arrivals of it. What it
    decides is carried out at once, or promised until the jobs that it stops have left.
    """

    def __init__(
        self, environment: simpy.Environment, nodes: Nodes, log: EventLog, policy: Policy
    ) -> None:
        self._environment = environment
        self._nodes = nodes
        self._log = log
        self._policy = policy
        self._queue: list[tuple[tuple[int, float, int], Waiting, QueuedJob]] = []
        self._running: dict[int, RunningJob] = {}
        self._jobs: dict[int, Waiting] = {}
        self._promises = Promises()
        self._pass_is_due = False
        self._again_s = inf

    def __len__(self) -> int:
        """Jobs in the queue."""
        return len(self._queue)

    def submit(self, job: Waiting) -> None:
        """`job` joins the queue, at the place of its first submission, unless it is promised."""
        ask = job.ask()
        moves = [p for p in self._promises.pending if p.ask.job == job.number]
        if moves:
            self._jobs[job.number] = job
            moves[0].ask = ask
        else:
            self._enqueue(job, ask)
        self.request_pass()

    def started(self, job: Waiting, held: Held, expected_end_s: float) -> None:
        """`job` holds `held` from now on (at its start, or with another node in it)."""
        before = self._running.get(job.number)
        self._jobs[job.number] = job
        self._running[job.number] = RunningJob(
            job.number,
            held.nodes,
            held.counts,
            expected_end_s,
            job.pool,
            before.ask if before is not None else job.ask(),
            before.since_s if before is not None else self._environment.now,
            job.can_stop,
        )
        if job.number in self._promises.leaving:
            self._promises.leaving[job.number] = self._running[job.number]

    def release(self, job: Waiting, held: Held) -> None:
        """`job` gives everything back."""
        now = self._environment.now
        self._nodes.give(now, held.nodes, held.counts)
        if self._running.pop(job.number, None) is not None:
            self._policy.note_usage(now, job.number, 0)
        self._promises.leaving.pop(job.number, None)
        self.request_pass()

    def withdraw(self, job: Waiting) -> None:
        """`job` leaves the queue, if it is there."""
        self._queue = [entry for entry in self._queue if entry[1] is not job]
        self.request_pass()

    def waits_for(self, pool: int) -> bool:
        """Whether some job of the queue wants nodes of `pool`."""
        return any(view.pool == pool for _, _, view in self._queue)

    def ended(self, job: Waiting) -> None:
        """`job` will not come back: a place that was promised to it is free again."""
        self._promises.pending = [p for p in self._promises.pending if p.ask.job != job.number]

    def stop(self, job: Waiting, why: str) -> None:
        """Tell a running job to save and leave; its accelerators count as free from now on."""
        if (
            job.can_stop
            and job.number in self._running
            and job.number not in self._promises.leaving
        ):
            self._promises.leaving[job.number] = self._running[job.number]
            job.leave(why)

    def request_pass(self) -> None:
        """Something changed: decide again before this timestamp ends."""
        if not self._pass_is_due:
            self._pass_is_due = True
            after(self._environment, 0.0, PASS, self._run_pass)

    def _run_pass(self) -> None:
        self._pass_is_due = False
        now = self._environment.now
        if self._promises.pending:
            self._settle_promises(now)
        if self._queue or (self._policy.resizes and self._running):
            self._carry_out(now, self._decision(now))
        self._explain_idle(now)

    def _settle_promises(self, now: float) -> None:
        """Give back to the queue what cannot be kept, start what can."""
        while (promise := self._promises.broken(self._nodes)) is not None:
            job = self._jobs[promise.ask.job]
            if job.number not in self._running:
                self._enqueue(job, promise.ask)
        while (promise := self._promises.kept(self._nodes)) is not None:
            self._start(now, self._jobs[promise.ask.job], promise.start)

    def _decision(self, now: float) -> Decision:
        nodes, promises, policy = self._nodes, self._promises, self._policy
        free, running = nodes.available(), tuple(self._running.values())
        if promises.pending or promises.leaving:
            free = np.maximum(promises.available(nodes), 0)
            staying = [job for job in running if job.job not in promises.leaving]
            running = (*staying, *promises.running(now))
        if policy.stops:
            running = tuple(self._only_whole(job) for job in running)
        view = ClusterView(now, free, nodes.capacity, nodes.pool, policy.usage(now))
        queue = tuple(entry[2] for entry in self._queue)
        decision = policy.decide(view, queue, running, policy.place)
        nothing = not (decision.starts or decision.stops or decision.moves)
        if policy.migrates and nothing and queue and not promises.pending:
            return defragment(view, queue, running, policy.place) or decision
        return decision

    def _only_whole(self, job: RunningJob) -> RunningJob:
        """`job`, not to be stopped while a node of it is about to go away."""
        if not job.can_stop or self._nodes.all_up(job.nodes):
            return job
        return RunningJob(
            job.job, job.nodes, job.counts, job.expected_end_s, job.pool, job.ask, job.since_s
        )

    def _carry_out(self, now: float, decision: Decision) -> None:
        asks = {view.job: (job, view) for _, job, view in self._queue}
        if decision.starts:
            granted = {start.job for start in decision.starts}
            self._queue = [entry for entry in self._queue if entry[1].number not in granted]
        for move in decision.moves:
            job = self._jobs[move.job]
            ask = self._running[move.job].ask
            if ask is not None:
                self._promises.pending.append(Promise(_sorted(move), ask))
            self.stop(job, "moved")
        for number in decision.stops:
            self.stop(self._jobs[number], "preempted")
        # What leaving jobs still hold was shown as free, too.
        waits = bool(self._promises.pending or self._promises.leaving)
        for start in decision.starts:
            job, view = asks[start.job]
            self._jobs[job.number] = job
            if waits:
                self._promises.pending.append(Promise(_sorted(start), view))
            else:
                self._start(now, job, _sorted(start))
        if waits:
            self._settle_promises(now)
        if now < decision.again_s < self._again_s or self._again_s <= now:
            self._wake_at(now, decision.again_s)

    def _wake_at(self, now: float, time_s: float) -> None:
        self._again_s = time_s
        if time_s < inf:
            after(self._environment, time_s - now, PASS, self.request_pass)

    def _enqueue(self, job: Waiting, ask: QueuedJob) -> None:
        key = (-job.priority, job.submit_s, job.number)
        insort(self._queue, (key, job, ask), key=lambda entry: entry[0])

    def _start(self, now: float, job: Waiting, start: Start) -> None:
        held = Held(start.nodes, start.counts)
        self._nodes.take(now, held.nodes, held.counts)
        self.started(job, held, now + self._policy.expected_s(job.ask()))
        self._policy.note_usage(now, job.number, int(held.counts.sum()))
        job.grant(held)

    def _explain_idle(self, now: float) -> None:
        """Say for each pool why its free accelerators stay free."""
        smallest: dict[int, int] = {}
        for _, _, view in self._queue:
            smallest[view.pool] = min(smallest.get(view.pool, view.accelerators), view.accelerators)
        promised = {promise.ask.pool for promise in self._promises.pending}
        available = self._nodes.available() if smallest else None
        for pool in range(len(self._nodes.pools)):
            reason = NO_DEMAND
            if pool in promised:
                reason = HELD_BACK
            elif available is not None and pool in smallest:
                members = self._nodes.members(pool)
                fits = self._policy.place(
                    available[members], self._nodes.capacity[members], smallest[pool]
                )
                reason = FRAGMENTED if fits is None else HELD_BACK
            else:
                self._nodes.refill_spares(now, pool)
            self._nodes.set_reason(now, pool, reason)


def _sorted(start: Start) -> Start:
    order = np.argsort(start.nodes, kind="stable")
    return Start(start.job, start.nodes[order], start.counts[order])

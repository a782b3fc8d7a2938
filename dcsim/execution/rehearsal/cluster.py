"""The real cluster: jobs arrive, the scheduler decides, workers train, some are killed."""

from __future__ import annotations

import heapq
import os
import signal
from bisect import insort
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from multiprocessing.connection import wait
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from dcsim.execution.rehearsal.gang import Gang
from dcsim.execution.rehearsal.node import Report, Task, train
from dcsim.execution.rehearsal.nodes import Nodes
from dcsim.execution.rehearsal.plan import RehearsedJob
from dcsim.execution.rehearsal.storage import SharedStorage
from dcsim.records import InputError
from dcsim.scheduling.policies import placement, scheduler, stops_jobs
from dcsim.scheduling.protocol import ClusterView, QueuedJob, RunningJob, Start
from dcsim.workers import WorkerDied

Ints = NDArray[np.int64]


@dataclass(slots=True)
class JobRun:
    """How a job went; times from the start of the rehearsal.

    `processor_s` sums over ranks and over the stretches that ended by themselves,
    `computed_steps` counts their steps; what a killed worker did is in neither.
    """

    submit_s: float
    start_s: float = float("nan")
    end_s: float = float("nan")
    kills: int = 0
    computed_steps: int = 0
    processor_s: float = 0.0
    losses: tuple[float, ...] = ()

    def step_s(self, ranks: int) -> float:
        """Processor seconds of one rank's step."""
        return self.processor_s / (self.computed_steps * ranks)


@dataclass(slots=True)
class _Running:
    """A started job: its ranks by node, and those that have not reported yet."""

    nodes: Ints
    counts: Ints
    expected_end_s: float
    places: list[int]
    waiting: set[int] = field(default_factory=set)


class Cluster:
    """Runs jobs on `nodes` as `policies` (scheduler and placement names) decide."""

    def __init__(
        self,
        nodes: Nodes,
        storage: SharedStorage,
        policies: tuple[str, str],
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self._nodes, self._storage = nodes, storage
        if stops_jobs(policies[0]):
            raise InputError(f"a rehearsal stops no jobs, as {policies[0]} would; choose another")
        self._decide, self._place = scheduler(policies[0]), placement(policies[1])
        self._on_progress = on_progress or (lambda done: None)
        self._free = np.ones(len(nodes), dtype=np.int64)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._queue: list[tuple[tuple[int, float, int], QueuedJob]] = []
        self._running: dict[int, _Running] = {}
        self._jobs: list[RehearsedJob] = []
        self._runs: list[JobRun] = []
        self._restarts: dict[int, list[Future]] = {}
        self._begun = 0.0

    def run(self, jobs: Sequence[RehearsedJob]) -> list[JobRun]:
        """Run all jobs to their ends; returns how each went, in their order.

        Raises what a job raises, but not WorkerDied: a job whose worker died goes on from
        its last checkpoint.
        """
        self._jobs, self._runs = list(jobs), [JobRun(job.submit_s) for job in jobs]
        for number, job in enumerate(jobs):
            self._at(job.submit_s, partial(self._arrive, number))
        self._woken, self._wake = os.pipe()
        try:
            with ThreadPoolExecutor(len(self._nodes)) as helpers:
                self._helpers = helpers
                self._run_all()
        finally:
            os.close(self._woken)
            os.close(self._wake)
        return self._runs

    def _run_all(self) -> None:
        """From the first arrival to the last end."""
        self._begun = monotonic()
        left = len(self._jobs)
        while left:
            self._run_events()
            self._pass()
            done = self._listen()
            left -= done
            if done:
                self._on_progress(len(self._jobs) - left)

    def _now(self) -> float:
        return monotonic() - self._begun

    def _at(self, time_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time_s, next(self._order), action))

    def _run_events(self) -> None:
        while self._events and self._events[0][0] <= self._now():
            heapq.heappop(self._events)[2]()

    def _arrive(self, number: int) -> None:
        job = self._jobs[number]
        queued = QueuedJob(number, job.ranks, job.submit_s, job.estimate_s, job.priority)
        insort(self._queue, ((-job.priority, job.submit_s, number), queued))

    def _pass(self) -> None:
        """Let the scheduler decide, and start what it says."""
        if not self._queue:
            return
        ones = np.ones(len(self._nodes), dtype=np.int64)
        view = ClusterView(self._now(), self._free, ones, np.zeros(len(self._nodes), np.int64))
        running = [
            RunningJob(number, run.nodes, run.counts, run.expected_end_s)
            for number, run in self._running.items()
        ]
        queue = tuple(queued for _, queued in self._queue)
        decision = self._decide(view, queue, running, self._place)
        started = {start.job for start in decision.starts}
        self._queue = [entry for entry in self._queue if entry[1].job not in started]
        for start in decision.starts:
            self._start(start)

    def _start(self, start: Start) -> None:
        job, now = self._jobs[start.job], self._now()
        self._free[start.nodes] -= start.counts
        places = [int(node) for node in sorted(start.nodes)]
        self._running[start.job] = _Running(start.nodes, start.counts, now + job.estimate_s, places)
        self._runs[start.job].start_s = now
        if job.kill_after_s is not None:
            self._at(now + job.kill_after_s, partial(self._kill, start.job))
        self._launch(start.job)

    def _launch(self, number: int) -> None:
        """Send every rank to its node."""
        job, running = self._jobs[number], self._running[number]
        gang = None
        if job.ranks > 1:
            directory = self._storage.directory / f"gang-{self._nodes.serial()}"
            gang = Gang(directory, job.ranks, job.shape.values, job.shape.dtype)
            gang.prepare()
        for rank, node in enumerate(running.places):
            task = Task(job.name, job.job, job.save_every, rank, gang)
            self._nodes.workers[node].send(train, task, self._storage)
        running.waiting = set(running.places)

    def _kill(self, number: int) -> None:
        """End the process of a job's first rank, as a crash would; spares a job that is over."""
        running = self._running.get(number)
        if running is not None and number not in self._restarts:
            os.kill(self._nodes.workers[running.places[0]].pid, signal.SIGKILL)

    def _listen(self) -> int:
        """Wait for the next thing to happen; how many jobs have ended."""
        listening = {
            self._nodes.workers[node].connection: (number, node)
            for number, running in self._running.items()
            if number not in self._restarts
            for node in running.waiting
        }
        timeout = None
        if self._events:
            timeout = max(self._events[0][0] - self._now(), 0.0)
        ended = 0
        for ready in wait([*listening, self._woken], timeout):
            if ready == self._woken:
                os.read(self._woken, 1)
                self._relaunch()
                continue
            number, node = listening[ready]  # type: ignore[index]
            if number in self._running and number not in self._restarts:
                ended += self._hear(number, node)
        return ended

    def _hear(self, number: int, node: int) -> int:
        """A rank has reported or died; 1 if its job is over, else 0."""
        running, run = self._running[number], self._runs[number]
        try:
            report: Report = self._nodes.workers[node].receive()[1]
        except WorkerDied:
            run.kills += 1
            self._restart(number)
            return 0
        running.waiting.discard(node)
        run.processor_s += report.processor_s
        if node == running.places[0]:
            run.computed_steps += report.computed_steps
            run.losses = report.losses
        if running.waiting:
            return 0
        run.end_s = self._now()
        self._free[running.nodes] += running.counts
        del self._running[number]
        return 1

    def _restart(self, number: int) -> None:
        """All ranks of a job that lost one start anew, beside everything else."""
        self._runs[number].processor_s, self._runs[number].computed_steps = 0.0, 0

        futures = [
            self._helpers.submit(self._nodes.restart, node) for node in self._running[number].places
        ]
        self._restarts[number] = futures
        for future in futures:
            # Told by the future itself: it is done before whoever hears of it looks.
            future.add_done_callback(self._wake_up)

    def _wake_up(self, _: Future) -> None:
        os.write(self._wake, b".")

    def _relaunch(self) -> None:
        """Go on with the jobs whose nodes are all back; raises what kept a node away."""
        for number, futures in list(self._restarts.items()):
            if all(future.done() for future in futures):
                for future in futures:
                    future.result()
                del self._restarts[number]
                self._launch(number)

"""What simulated and real jobs have in common: the queue, the books, the end."""

from collections.abc import Callable, Generator
from math import isnan
from typing import Any, Protocol

import simpy

from dcsim.scheduling.protocol import QueuedJob
from dcsim.simulation.dispatch import Held
from dcsim.simulation.record import JobRecord
from dcsim.simulation.signals import Disturbed, Stop
from dcsim.simulation.storage_links import WRITE, Files
from dcsim.simulation.traffic import Port, nic_count
from dcsim.simulation.world import World

#: A phase runs until it hands over to the next one; None ends the job.
Phase = Callable[[], "Phases"]
Phases = Generator[simpy.Event, Any, Any]


class Submitted(Protocol):
    """What every job's spec says."""

    @property
    def name(self) -> str:
        """The job's own name."""

    @property
    def accelerators(self) -> int:
        """Slots of its pool that it holds."""

    @property
    def submit_s(self) -> float:
        """When it joins the queue."""

    @property
    def priority(self) -> int:
        """Higher stands earlier in the queue."""


class Job:
    """A SimPy process that goes from phase to phase; an interrupt chooses another phase.

    Whatever a job does while it holds accelerators is posted to the books when that
    stretch ends, be it by an interrupt; `posted_s` is how far that reached. In a stretch
    that is fast-forwarded because no other job moves bytes, `_fast` is set. `width` is how
    many accelerators it holds or held last, `attained_s` how many accelerator-seconds it held
    before the present stay.
    """

    kind = ""

    def __init__(self, world: World, number: int, pool: int, spec: Submitted, heavy: bool) -> None:
        self.world = world
        self.number = number
        self.name = spec.name
        self.pool = pool
        self.accelerators = spec.accelerators
        self.width = spec.accelerators
        self.user = str(getattr(spec, "user", ""))
        self.group = str(getattr(spec, "group", ""))
        self.can_stop = False
        self.attained_s = 0.0
        self.held_since_s = 0.0
        self.submit_s = spec.submit_s
        self.priority = spec.priority
        self.heavy = heavy
        self.estimate_s = 0.0
        self.held: Held | None = None
        self.port: Port | None = None
        self.process: simpy.Process | None = None
        self.seconds: dict[str, float] = {}
        self.posted_s = 0.0
        self.start_s = float("nan")
        self.end_s = float("nan")
        self.wait_s = 0.0
        self.queued_since: float | None = None
        self.read_bytes = 0.0
        self.written_bytes = 0.0
        self.node_count = 0
        self._granted: simpy.Event | None = None
        self._fast = False

    @property
    def now(self) -> float:
        """The time."""
        return float(self.world.environment.now)

    @property
    def running(self) -> bool:
        """Whether the job holds accelerators."""
        return self.held is not None

    @property
    def status(self) -> str:
        """`done`, `running`, `queued` or `not submitted`."""
        if not isnan(self.end_s):
            return "done"
        if self.process is None:
            return "not submitted"
        return "running" if self.running else "queued"

    def submit(self) -> None:
        """Arrive: the process begins."""
        self.world.log.add("submit", self.name)
        self.process = self.world.environment.process(self._run())

    def left_s(self) -> float:
        """How long the job will still run by its estimate."""
        return self.estimate_s

    def ask(self) -> QueuedJob:
        """The job as the scheduler sees it now."""
        return QueuedJob(
            self.number,
            self.accelerators,
            self.submit_s,
            self.left_s(),
            self.priority,
            self.pool,
            *self.world.policy.whose(self.number),
            self.attained_s,
            *self._limits(),
            self.estimate_s,
        )

    def leave(self, why: str) -> None:
        """Save and give back; only jobs that can stop are told to."""
        raise NotImplementedError

    def _limits(self) -> tuple[int, int]:
        """The fewest and most accelerators the job can use; 0 for what it asks for."""
        return 0, 0

    def grant(self, held: Held) -> None:
        """Take over accelerators from the dispatcher."""
        self.held = held
        self.width = int(held.counts.sum())
        self.held_since_s = self.now
        self.node_count = len(held.nodes)
        self.posted_s = self.now
        if self.queued_since is not None:
            self.wait_s += self.now - self.queued_since
            self.queued_since = None
        if isnan(self.start_s):
            self.start_s = self.now
        self.world.log.add("start", self.name, detail=f"{self.node_count} nodes")
        self._open_port()
        if self._granted is not None:
            self._granted.succeed()

    def wait_until(self, now: float) -> float:
        """Time in the queue up to `now`, the present stay included."""
        return self.wait_s + (now - self.queued_since if self.queued_since is not None else 0.0)

    def record(self, now: float) -> JobRecord:
        """How the job went, as far as it went."""
        raise NotImplementedError

    def _record(
        self,
        now: float,
        steps: int,
        steps_done: float,
        step_s: float,
        failures: int,
        checkpoints: int,
        lost_s: float,
    ) -> JobRecord:
        return JobRecord(
            name=self.name,
            kind=self.kind,
            pool=self.world.nodes.pools[self.pool].name,
            accelerators=self.accelerators,
            nodes=self.node_count,
            steps=steps,
            steps_done=steps_done,
            step_s=step_s,
            submit_s=self.submit_s,
            start_s=self.start_s,
            end_s=self.end_s,
            wait_s=self.wait_until(now),
            failures=failures,
            checkpoints=checkpoints,
            lost_s=lost_s,
            read_bytes=self.read_bytes,
            written_bytes=self.written_bytes,
            status=self.status,
            seconds=dict(self.seconds),
            user=self.user,
            group=self.group,
            priority=self.priority,
        )

    def _run(self) -> Phases:
        phase: Phase | None = self._queue
        while phase is not None:
            try:
                phase = yield from phase()
            except simpy.Interrupt as signal:
                phase = self._interrupted(signal.cause)

    def _interrupted(self, cause: object) -> Phase | None:
        """The phase that follows an interrupt."""
        if isinstance(cause, Stop):
            return None
        raise TypeError(f"{self.name} does not expect {cause}")

    def _after_queue(self) -> Phase:
        """The first phase with accelerators in hand."""
        raise NotImplementedError

    def _queue(self) -> Phases:
        self.queued_since = self.now
        self._granted = self.world.environment.event()
        self.world.dispatcher.submit(self)
        yield self._granted
        return self._after_queue()

    def _open_port(self) -> None:
        assert self.held is not None
        pool = self.world.nodes.pools[self.pool]
        nics = nic_count(pool, self.held.counts)
        files = self._files() if self.heavy else None
        self.port = self.world.traffic.attach(
            (self.name, self.pool), self.held.nodes, nics, files, self._disturbed
        )

    def _files(self) -> Files:
        """How the bytes that the job moves are cut."""
        return Files()

    def _reopen_port(self) -> None:
        """Other nodes, other links."""
        if self.port is not None:
            self.world.traffic.detach(self.port)
            self._open_port()

    def _disturbed(self) -> None:
        """The storage changes or is shared from now on: what was fast-forwarded is cut."""
        if self._fast:
            self._interrupt(Disturbed())

    def _interrupt(self, cause: object) -> None:
        assert self.process is not None
        self._fast = False
        self.process.interrupt(cause)

    def _release(self) -> None:
        """Give up accelerators and access to the storage."""
        if self.held is None or self.port is None:
            return
        self.world.traffic.detach(self.port)
        held, self.held, self.port = self.held, None, None
        self.attained_s += (self.now - self.held_since_s) * self.width
        self.world.dispatcher.release(self, held)

    def _end(self) -> None:
        self.end_s = self.now
        self._release()
        self.world.dispatcher.ended(self)
        self.world.unfinished -= 1
        self.world.log.add("end", self.name)

    def _post(self, **seconds: float) -> None:
        """Enter wall time by ledger class; together they reach from `posted_s` to now."""
        for name, duration in seconds.items():
            if duration == 0.0:
                continue
            self.seconds[name] = self.seconds.get(name, 0.0) + duration
            self.world.books.post(self.pool, name, duration * self.width)
        self.posted_s = self.now

    def _hold(self, ledger_class: str, duration_s: float) -> Generator[simpy.Event, Any, None]:
        """Let time pass."""
        begun = self.now
        try:
            yield self.world.environment.timeout(duration_s)
        finally:
            self._post(**{ledger_class: self.now - begun})

    def _move(
        self, ledger_class: str, direction: str, size_bytes: float
    ) -> Generator[simpy.Event, Any, None]:
        """Read or write and wait for it; an interrupt stops the transfer."""
        assert self.port is not None
        begun = self.now
        if size_bytes <= 0.0:
            return
        try:
            moved = 0.0
            if self.world.traffic.alone(self.port):
                moved = yield from self._move_alone(direction, size_bytes)
            if moved < size_bytes:
                yield from self._move_shared(direction, size_bytes - moved)
        finally:
            self._post(**{ledger_class: self.now - begun})

    def _move_alone(self, direction: str, size_bytes: float) -> Generator[simpy.Event, Any, float]:
        """Move at the idle rate until done or until another job begins to use the storage."""
        assert self.port is not None
        traffic, begun = self.world.traffic, self.now
        rate = self.port.idle_bytes_per_s.get(direction, float("inf"))
        duration = traffic.idle_s(self.port, direction, size_bytes)
        moved = size_bytes
        self._fast = True
        try:
            yield self.world.environment.timeout(duration)
        except simpy.Interrupt as signal:
            moved = min((self.now - begun) * rate, size_bytes) if duration else size_bytes
            if not isinstance(signal.cause, Disturbed):
                raise
        finally:
            self._fast = False
            self._count(direction, moved)
            traffic.note(self.port, direction, begun, moved)
            traffic.note_idle_rate(self.port, direction, float("inf"))
        return moved

    def _move_shared(self, direction: str, size_bytes: float) -> Generator[simpy.Event, Any, None]:
        """Move as a flow that shares its links with others."""
        assert self.port is not None
        traffic = self.world.traffic
        transfer = traffic.start(self.port, direction, size_bytes)
        moved = size_bytes
        try:
            yield from traffic.wait(transfer)
        except simpy.Interrupt:
            moved = traffic.cancel(transfer)
            raise
        finally:
            self._count(direction, moved)

    def _count(self, direction: str, size_bytes: float) -> None:
        if direction == WRITE:
            self.written_bytes += size_bytes
        else:
            self.read_bytes += size_bytes

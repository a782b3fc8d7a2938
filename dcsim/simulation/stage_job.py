"""Jobs of a life cycle besides training: a stage that reads, computes and writes, and the
deployed model's service, which holds its accelerators until it is told to end."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy

from dcsim.simulation.job import Job, Phase, Phases
from dcsim.simulation.lifecycle_spec import ServiceSpec, StageJobSpec
from dcsim.simulation.record import JobRecord
from dcsim.simulation.signals import Failure
from dcsim.simulation.storage_links import READ, WRITE
from dcsim.simulation.world import World


@dataclass(frozen=True, slots=True)
class Retire:
    """The service is no longer needed."""


class _Restartable(Job):
    """A job without checkpoints: what a failure hits begins again from the queue.

    A silent corruption is never found in it, and does no harm that outlives it.
    """

    def __init__(self, world: World, number: int, pool: int, spec: StageJobSpec) -> None:
        super().__init__(world, number, pool, spec, spec.read_bytes + spec.write_bytes > 0.0)
        self.failures = 0
        self.lost_s = 0.0
        self._begun_s = 0.0
        self._struck: Failure | None = None

    def fail(self, failure: Failure) -> None:
        """A failure hits the job, which holds accelerators."""
        self._interrupt(failure)

    def corrupt(self, failure: Failure) -> None:
        """Nothing that would be found."""

    def record(self, now: float) -> JobRecord:
        """How the job went, as far as it went."""
        return self._record(
            now,
            steps=0,
            steps_done=0.0,
            step_s=0.0,
            failures=self.failures,
            checkpoints=0,
            lost_s=self.lost_s,
        )

    def _interrupted(self, cause: object) -> Phase | None:
        if isinstance(cause, Failure):
            self.failures += 1
            self.lost_s += self.now - self._begun_s
            self._struck = cause
            return self._recover
        return super()._interrupted(cause)

    def _recover(self) -> Phases:
        failure = self._struck
        assert failure is not None
        self._begun_s = self.now
        yield from self._hold("detecting_failure", failure.kind.detect_s)
        self.world.log.add("requeue", self.name)
        self._release()
        nodes = self.world.nodes
        for node in failure.nodes:
            if failure.kind.takes_node and nodes.free[node] == nodes.capacity[node]:
                self.world.workshop.take(node, failure.kind)
        return self._queue


class StageJob(_Restartable):
    """Reads beside its work, then writes."""

    kind = "stage"

    def __init__(self, world: World, number: int, pool: int, spec: StageJobSpec) -> None:
        super().__init__(world, number, pool, spec)
        self.spec = spec
        self.estimate_s = max(spec.compute_s, spec.ingest_s)

    def _after_queue(self) -> Phase:
        return self._work

    def _work(self) -> Phases:
        spec = self.spec
        self._begun_s = self.now
        yield from self._read_beside(max(spec.compute_s, spec.ingest_s))
        yield from self._move("data_wait", WRITE, spec.write_bytes)
        self._end()
        return None

    def _read_beside(self, work_s: float) -> Generator[simpy.Event, Any, None]:
        """Read while the work is done; what takes longer is waiting for data."""
        assert self.port is not None
        size = self.spec.read_bytes
        if size <= 0.0:
            yield from self._hold("useful_training", work_s)
            return
        traffic = self.world.traffic
        transfer = traffic.start(self.port, READ, size)
        try:
            yield from self._hold("useful_training", work_s)
            late = self.now
            try:
                yield from traffic.wait(transfer)
            finally:
                self._post(data_wait=self.now - late)
        except simpy.Interrupt:
            self._count(READ, traffic.cancel(transfer))
            raise
        self._count(READ, size)


class ServiceJob(_Restartable):
    """Replicas of a deployed model, busy for as much of their time as requests ask for."""

    kind = "service"

    def __init__(self, world: World, number: int, pool: int, name: str, spec: ServiceSpec) -> None:
        size = spec.accelerators * spec.replicas
        super().__init__(world, number, pool, StageJobSpec(name, spec.pool, size))
        self.load = spec.load
        self.estimate_s = float("inf")

    @property
    def served_s(self) -> float:
        """Slot-seconds held so far, up to the last posting."""
        held = self.seconds.get("serving_busy", 0.0) + self.seconds.get("serving_idle", 0.0)
        return held * self.accelerators

    def retire(self) -> None:
        """End, whatever it is doing."""
        if self.status != "done":
            self._interrupt(Retire())

    def _after_queue(self) -> Phase:
        return self._serve

    def _serve(self) -> Phases:
        self._begun_s = self.now
        try:
            yield self.world.environment.event()
        finally:
            held = self.now - self._begun_s
            self._post(serving_busy=self.load * held, serving_idle=(1.0 - self.load) * held)

    def _interrupted(self, cause: object) -> Phase | None:
        if isinstance(cause, Retire):
            return self._retire
        return super()._interrupted(cause)

    def _retire(self) -> Phases:
        self.world.dispatcher.withdraw(self)
        self._end()
        return None
        yield  # a phase is a generator

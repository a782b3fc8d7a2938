"""A life cycle as a SimPy process: it walks the state machine and starts a job for each stage."""

from collections.abc import Callable, Generator
from dataclasses import replace
from math import inf, nan
from typing import Any

import numpy as np
import simpy

from dcsim.simulation.job import Job
from dcsim.simulation.lifecycle import (
    CHECKS,
    COLLECT,
    DEPLOY,
    EVALUATE,
    GATE,
    MONITOR,
    REJECTED,
    TRAIN,
    Kept,
    Tries,
    following,
)
from dcsim.simulation.lifecycle_record import LifecycleRecord, Release, Visit, Window
from dcsim.simulation.lifecycle_spec import CheckSpec, LifecycleSpec, StageJobSpec, StageSpec
from dcsim.simulation.requests import answered
from dcsim.simulation.spec import TrainingJobSpec
from dcsim.simulation.stage_job import ServiceJob, StageJob
from dcsim.simulation.training_job import TrainingJob
from dcsim.simulation.world import World

Steps = Generator[simpy.Event, Any, Any]

#: Between a life cycle's name and the stage of one of its jobs; no name of a job has it.
PART = "."


class Hands:
    """Starts jobs while the simulation runs; they are in `jobs` and may fail as any other."""

    def __init__(self, world: World, pools: dict[str, int], jobs: list[Job], runs: list[Any]):
        self.world = world
        self._pools = pools
        self._jobs = jobs
        self._runs = runs

    def begin(self, make: Callable[[World, int, int], Job], pool: str) -> Job:
        """The job that `make` builds from world, number and pool, submitted."""
        job = make(self.world, len(self._jobs), self._pools[pool])
        job.submit_s = self.world.environment.now
        self._jobs.append(job)
        self._runs.append(job)
        self.world.unfinished += 1
        job.submit()
        return job


class Lifecycle:
    """Releases one after another, monitoring between them, until the period is over.

    Each purpose draws from a stream of its own, so that a change of one stage's time
    leaves the luck of the checks as it was.
    """

    def __init__(self, hands: Hands, spec: LifecycleSpec, random: np.random.Generator) -> None:
        self.spec = spec
        self._hands = hands
        self._world = hands.world
        self._checks, self._humans, self._drift, self._requests = random.spawn(4)
        self._visits: list[Visit] = []
        self._releases: list[Release] = []
        self._windows: list[Window] = []
        self._kept: list[Kept] = []
        self._drifts: list[float] = sorted(spec.drift.at_s)
        self._chance_s = spec.submit_s
        self._model_data_s = inf
        self._service: ServiceJob | None = None
        self._numbers: dict[str, int] = {}
        self._stopped = False
        self.end_s = nan

    @property
    def _now(self) -> float:
        return float(self._world.environment.now)

    def submit(self) -> None:
        """Begin: the process starts with the first release."""
        self._world.environment.process(self._run())

    def stop(self) -> None:
        """The simulation ends: nothing is begun any more."""
        self._stopped = True

    def record(self, now: float) -> LifecycleRecord:
        """The life cycle as far as it went."""
        return LifecycleRecord(
            name=self.spec.name,
            begin_s=self.spec.submit_s,
            end_s=now if np.isnan(self.end_s) else self.end_s,
            visits=tuple(self._visits),
            releases=tuple(self._releases),
            windows=tuple(self._windows),
            kept=tuple(self._kept),
            served_slot_s=self._service.served_s if self._service else 0.0,
            drifts_s=tuple(t for t in self._drifts if t <= now),
        )

    def _run(self) -> Steps:
        trigger, entry, previous = "first", COLLECT, ""
        while not self._stopped:
            failed_at = yield from self._release(trigger, entry, previous)
            if self._stopped or self._is_over():
                break
            if failed_at:
                trigger, entry, previous = "again", COLLECT, failed_at
                continue
            trigger = yield from self._monitor()
            if not trigger:
                break
            entry, previous = self.spec.retrain, MONITOR
        if not self._stopped:
            self._end()

    def _is_over(self) -> bool:
        begun = len(self._releases) >= self.spec.releases
        return begun or self._now >= self.spec.submit_s + self.spec.period_s

    def _end(self) -> None:
        if self._service is not None:
            self._service.retire()
        self.end_s = self._now
        self._world.unfinished -= 1

    def _release(self, trigger: str, entry: str, previous: str) -> Steps:
        """Walk one release to its end; returns where it was given up, empty if deployed."""
        begun, tries, stage = self._now, Tries(), entry
        while stage not in (MONITOR, REJECTED):
            tries = tries.after(stage)
            passed = yield from self._visit(stage, previous, self._verdict(stage, tries))
            if self._stopped:
                return stage
            previous = stage
            stage = following(stage, passed, tries, self.spec.limits, self.spec.retrain)
        accepted = stage == MONITOR
        self._releases.append(
            Release(
                len(self._releases) + 1,
                trigger,
                begun,
                self._now,
                accepted,
                tries.cleanings,
                tries.trainings,
            )
        )
        if accepted:
            self._model_data_s = begun
            self._serve()
        return "" if accepted else previous

    def _verdict(self, stage: str, tries: Tries) -> bool:
        """Whether the check at `stage` passes this time; True for a stage that is none."""
        if stage not in CHECKS:
            return True
        check, tried = {
            GATE: (self.spec.gate, tries.cleanings),
            EVALUATE: (self.spec.evaluation, tries.trainings - 1),
        }[stage]
        return self._passes(check, tried)

    def _passes(self, check: CheckSpec, tried: int) -> bool:
        chance = float(self._checks.random())
        if not check.outcomes:
            return chance < check.passes
        row = check.outcomes[len(self._releases) % len(check.outcomes)]
        return row[min(tried, len(row) - 1)]

    def _visit(self, stage: str, previous: str, passed: bool) -> Steps:
        """Pass through `stage`: wait, then its jobs one after another."""
        spec = self.spec.stages.get(stage, StageSpec())
        begun = self._now
        human = self._human_s(spec)
        yield self._world.environment.timeout(spec.wait_s + human)
        done: list[Job] = []
        ingested, unheld = 0.0, 0.0
        for part in spec.jobs:
            ingested += part.ingest_bytes
            if part.accelerators:
                done.append((yield from self._job(part)))
            else:
                begun_part = self._now
                yield self._world.environment.timeout(max(part.compute_s, part.ingest_s))
                unheld += self._now - begun_part
            if self._stopped:
                return False
        if stage == TRAIN and self.spec.training is not None:
            done.append((yield from self._train(self.spec.training)))
            if self._stopped:
                return False
        self._note(stage, previous, passed, begun, (spec, human, unheld, ingested), done)
        return passed

    def _note(
        self,
        stage: str,
        previous: str,
        passed: bool,
        begun: float,
        idle: tuple[StageSpec, float, float, float],
        done: list[Job],
    ) -> None:
        spec, human, unheld, ingested = idle
        records = [job.record(self._now) for job in done]
        held: dict[str, float] = {}
        for record in records:
            time = sum(record.seconds.values()) * record.accelerators
            held[record.pool] = held.get(record.pool, 0.0) + time
        self._visits.append(
            Visit(
                release=len(self._releases) + 1,
                stage=stage,
                previous=previous,
                begin_s=begun,
                end_s=self._now,
                passed=passed,
                idle_s=spec.wait_s + human + unheld,
                human_s=human,
                queued_s=sum(record.wait_s for record in records),
                held_s=tuple(held.items()),
                read_bytes=sum(record.read_bytes for record in records),
                written_bytes=sum(record.written_bytes for record in records),
                ingested_bytes=ingested,
            )
        )
        for kind, size in spec.keeps.items():
            until = self._now + self.spec.retention_s.get(kind, inf)
            self._kept.append(Kept(kind, self._now, size, until))

    def _human_s(self, spec: StageSpec) -> float:
        """A log-normal delay with the mean that the stage says."""
        score = float(self._humans.standard_normal())
        spread = spec.human_spread
        return spec.human_s * float(np.exp(spread * score - spread**2 / 2.0))

    def _job(self, part: StageJobSpec) -> Steps:
        named = replace(part, name=self._numbered(part.name))
        job = self._hands.begin(
            lambda world, number, pool: StageJob(world, number, pool, named), part.pool
        )
        return (yield from self._wait_for(job))

    def _train(self, spec: TrainingJobSpec) -> Steps:
        named = replace(spec, name=self._numbered(TRAIN), submit_s=self._now)
        job = self._hands.begin(
            lambda world, number, pool: TrainingJob(world, number, pool, named, 0.0), spec.pool
        )
        return (yield from self._wait_for(job))

    def _wait_for(self, job: Job) -> Steps:
        assert job.process is not None
        yield job.process
        if job.status != "done":
            self._stopped = True
        return job

    def _numbered(self, stage: str) -> str:
        self._numbers[stage] = number = self._numbers.get(stage, 0) + 1
        return f"{self.spec.name}{PART}{stage}{PART}{number}"

    def _serve(self) -> None:
        """The first release brings the service up; later ones replace what it answers with."""
        service = self.spec.service
        if service is None or not service.accelerators or self._service is not None:
            return
        name = f"{self.spec.name}{PART}service"
        job = self._hands.begin(
            lambda world, number, pool: ServiceJob(world, number, pool, name, service),
            service.pool,
        )
        assert isinstance(job, ServiceJob)
        self._service = job

    def _monitor(self) -> Steps:
        """Look at window after window; returns why the next release begins, empty at the end."""
        deployed, previous = self._now, DEPLOY
        end = self.spec.submit_s + self.spec.period_s
        calm = drifted_windows = 0
        while True:
            due = deployed + self.spec.retrain_every_s
            until = min(self._now + self.spec.window_s, max(due, self._now), max(end, self._now))
            yield self._world.environment.timeout(until - self._now)
            drifted = self._has_drifted()
            alarm = self._alarm(drifted, drifted_windows if drifted else calm)
            drifted_windows, calm = drifted_windows + drifted, calm + (not drifted)
            yield from self._visit(MONITOR, previous, not alarm)
            if self._stopped:
                return ""
            previous = MONITOR
            self._windows.append(self._window(drifted, alarm))
            if self._now >= end:
                return ""
            if alarm:
                return "drift"
            if self._now >= due:
                return "schedule"

    def _has_drifted(self) -> bool:
        """Whether the data drifted after those were collected that the model knows."""
        rate = self.spec.drift.per_s
        while rate > 0.0 and self._chance_s <= self._now:
            self._chance_s += float(self._drift.exponential(1.0 / rate))
            self._drifts.append(self._chance_s)
        return any(self._model_data_s < time <= self._now for time in self._drifts)

    def _alarm(self, drifted: bool, seen: int) -> bool:
        """What the drift test says of this window; `seen` windows of its kind came before."""
        drift = self.spec.drift
        chance = float(self._drift.random())
        real = drift.after if drifted else drift.before
        if real:
            return real[min(seen, len(real) - 1)] if drifted else real[seen % len(real)]
        return chance < (drift.detects if drifted else drift.false_alarms)

    def _window(self, drifted: bool, alarm: bool) -> Window:
        service = self.spec.service
        release = len(self._releases)
        if service is None or not service.service_s or not service.requests_per_s:
            return Window(release, self._now, drifted, alarm, 0, 0.0, nan, nan, nan)
        rate = service.requests_per_s / service.replicas
        waits, latency = answered(rate, service.service_s, service.sampled, self._requests)
        return Window(
            release=release,
            end_s=self._now,
            drifted=drifted,
            alarm=alarm,
            requests=len(latency),
            load=service.load,
            wait_s=float(np.mean(waits)),
            latency_p50_s=float(np.quantile(latency, 0.5)),
            latency_p99_s=float(np.quantile(latency, 0.99)),
        )

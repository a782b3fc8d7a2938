"""One run of a cluster: put the parts together, run the events, write the record."""

from dataclasses import dataclass
from math import isfinite, isinf

import numpy as np
import simpy

from dcsim.simulation.audit import audit
from dcsim.simulation.books import Books, pool_ledgers, total_ledger
from dcsim.simulation.checks import check
from dcsim.simulation.departures import Departures
from dcsim.simulation.dispatch import Dispatcher
from dcsim.simulation.events import ARRIVAL, LAST, EventLog, after
from dcsim.simulation.failing import Failing, Failures
from dcsim.simulation.job import Job
from dcsim.simulation.lifecycle_run import Hands, Lifecycle
from dcsim.simulation.load import load
from dcsim.simulation.nodes import Nodes
from dcsim.simulation.policy import Policy
from dcsim.simulation.processors import Processors
from dcsim.simulation.real_job import RealJob
from dcsim.simulation.record import NodeRecords, SimulationRecord
from dcsim.simulation.repair import Workshop
from dcsim.simulation.servers import Servers
from dcsim.simulation.signals import Stop
from dcsim.simulation.spec import SimulationSpec, TrainingJobSpec
from dcsim.simulation.streams import streams
from dcsim.simulation.timeline import Marks, timeline
from dcsim.simulation.traffic import Traffic
from dcsim.simulation.training_job import TrainingJob
from dcsim.simulation.world import World


def simulate(spec: SimulationSpec, seed: int) -> SimulationRecord:
    """One run of the cluster under one seed; equal arguments give equal records.

    Raises InputError when the spec cannot be simulated (a job larger than its pool, an
    unknown pool, scheduler or placement).
    """
    check(spec)
    world = _world(spec, seed)
    jobs = _jobs(spec, world)
    for job in jobs:
        after(world.environment, job.submit_s, ARRIVAL, job.submit)
    # What can fail; life cycles add to it, and to the jobs, while the simulation runs.
    runs: list[Failing] = [job for job in jobs if isinstance(job, TrainingJob)]
    cycles = _lifecycles(spec, world, jobs, runs)
    for cycle in cycles:
        after(world.environment, cycle.spec.submit_s, ARRIVAL, cycle.submit)
    if isfinite(spec.horizon_s):
        after(world.environment, spec.horizon_s, LAST, lambda: None)
    if spec.failures:
        Failures(world, runs, spec.failures, spec.lemons)
    if spec.windows or spec.spot or spec.stragglers is not None:
        Departures(world, runs, spec)
    marks = Marks()
    outcome = _run(spec, world, jobs, cycles, marks)
    return _record(spec, seed, world, jobs, cycles, marks, outcome)


@dataclass(frozen=True, slots=True)
class _Outcome:
    stopped: str
    events: int


def _world(spec: SimulationSpec, seed: int) -> World:
    environment = simpy.Environment()
    nodes = Nodes(spec.pools, spec.spares)
    log = EventLog(environment)
    random = streams(seed)
    policy = Policy(spec)
    dispatcher = Dispatcher(environment, nodes, log, policy)
    # Of a life cycle at most one stage and its service hold nodes at a time.
    slots = min(len(spec.jobs) + 2 * len(spec.lifecycles), int(nodes.capacity.sum()))
    traffic = Traffic(environment, spec, slots)
    return World(
        environment=environment,
        nodes=nodes,
        workshop=Workshop(environment, nodes, dispatcher, log, random.repairs),
        processors=Processors(environment, spec.pools),
        traffic=traffic,
        servers=Servers(environment, spec.storage, traffic, log, random.servers)
        if spec.storage is not None
        else None,
        policy=policy,
        dispatcher=dispatcher,
        books=Books(len(spec.pools)),
        log=log,
        streams=random,
        unfinished=len(spec.jobs) + len(spec.lifecycles),
    )


def _jobs(spec: SimulationSpec, world: World) -> list[Job]:
    pools = {pool.name: number for number, pool in enumerate(spec.pools)}
    scores = world.streams.steps.standard_normal(len(spec.jobs))
    return [
        TrainingJob(world, number, pools[job.pool], job, float(scores[number]))
        if isinstance(job, TrainingJobSpec)
        else RealJob(world, number, pools[job.pool], job)
        for number, job in enumerate(spec.jobs)
    ]


def _lifecycles(
    spec: SimulationSpec, world: World, jobs: list[Job], runs: list[Failing]
) -> list[Lifecycle]:
    pools = {pool.name: number for number, pool in enumerate(spec.pools)}
    hands = Hands(world, pools, jobs, runs)
    streams = world.streams.lifecycles.spawn(len(spec.lifecycles))
    return [
        Lifecycle(hands, cycle, random)
        for cycle, random in zip(spec.lifecycles, streams, strict=True)
    ]


def _run(
    spec: SimulationSpec, world: World, jobs: list[Job], cycles: list[Lifecycle], marks: Marks
) -> _Outcome:
    """Process events until every job is done, the horizon or the event limit."""
    environment, nodes, traffic = world.environment, world.nodes, world.traffic
    events = 0
    stopped = "done"
    while world.unfinished:
        if environment.peek() > spec.horizon_s or isinf(environment.peek()):
            stopped = "horizon"
            break
        if events >= spec.event_limit:
            stopped = "event limit"
            break
        if environment.peek() > environment.now:
            traffic.observe()
        environment.step()
        events += 1
        if spec.timeline_points:
            marks.observe(environment.now, nodes, len(world.dispatcher))
        if spec.audit:
            audit(world, jobs)
    for cycle in cycles:
        cycle.stop()
    _stop(world, jobs)
    return _Outcome(stopped, events)


def _stop(world: World, jobs: list[Job]) -> None:
    """Cut what runs, so that its time up to now is in the books."""
    cut = [job.process for job in jobs if job.running and job.process is not None]
    for process in cut:
        process.interrupt(Stop())
    while any(process.is_alive for process in cut):
        # Interrupts go before all other events of their time.
        world.environment.step()


def _record(
    spec: SimulationSpec,
    seed: int,
    world: World,
    jobs: list[Job],
    cycles: list[Lifecycle],
    marks: Marks,
    outcome: _Outcome,
) -> SimulationRecord:
    end_s = float(world.environment.now)
    world.nodes.close(end_s)
    queued = [
        sum(job.wait_until(end_s) * job.accelerators for job in jobs if job.pool == number)
        for number in range(len(spec.pools))
    ]
    ledgers = pool_ledgers(world.books, world.nodes, end_s, queued)
    cluster = [ledgers[pool.name] for pool in spec.pools if not pool.is_local]
    traffic = world.traffic
    links = traffic.records(end_s)
    shared = links.capacity_bytes_per_s[: len(traffic.names)]
    servers = world.servers
    points = spec.timeline_points
    return SimulationRecord(
        seed=seed,
        end_s=end_s,
        stopped=outcome.stopped,
        jobs=tuple(job.record(end_s) for job in jobs),
        nodes=_node_records(world.nodes, end_s),
        links=links,
        events=tuple(world.log.entries),
        ledger=total_ledger(cluster),
        ledgers=ledgers,
        timeline=timeline(marks, traffic.log, shared, end_s, points),
        event_count=outcome.events,
        servers=servers.records(end_s) if servers is not None else None,
        load=load(traffic, servers, end_s, points) if servers is not None else None,
        lifecycles=tuple(cycle.record(end_s) for cycle in cycles),
        held_back_s=traffic.blame.seconds(end_s) if traffic.blame is not None else {},
    )


def _node_records(nodes: Nodes, end_s: float) -> NodeRecords:
    owners = [nodes.pools[number] for number in nodes.pool]
    numbers = np.arange(len(owners)) - nodes.first[nodes.pool]
    duration = end_s if end_s > 0.0 else 1.0
    return NodeRecords(
        names=tuple(f"{pool.name}-{number}" for pool, number in zip(owners, numbers, strict=True)),
        pool=tuple(pool.name for pool in owners),
        node_type=tuple(pool.node_type for pool in owners),
        accelerators=nodes.capacity,
        busy_share=nodes.busy_s / (nodes.capacity * duration),
        repair_share=nodes.down_s / duration,
        failures=nodes.failures,
    )

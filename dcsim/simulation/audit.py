"""Invariants that hold after every event; a broken one is a fault of dcsim, not of input."""

from collections.abc import Sequence

import numpy as np

from dcsim.simulation.job import Job
from dcsim.simulation.nodes import REPAIR
from dcsim.simulation.world import World

#: Rounding that sums of many stretches may carry.
TOLERANCE = 1e-9


class AuditError(RuntimeError):
    """An invariant of the simulation is broken."""


def audit(world: World, jobs: Sequence[Job]) -> None:
    """Check everything; AuditError names the first invariant that does not hold."""
    _nothing_is_held_twice(world, jobs)
    _gangs_are_whole(world, jobs)
    _nobody_starts_early(jobs)
    _no_link_is_over_capacity(world)
    _every_second_is_in_one_class(world, jobs)


def _nothing_is_held_twice(world: World, jobs: Sequence[Job]) -> None:
    nodes = world.nodes
    held = np.zeros(len(nodes.capacity), dtype=np.int64)
    for job in jobs:
        if job.held is not None:
            held[job.held.nodes] += job.held.counts
    if np.any(held + nodes.free != nodes.capacity) or np.any(nodes.free < 0):
        node = int(np.argmax(held + nodes.free != nodes.capacity))
        raise AuditError(
            f"node {node}: {held[node]} held and {nodes.free[node]} free "
            f"of {nodes.capacity[node]} at {world.environment.now}"
        )
    if np.any(held[nodes.state >= REPAIR]):
        raise AuditError(f"a job holds a node in repair at {world.environment.now}")


def _gangs_are_whole(world: World, jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.held is not None:
            pool = world.nodes.members(job.pool)
            outside = np.any((job.held.nodes < pool.start) | (job.held.nodes >= pool.stop))
            if job.held.counts.sum() != job.width or outside:
                raise AuditError(f"{job.name} holds other accelerators than it was given")
            least, most = job.ask().least, job.ask().most
            if not (least or job.accelerators) <= job.width <= max(most, job.accelerators):
                raise AuditError(f"{job.name} holds {job.width} accelerators, outside its limits")


def _nobody_starts_early(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.start_s < job.submit_s or job.end_s < job.start_s:
            raise AuditError(f"{job.name} starts before it is submitted or ends before it starts")


def _no_link_is_over_capacity(world: World) -> None:
    if not world.traffic.settled:
        return
    rates = world.traffic.fluid.link_rates()
    over = rates > world.traffic.capacity * (1.0 + TOLERANCE)
    if np.any(over):
        raise AuditError(f"link {int(np.argmax(over))} is over its capacity")


def _every_second_is_in_one_class(world: World, jobs: Sequence[Job]) -> None:
    now = float(world.environment.now)
    nodes = world.nodes
    for number, pool in enumerate(nodes.pools):
        total = nodes.idle_until(now, number) + sum(world.books.held_s[number].values())
        for job in jobs:
            if job.pool == number and job.held is not None:
                total += (now - job.posted_s) * job.width
        capacity_s = pool.nodes * pool.accelerators_per_node * now
        if abs(total - capacity_s) > TOLERANCE * max(capacity_s, 1.0):
            raise AuditError(
                f"pool {pool.name}: classes sum to {total}, capacity is {capacity_s} at {now}"
            )

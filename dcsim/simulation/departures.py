"""Nodes that leave because somebody wants them: maintenance, reservations, spot capacity.

And nodes that are found to be slow. Jobs on them are told to save and leave; the node goes
when nobody holds it any more, or at the end of its notice, whatever a job still does.
"""

from collections.abc import Sequence

import numpy as np

from dcsim.simulation.events import COMPLETION, after
from dcsim.simulation.failing import Failing
from dcsim.simulation.nodes import FAILING, LEAVING, MAINTENANCE, SPARE, UP
from dcsim.simulation.signals import Failure
from dcsim.simulation.spec import FailureClass, SimulationSpec, SpotSpec, Stragglers, WindowSpec
from dcsim.simulation.training_job import TrainingJob
from dcsim.simulation.world import World


class Departures:
    """Schedules windows, notices and slow nodes; carries out what they mean.

    `_then` holds the class with which a leaving node goes to the workshop, None for a
    window, at whose end it is back.
    """

    def __init__(self, world: World, jobs: Sequence[Failing], spec: SimulationSpec) -> None:
        self._world = world
        self._jobs = jobs
        self._then: dict[int, FailureClass | None] = {}
        world.nodes.on_empty = self._emptied
        for window in spec.windows:
            self._plan(window, spec)
        for number, pool in enumerate(spec.pools):
            if pool.name in spec.spot:
                Spot(world, self, number, spec.spot[pool.name])
        if spec.stragglers is not None:
            Slowness(world, self, jobs, spec.stragglers)

    def drain(self, node: int, kind: FailureClass | None, why: str) -> bool:
        """`node` takes no further job and goes once it is empty; False if it is gone already."""
        nodes, now = self._world.nodes, self._world.environment.now
        if nodes.state[node] not in (UP, SPARE):
            return False
        nodes.set_state(now, node, LEAVING)
        self._then[node] = kind
        for job in self.jobs_on(node):
            if isinstance(job, TrainingJob):
                self._world.dispatcher.stop(job, why)
        if nodes.state[node] == LEAVING and nodes.free[node] == nodes.capacity[node]:
            self._emptied(node)
        self._world.dispatcher.request_pass()
        return True

    def take_now(self, node: int, kind: FailureClass) -> None:
        """`node` is gone, and what its jobs did not save is lost."""
        world = self._world
        if world.nodes.state[node] != LEAVING:
            return
        self._then.pop(node, None)
        jobs = self.jobs_on(node)
        world.nodes.set_state(world.environment.now, node, FAILING)
        for job in jobs:
            world.log.add("failure", job.name, node, kind.name)
            job.fail(Failure(kind, (node,)))
        if not jobs:
            world.workshop.take(node, kind)

    def jobs_on(self, node: int) -> list[Failing]:
        """The jobs that hold a part of `node`."""
        return [job for job in self._jobs if job.held is not None and node in job.held.nodes]

    def _emptied(self, node: int) -> None:
        kind = self._then.pop(node, None)
        if kind is not None:
            self._world.workshop.take(node, kind)
        else:
            self._world.nodes.set_state(self._world.environment.now, node, MAINTENANCE)

    def _plan(self, window: WindowSpec, spec: SimulationSpec) -> None:
        number = [pool.name for pool in spec.pools].index(window.pool)
        first = int(self._world.nodes.first[number])
        nodes = range(first + window.first, first + window.last)
        now = self._world.environment
        if window.owner is not None:
            after(now, window.start_s, COMPLETION, lambda: self._reserve(nodes, window))
            return
        after(now, window.start_s, COMPLETION, lambda: self._close(nodes))
        after(now, window.end_s, COMPLETION, lambda: self._open(nodes))

    def _reserve(self, nodes: range, window: WindowSpec) -> None:
        """Stop whoever is still on reserved nodes without being meant."""
        for node in nodes:
            for job in self.jobs_on(node):
                if isinstance(job, TrainingJob) and window.owner not in (
                    job.spec.user,
                    job.spec.group,
                ):
                    self._world.dispatcher.stop(job, "reservation")
        self._world.dispatcher.request_pass()

    def _close(self, nodes: range) -> None:
        for node in nodes:
            self._world.workshop.closed.add(node)
            self.drain(node, None, "maintenance")

    def _open(self, nodes: range) -> None:
        world = self._world
        for node in nodes:
            world.workshop.closed.discard(node)
            leaving = self._then.get(node, self) is None
            if leaving or node in world.workshop.kept:
                self._then.pop(node, None)
                world.workshop.kept.discard(node)
                world.nodes.set_state(world.environment.now, node, UP)
            elif world.nodes.state[node] == MAINTENANCE and not world.workshop.holds(node):
                world.nodes.set_state(world.environment.now, node, UP)
        world.dispatcher.request_pass()


class Spot:
    """Takes the nodes of a pool away and brings them back, each by its own clock."""

    def __init__(self, world: World, departures: Departures, pool: int, spot: SpotSpec) -> None:
        self._world = world
        self._departures = departures
        self._spot = spot
        self._kind = FailureClass(
            "reclaimed", 0.0, repair_s=spot.away_s, takes_node=True, reclaimed=True
        )
        for node in range(*world.nodes.members(pool).indices(len(world.nodes.capacity))):
            self._wait(node)
        before = world.workshop.on_return

        def returned(node: int) -> None:
            before(node)
            if world.nodes.pool[node] == pool:
                self._wait(node)

        world.workshop.on_return = returned

    def _wait(self, node: int) -> None:
        stay = float(self._world.streams.spot.exponential(self._spot.stay_s))
        after(self._world.environment, stay, COMPLETION, lambda: self._notice(node))

    def _notice(self, node: int) -> None:
        world = self._world
        if not self._departures.drain(node, self._kind, "reclaimed"):
            # In repair or maintenance: whoever owns it takes another one now.
            if not world.workshop.holds(node):
                self._wait(node)
            return
        world.log.add("notice", node=node, detail=f"{self._spot.notice_s:g} s")
        after(
            world.environment,
            self._spot.notice_s,
            COMPLETION,
            lambda: self._departures.take_now(node, self._kind),
        )


class Slowness:
    """Nodes that fall ill, how slow they are, and when that is found."""

    def __init__(
        self,
        world: World,
        departures: Departures,
        jobs: Sequence[Failing],
        stragglers: Stragglers,
    ) -> None:
        self._world = world
        self._departures = departures
        self._jobs = jobs
        self._given = stragglers
        self._kind = FailureClass("straggler", 0.0, repair_s=stragglers.repair_s)
        self._count = int(np.count_nonzero(world.nodes.counted))
        before = world.workshop.on_return

        def returned(node: int) -> None:
            before(node)
            world.nodes.slowness[node] = 1.0

        world.workshop.on_return = returned
        self._wait()

    def _wait(self) -> None:
        rate = self._given.per_node_s * self._count
        if rate > 0.0:
            pause = float(self._world.streams.stragglers.exponential(1.0 / rate))
            after(self._world.environment, pause, COMPLETION, self._strike)

    def _strike(self) -> None:
        world, given = self._world, self._given
        draws = world.streams.stragglers
        node = int(np.flatnonzero(world.nodes.counted)[draws.integers(self._count)])
        spread = abs(float(draws.standard_normal())) * given.log_spread
        if world.nodes.state[node] in (UP, SPARE) and world.nodes.slowness[node] == 1.0:
            world.nodes.slowness[node] = given.slowdown * float(np.exp(spread))
            world.log.add("slow", node=node, detail=f"{world.nodes.slowness[node]:.3g} x")
            self._pace(node)
            after(world.environment, given.detect_s, COMPLETION, lambda: self._found(node))
        self._wait()

    def _found(self, node: int) -> None:
        if self._world.nodes.slowness[node] == 1.0:
            return
        if self._given.evict:
            self._departures.drain(node, self._kind, "straggler")
            return
        pause = float(self._world.streams.stragglers.exponential(self._given.repair_s))
        after(self._world.environment, pause, COMPLETION, lambda: self._heal(node))

    def _heal(self, node: int) -> None:
        self._world.nodes.slowness[node] = 1.0
        self._pace(node)

    def _pace(self, node: int) -> None:
        for job in self._departures.jobs_on(node):
            if isinstance(job, TrainingJob):
                job.pace_again()

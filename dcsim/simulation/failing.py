"""When nodes and jobs fail, and whom it hits."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.dispatch import Held
from dcsim.simulation.events import COMPLETION, after
from dcsim.simulation.nodes import AWAY, FAILING, LEAVING, MAINTENANCE, SPARE, UP
from dcsim.simulation.repair import weibull_scale
from dcsim.simulation.signals import Failure
from dcsim.simulation.spec import FailureClass, Lemons
from dcsim.simulation.world import World

Floats = NDArray[np.float64]

#: Failures a second below which a node never fails.
_NEVER = 1e-100


class Failing(Protocol):
    """A job that can be hit."""

    name: str
    held: Held | None

    def fail(self, failure: Failure) -> None:
        """A failure hits the job, which holds accelerators."""

    def corrupt(self, failure: Failure) -> None:
        """The job computes garbage from now on."""


class Failures:
    """The next failure of every class on every node; one event is pending, the earliest.

    Idle nodes fail like busy ones. A node that fails stops its clocks and is as good as
    new when it comes back. Failures that keep the node hit one accelerator of it, drawn
    evenly, and so at most one job.
    """

    def __init__(
        self,
        world: World,
        jobs: Sequence[Failing],
        classes: Sequence[FailureClass],
        lemons: Lemons | None = None,
    ) -> None:
        self._world = world
        self._jobs = jobs
        self._classes = classes
        rates = np.array([kind.per_accelerator_s for kind in classes])
        nodes = world.nodes
        exposure = nodes.capacity * nodes.counted * _proneness(world, lemons)
        node_rate = rates[:, np.newaxis] * exposure
        mean = np.full(node_rate.shape, np.inf)
        np.divide(1.0, node_rate, out=mean, where=node_rate > _NEVER)
        shape = np.array([kind.shape for kind in classes])
        unit = np.array([weibull_scale(1.0, kind.shape) for kind in classes])
        self._scale = mean * unit[:, np.newaxis]
        self._shape = shape[:, np.newaxis]
        draws = world.streams.failures.weibull(self._shape, self._scale.shape)
        self._next_s = self._scale * draws
        self._version = 0
        world.workshop.on_return = self._renew
        self._schedule()

    def _renew(self, node: int) -> None:
        """`node` is as good as new."""
        draws = self._world.streams.failures.weibull(self._shape[:, 0])
        self._next_s[:, node] = self._world.environment.now + self._scale[:, node] * draws
        self._schedule()

    def _schedule(self) -> None:
        """Wait for the earliest failure; what was pending before is void."""
        self._version += 1
        version = self._version
        kind, node = np.unravel_index(int(np.argmin(self._next_s)), self._next_s.shape)
        time_s = float(self._next_s[kind, node])
        if np.isfinite(time_s):
            environment = self._world.environment
            after(
                environment,
                time_s - environment.now,
                COMPLETION,
                lambda: self._strike(int(kind), int(node), version),
            )

    def _strike(self, number: int, node: int, version: int) -> None:
        if version != self._version:
            return
        kind = self._classes[number]
        draws = self._world.streams.failures
        now = self._world.environment.now
        self._next_s[number, node] = now + self._scale[number, node] * draws.weibull(kind.shape)
        if self._world.nodes.state[node] in (MAINTENANCE, AWAY):
            # What is switched off, or with somebody else, does not fail here.
            self._schedule()
            return
        nodes = self._struck(kind, node)
        self._world.nodes.failures[nodes] += 1
        if kind.silent:
            for job in self._victim(node):
                job.corrupt(Failure(kind, (node,)))
        elif kind.takes_node:
            self._break(kind, nodes)
        else:
            self._hit(kind, [(job, [node]) for job in self._victim(node)], [node])
        self._schedule()

    def _struck(self, kind: FailureClass, node: int) -> list[int]:
        """The nodes that a failure of `node` takes with it, but for those already away."""
        if kind.nodes_at_once == 1:
            return [node]
        nodes = self._world.nodes
        span = nodes.members(int(nodes.pool[node]))
        first = node - (node - span.start) % kind.nodes_at_once
        block = range(first, min(first + kind.nodes_at_once, span.stop))
        return [other for other in block if nodes.state[other] in (UP, SPARE, LEAVING)]

    def _break(self, kind: FailureClass, nodes: list[int]) -> None:
        """The nodes are gone, and with them every job on them."""
        self._next_s[:, nodes] = np.inf
        hits = [
            (job, [node for node in nodes if self._count(job, node)])
            for job in self._jobs
            if job.held is not None
        ]
        hits = [(job, lost) for job, lost in hits if lost]
        held = {node for _, lost in hits for node in lost}
        for node in nodes:
            if node in held:
                self._world.nodes.set_state(self._world.environment.now, node, FAILING)
            else:
                self._world.workshop.take(node, kind)
        self._hit(kind, hits, nodes)

    def _hit(
        self, kind: FailureClass, hits: list[tuple[Failing, list[int]]], nodes: list[int]
    ) -> None:
        """Tell every job which nodes it lost."""
        if not hits:
            self._world.log.add("failure", node=nodes[0], detail=kind.name)
        for job, lost in hits:
            self._world.log.add("failure", job.name, lost[0], kind.name)
            job.fail(Failure(kind, tuple(lost)))

    def _victim(self, node: int) -> list[Failing]:
        """The job on an accelerator of `node` drawn evenly; none if it is idle."""
        slot = int(self._world.streams.victims.integers(self._world.nodes.capacity[node]))
        for job in self._jobs:
            slot -= self._count(job, node)
            if slot < 0:
                return [job]
        return []

    @staticmethod
    def _count(job: Failing, node: int) -> int:
        """Accelerators of `node` that `job` holds."""
        if job.held is None:
            return 0
        index = int(np.searchsorted(job.held.nodes, node))
        if index == len(job.held.nodes) or job.held.nodes[index] != node:
            return 0
        return int(job.held.counts[index])


def _proneness(world: World, lemons: Lemons | None) -> Floats:
    """How much more often than the mean each node fails, shape (n_nodes,)."""
    count = len(world.nodes.capacity)
    if lemons is None:
        return np.ones(count)
    is_lemon = world.streams.lemons.random(count) < lemons.share
    mean = 1.0 + lemons.share * (lemons.factor - 1.0)
    return np.where(is_lemon, lemons.factor, 1.0) / mean

"""Nodes that leave for repair or maintenance and come back."""

from collections.abc import Callable
from math import gamma

import numpy as np
import simpy

from dcsim.simulation.dispatch import Dispatcher
from dcsim.simulation.events import COMPLETION, EventLog, after
from dcsim.simulation.nodes import AWAY, MAINTENANCE, REPAIR, SPARE, UP, Nodes
from dcsim.simulation.spec import FailureClass


class Workshop:
    """Takes broken nodes and returns them, as spares where spares are missing."""

    def __init__(
        self,
        environment: simpy.Environment,
        nodes: Nodes,
        dispatcher: Dispatcher,
        log: EventLog,
        generator: np.random.Generator,
    ) -> None:
        self._environment = environment
        self._nodes = nodes
        self._dispatcher = dispatcher
        self._log = log
        self._generator = generator
        #: Called with a node that is healthy again.
        self.on_return: Callable[[int], None] = lambda _node: None
        #: Nodes that a window closes now, and those whose repair ended meanwhile.
        self.closed: set[int] = set()
        self.kept: set[int] = set()
        self._inside: set[int] = set()

    def take(self, node: int, kind: FailureClass) -> None:
        """`node` is out of service until its repair is done."""
        state = MAINTENANCE if kind.planned else AWAY if kind.reclaimed else REPAIR
        self._inside.add(node)
        self._nodes.set_state(self._environment.now, node, state)
        duration = weibull_scale(kind.repair_s, kind.repair_shape) * float(
            self._generator.weibull(kind.repair_shape)
        )
        after(self._environment, duration, COMPLETION, lambda: self._return(node))

    def holds(self, node: int) -> bool:
        """Whether `node` is here, or away with its owner."""
        return node in self._inside

    def _return(self, node: int) -> None:
        self._inside.discard(node)
        if node in self.closed:
            self.kept.add(node)
            self._nodes.set_state(self._environment.now, node, MAINTENANCE)
            self.on_return(node)
            return
        pool = int(self._nodes.pool[node])
        missing = self._nodes.spare_count(pool) < self._nodes.spares[pool]
        # A job that waits needs the node more than the reserve does.
        kept = missing and not self._dispatcher.waits_for(pool)
        self._nodes.set_state(self._environment.now, node, SPARE if kept else UP)
        self._log.add("repaired", node=node)
        self.on_return(node)
        self._dispatcher.request_pass()


def weibull_scale(mean: float, shape: float) -> float:
    """Scale of the Weibull distribution with this mean: mean / Gamma(1 + 1/shape)."""
    return mean / gamma(1.0 + 1.0 / shape)

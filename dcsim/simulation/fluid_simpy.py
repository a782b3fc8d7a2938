"""The fluid network inside a SimPy environment."""

from collections.abc import Sequence

import numpy as np
import simpy
from numpy.typing import NDArray

from dcsim.simulation.fluid import FluidNetwork

#: After everything else that SimPy has for the same instant (its own are 0 and 1).
LAST = simpy.events.EventPriority(2)


class Transfer(simpy.Event):
    """Succeeds, with the bytes sent, when the last byte of `flow` has arrived."""

    def __init__(self, environment: simpy.Environment, flow: int, size_bytes: float) -> None:
        super().__init__(environment)
        self.flow = flow
        self.size_bytes = size_bytes


class SimulatedNetwork:
    """Drives a `FluidNetwork` with one batched callback for each instant that changes it.

    Whatever starts, stops or changes at one instant is solved once, after all other events
    of that instant. A timeout that a later change made stale is told by its version.
    """

    def __init__(self, environment: simpy.Environment, network: FluidNetwork) -> None:
        self.environment = environment
        self.network = network
        self._arrived: dict[int, Transfer] = {}
        self._version = 0
        self._update_due = False

    @property
    def settled(self) -> bool:
        """Whether all changes of this instant are solved."""
        return not self._update_due

    def transfer(
        self,
        route: Sequence[int] | NDArray[np.int64],
        size_bytes: float,
        weight: float = 1.0,
        usage: NDArray[np.float64] | None = None,
    ) -> Transfer:
        """Send `size_bytes` along these links from now on (`usage` as in `FluidNetwork`)."""
        now = self.environment.now
        flow = self.network.start(now, route, size_bytes, weight, usage)
        event = Transfer(self.environment, flow, size_bytes)
        self._arrived[flow] = event
        self._changed()
        return event

    def cancel(self, transfer: Transfer) -> float:
        """Stop a transfer, whose event then never fires; the bytes that were left."""
        if self._arrived.pop(transfer.flow, None) is None:
            return 0.0
        left = self.network.cancel(self.environment.now, transfer.flow)
        self._changed()
        return left

    def set_capacity(self, link: int, capacity_bytes_per_s: float) -> None:
        """Degrade or repair a link from now on."""
        self.network.set_capacity(self.environment.now, link, capacity_bytes_per_s)
        self._changed()

    def _changed(self) -> None:
        if not self._update_due:
            self._update_due = True
            self._call_in(0.0)

    def _call_in(self, delay: float) -> None:
        self._version += 1
        version = self._version
        event = simpy.Event(self.environment)
        event.callbacks.append(lambda _: self._update(version))
        event._ok, event._value = True, None
        self.environment.schedule(event, priority=LAST, delay=delay)

    def _update(self, version: int) -> None:
        if version != self._version:
            return
        self._update_due = False
        for flow in self.network.advance(self.environment.now):
            event = self._arrived.pop(flow, None)
            if event is not None:
                event.succeed(event.size_bytes)
        date = self.network.next_completion()
        if date < np.inf:
            self._call_in(max(date - self.environment.now, 0.0))

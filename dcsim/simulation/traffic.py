"""Storage traffic of jobs: striped reads and writes over shared links.

A gang reads and writes evenly over all its nodes and all servers, so its traffic is one
fluid flow over bundles of links, with its number of nodes as weight in the sharing. The
shared bundles are the servers' disks, their ports and what the fabric adds; a job's own
links are its NICs and, while it trains, the rate at which it wants data.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from dcsim.simulation.fluid import FluidNetwork
from dcsim.simulation.fluid_simpy import SimulatedNetwork
from dcsim.simulation.fluid_simpy import Transfer as Arrival
from dcsim.simulation.record import LinkRecords
from dcsim.simulation.spec import PoolSpec, SimulationSpec, StorageRoutes, StorageSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Links that each running job has for itself: out of its nodes, into them, wanted data.
_OUT, _IN, _DEMAND = range(3)
_OWN_LINKS = 3

READ, WRITE = "read", "write"


@dataclass(slots=True)
class Port:
    """A running job's access to the storage.

    `disturb` is called when another job begins to share the storage with this one.
    """

    slot: int
    pool: int
    weight: float
    heavy: bool
    disturb: Callable[[], None]
    routes: dict[str, Ints]
    idle_bytes_per_s: dict[str, float]


@dataclass(slots=True)
class Transfer:
    """Bytes on their way; `event` is None when they have nowhere to wait."""

    port: Port
    direction: str
    size_bytes: float
    begun_s: float
    event: Arrival | None
    latency_s: float


@dataclass(slots=True)
class TrafficLog:
    """What moved when, for time series: (begin, end, bytes, direction, shared links)."""

    entries: list[tuple[float, float, float, str, tuple[int, ...]]] = field(default_factory=list)


class Traffic:
    """All links between nodes and storage, and who uses them."""

    def __init__(self, environment: simpy.Environment, spec: SimulationSpec, slots: int) -> None:
        self._environment = environment
        self._pools = spec.pools
        self.storage = spec.storage
        self._routes = spec.routes
        names, capacity = _shared_links(spec.storage, spec.routes)
        self._shared = len(names)
        self.names = names
        self._free_slots = list(range(slots))[::-1] if spec.storage else []
        self.capacity = np.concatenate([capacity, np.ones(_OWN_LINKS * slots)])
        self.fluid = FluidNetwork(self.capacity)
        self._network = SimulatedNetwork(environment, self.fluid)
        self._ports: list[Port] = []
        self._changed = False
        self.bytes = np.zeros(self._shared)
        self.peak = np.zeros(len(self.capacity))
        self._pool_bytes = np.zeros((len(spec.pools), 2))
        self._pool_peak = np.zeros((len(spec.pools), 2))
        self.log = TrafficLog()

    def attach(
        self, pool: int, nodes: Ints, nics: float, heavy: bool, disturb: Callable[[], None]
    ) -> Port:
        """A job on `nodes` with the capacity of `nics` NICs opens its access.

        `heavy` jobs move bytes; when one arrives, the others are disturbed.
        """
        port = Port(-1, pool, float(len(nodes)), heavy, disturb, {}, {READ: np.inf, WRITE: np.inf})
        if self.storage is None:
            return port
        port.slot = self._free_slots.pop()
        own = self._own(port)
        rate = nics * self._pools[pool].nic_bytes_per_s
        for direction, own_link in ((READ, own + _IN), (WRITE, own + _OUT)):
            shared, limit = self._shared_route(direction, nodes)
            self._set_capacity(own_link, min(rate, limit))
            port.routes[direction] = np.array([*shared, own_link], dtype=np.int64)
            port.idle_bytes_per_s[direction] = float(self.capacity[port.routes[direction]].min())
        if heavy:
            for other in self._ports:
                other.disturb()
            self._ports.append(port)
        return port

    def detach(self, port: Port) -> None:
        """The job gives up its access."""
        if port.slot < 0:
            return
        own = self._own(port)
        peak = self.peak[own : own + _OWN_LINKS]
        self._pool_peak[port.pool] = np.maximum(self._pool_peak[port.pool], peak[:2])
        peak[:] = 0.0
        if port.heavy:
            self._ports.remove(port)
        self._free_slots.append(port.slot)

    def alone(self, port: Port) -> bool:
        """No other job moves bytes: this one's transfers all take their idle time."""
        return not self._ports or self._ports == [port]

    def idle_s(self, port: Port, direction: str, size_bytes: float) -> float:
        """Time that a transfer takes when nobody else uses the storage."""
        if self.storage is None or size_bytes <= 0.0:
            return 0.0
        return self.storage.latency_s + size_bytes / port.idle_bytes_per_s[direction]

    def start(self, port: Port, direction: str, size_bytes: float) -> Transfer:
        """Begin to read or write `size_bytes`."""
        if self.storage is None or size_bytes <= 0.0:
            return Transfer(port, direction, 0.0, self._environment.now, None, 0.0)
        route = port.routes[direction]
        return self._start(port, direction, size_bytes, route, self.storage.latency_s)

    def stream(self, port: Port, size_bytes: float, wanted_bytes_per_s: float) -> Transfer:
        """Begin to read `size_bytes` ahead of their use, at no more than the wanted rate."""
        demand = self._own(port) + _DEMAND
        self._set_capacity(demand, wanted_bytes_per_s)
        return self._start(port, READ, size_bytes, np.append(port.routes[READ], demand), 0.0)

    def wait(self, transfer: Transfer) -> Generator[simpy.Event, Any, None]:
        """Wait for the last byte; an interrupt leaves the transfer to `cancel`."""
        if transfer.event is not None:
            yield transfer.event
        if self.storage is not None and transfer.latency_s:
            yield self._environment.timeout(transfer.latency_s)
        self.close(transfer)

    def close(self, transfer: Transfer) -> None:
        """Note that a transfer is complete."""
        if transfer.event is not None:
            self._changed = True
            self.note(transfer.port, transfer.direction, transfer.begun_s, transfer.size_bytes)

    def cancel(self, transfer: Transfer) -> float:
        """Stop a transfer; the bytes that had arrived."""
        if transfer.event is None:
            return transfer.size_bytes
        if transfer.event.triggered:
            self.close(transfer)
            return transfer.size_bytes
        moved = transfer.size_bytes - self._network.cancel(transfer.event)
        self._changed = True
        self.note(transfer.port, transfer.direction, transfer.begun_s, moved)
        return moved

    def note(self, port: Port, direction: str, begun_s: float, size_bytes: float) -> None:
        """Account bytes that moved since `begun_s`."""
        if self.storage is None or size_bytes <= 0.0:
            return
        shared = port.routes[direction][:-1]
        self.bytes[shared] += size_bytes
        self._pool_bytes[port.pool, _IN if direction == READ else _OUT] += size_bytes
        now = self._environment.now
        links = tuple(int(link) for link in shared)
        self.log.entries.append((begun_s, now, size_bytes, direction, links))

    def note_idle_rate(self, port: Port, direction: str, wanted_bytes_per_s: float) -> None:
        """Traffic that is not simulated as a flow runs at this rate or its idle rate."""
        if self.storage is None:
            return
        route = port.routes[direction]
        rate = min(port.idle_bytes_per_s[direction], wanted_bytes_per_s)
        self.peak[route] = np.maximum(self.peak[route], rate / self.capacity[route])

    def observe(self) -> None:
        """Look at the rates of all links, settled for this instant; the highest are kept."""
        if self._changed:
            self._changed = False
            np.maximum(self.peak, self.fluid.link_rates() / self.capacity, out=self.peak)

    def records(self, end_s: float) -> LinkRecords:
        """All shared links, and the NICs of each pool as one line a direction."""
        for port in list(self._ports):
            self.detach(port)
        names, capacity = list(self.names), list(self.capacity[: self._shared])
        moved, peak = list(self.bytes), list(self.peak[: self._shared])
        if self.storage is not None:
            for number, pool in enumerate(self._pools):
                for side, text in ((_OUT, "out"), (_IN, "in")):
                    names.append(f"{pool.name} NICs {text}")
                    capacity.append(pool.nodes * pool.nic_bytes_per_s)
                    moved.append(self._pool_bytes[number, side])
                    peak.append(self._pool_peak[number, side])
        rates = np.array(capacity, dtype=float)
        total = np.array(moved, dtype=float)
        share = total / (rates * end_s) if end_s > 0.0 else np.zeros(len(rates))
        return LinkRecords(tuple(names), rates, total, share, np.minimum(np.array(peak), 1.0))

    def _start(
        self, port: Port, direction: str, size_bytes: float, route: Ints, latency_s: float
    ) -> Transfer:
        self._changed = True
        event = self._network.transfer(route, size_bytes, port.weight)
        return Transfer(port, direction, size_bytes, self._environment.now, event, latency_s)

    def _shared_route(self, direction: str, nodes: Ints) -> tuple[list[int], float]:
        """Shared links of a job's traffic, and what bundles that carry a part of it allow.

        A flow crosses each of its links whole. So a bundle that carries a part of the job's
        traffic (its nodes are in several groups) limits it as if no other job used it.
        """
        disk = 0 if direction == READ else 1
        route = [disk]
        if self.storage is not None and np.isfinite(self.storage.port_bytes_per_s):
            route.append(2 + disk)
        if self._routes is None:
            return route, np.inf
        offset = self._shared - len(self._routes.names)
        bundles = self._routes.from_storage if direction == READ else self._routes.to_storage
        known = nodes[nodes < len(self._routes.node_group)]
        groups, counts = np.unique(self._routes.node_group[known], return_counts=True)
        carried: dict[int, float] = {}
        for group, count in zip(groups.tolist(), counts.tolist(), strict=True):
            for bundle in bundles[group]:
                carried[bundle] = carried.get(bundle, 0.0) + count / len(nodes)
        limit = np.inf
        for bundle, share in sorted(carried.items()):
            if share >= 1.0 - 1e-12:
                route.append(offset + bundle)
            else:
                limit = min(limit, self._routes.capacity_bytes_per_s[bundle] / share)
        return route, float(limit)

    def _own(self, port: Port) -> int:
        return self._shared + _OWN_LINKS * port.slot

    def _set_capacity(self, link: int, rate: float) -> None:
        if self.capacity[link] != rate:
            self.capacity[link] = rate
            self._network.set_capacity(link, rate)


def _shared_links(
    storage: StorageSpec | None, routes: StorageRoutes | None
) -> tuple[tuple[str, ...], Floats]:
    if storage is None:
        return (), np.zeros(0)
    names = ["storage read", "storage write"]
    rates = [
        storage.servers * storage.read_bytes_per_s,
        storage.servers * storage.write_bytes_per_s / storage.write_overhead,
    ]
    if np.isfinite(storage.port_bytes_per_s):
        names += ["storage ports out", "storage ports in"]
        rates += [storage.servers * storage.port_bytes_per_s] * 2
    if routes is not None:
        names += routes.names
        rates += list(routes.capacity_bytes_per_s)
    return tuple(names), np.array(rates, dtype=float)


def nic_count(pool: PoolSpec, counts: Sequence[int] | Ints) -> float:
    """NICs' worth of bandwidth that comes with `counts` accelerators on each node."""
    return float(np.sum(counts)) / pool.accelerators_per_node

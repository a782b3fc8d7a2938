"""Storage traffic of jobs: striped reads and writes over shared links.

A gang reads and writes evenly over all its nodes and all servers, so its traffic is one
fluid flow over bundles of links, with its number of nodes as weight in the sharing. The
shared bundles (`storage_links`) are the servers and what the fabric adds; a job's own
links are its NICs and, while it trains, the rate at which it wants data.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from dcsim.simulation.blame import Blame
from dcsim.simulation.fluid import FluidNetwork
from dcsim.simulation.fluid_simpy import SimulatedNetwork
from dcsim.simulation.fluid_simpy import Transfer as Arrival
from dcsim.simulation.record import LinkRecords
from dcsim.simulation.spec import PoolSpec, SimulationSpec
from dcsim.simulation.storage_links import (
    DATA,
    FIRST_DATA,
    READ,
    REBUILD,
    WRITE,
    Condition,
    Files,
    StorageLinks,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Links that each running job has for itself: out of its nodes, into them, wanted data.
_OUT, _IN, _DEMAND = range(3)
_OWN_LINKS = 3

#: Purposes of traffic that use the link into the job's nodes; the others leave them.
_INBOUND = (READ, DATA, FIRST_DATA)


@dataclass(slots=True)
class Port:
    """A running job's access to the storage, by purpose of its traffic.

    `disturb` is called when another job begins to share the storage with this one, or
    when a server is lost or comes back. A byte takes `usage` bytes of the links of
    `routes`; alone it moves at `idle_bytes_per_s`.
    """

    job: str
    slot: int
    pool: int
    weight: float
    heavy: bool
    disturb: Callable[[], None]
    routes: dict[str, Ints] = field(default_factory=dict)
    usage: dict[str, Floats] = field(default_factory=dict)
    idle_bytes_per_s: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Transfer:
    """Bytes on their way; `event` is None when they have nowhere to wait.

    `port` is None for a rebuild.
    """

    port: Port | None
    purpose: str
    route: Ints
    usage: Floats
    size_bytes: float
    begun_s: float
    event: Arrival | None = None
    latency_s: float = 0.0


@dataclass(slots=True)
class TrafficLog:
    """What moved when, for time series.

    An entry of what was fast-forwarded at one rate is begin, end, bytes, and for each
    shared link the bytes that one byte takes of it. `rates` are those of the flows on all
    shared links, from each time on.
    """

    entries: list[tuple[float, float, float, dict[int, float]]] = field(default_factory=list)
    rates: list[tuple[float, Floats]] = field(default_factory=list)


class Traffic:
    """All links between nodes and storage, and who uses them."""

    def __init__(self, environment: simpy.Environment, spec: SimulationSpec, slots: int) -> None:
        self._environment = environment
        self._pools = spec.pools
        self.storage = spec.storage
        self._routes = spec.routes
        self.links = StorageLinks(spec.storage, spec.routes)
        self.names = self.links.names
        self._shared = len(self.names)
        self._free_slots = list(range(slots))[::-1] if spec.storage else []
        self.capacity = np.concatenate([self.links.capacity, np.ones(_OWN_LINKS * slots)])
        self.fluid = FluidNetwork(self.capacity)
        self._network = SimulatedNetwork(environment, self.fluid)
        self._ports: list[Port] = []
        self._rebuilds = 0
        self._changed = False
        self._fast_bytes = np.zeros(self._shared)
        self.peak = np.zeros(len(self.capacity))
        self._pool_bytes = np.zeros((len(spec.pools), 2))
        self._pool_peak = np.zeros((len(spec.pools), 2))
        self.log = TrafficLog()
        self._is_logged = spec.timeline_points > 0
        self.blame = Blame(self.names) if spec.blame else None

    def attach(
        self,
        owner: tuple[str, int],
        nodes: Ints,
        nics: float,
        files: Files | None,
        disturb: Callable[[], None],
    ) -> Port:
        """A job (name and pool) on `nodes` with the capacity of `nics` NICs opens its access.

        Jobs that move bytes say in which `files`; when one arrives, the others are disturbed.
        """
        name, pool = owner
        port = Port(name, -1, pool, float(len(nodes)), files is not None, disturb)
        if self.storage is None:
            port.idle_bytes_per_s = dict.fromkeys((*_INBOUND, WRITE), np.inf)
            return port
        port.slot = self._free_slots.pop()
        cut = files or Files()
        own = self._own(port)
        rate = nics * self._pools[pool].nic_bytes_per_s
        limits = {_IN: rate, _OUT: rate * cut.writing_share}
        for purpose in (*_INBOUND, WRITE):
            side = _OUT if purpose == WRITE else _IN
            shared, usage, limit = self.links.route(purpose, cut, nodes)
            limits[side] = min(limits[side], limit)
            port.routes[purpose] = np.append(shared, own + side)
            port.usage[purpose] = np.append(usage, 1.0)
        for side, limit in limits.items():
            self._set_capacity(own + side, limit)
        self._set_idle(port)
        if port.heavy:
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
        """Nothing else moves bytes: this job's transfers all take their idle time."""
        return not self._rebuilds and (not self._ports or self._ports == [port])

    @property
    def settled(self) -> bool:
        """Whether all flows have their rates for this instant."""
        return self._network.settled

    def idle_s(self, port: Port, purpose: str, size_bytes: float) -> float:
        """Time that a transfer takes when nobody else uses the storage."""
        if self.storage is None or size_bytes <= 0.0:
            return 0.0
        return self.storage.latency_s + size_bytes / port.idle_bytes_per_s[purpose]

    def start(self, port: Port, purpose: str, size_bytes: float) -> Transfer:
        """Begin to read or write `size_bytes`."""
        if self.storage is None or size_bytes <= 0.0:
            now = self._environment.now
            return Transfer(port, purpose, np.zeros(0, dtype=np.int64), np.zeros(0), 0.0, now)
        transfer = self._start(port, purpose, size_bytes, port.routes[purpose], port.usage[purpose])
        transfer.latency_s = self.storage.latency_s
        return transfer

    def stream(
        self, port: Port, purpose: str, size_bytes: float, wanted_bytes_per_s: float
    ) -> Transfer:
        """Begin to read `size_bytes` ahead of their use, at no more than the wanted rate."""
        demand = self._own(port) + _DEMAND
        self._set_capacity(demand, wanted_bytes_per_s)
        route = np.append(port.routes[purpose], demand)
        return self._start(port, purpose, size_bytes, route, np.append(port.usage[purpose], 1.0))

    def rebuild(self, now: Condition, size_bytes: float, done: Callable[[], None]) -> Transfer:
        """Begin to restore `size_bytes`; it weighs like a job on as many nodes as serve."""
        route, usage = self.links.rebuild_route(now)
        self._rebuilds += 1
        transfer = self._start(None, REBUILD, size_bytes, route, usage, float(now.serving))
        assert transfer.event is not None

        def arrived(_: simpy.Event) -> None:
            self.close(transfer)
            done()

        transfer.event.callbacks.append(arrived)
        return transfer

    def change(self, now: Condition) -> None:
        """The data servers are in another condition from now on."""
        for link, rate in enumerate(self.links.capacities(now).tolist()):
            self._set_capacity(link, rate)
        for port in list(self._ports):
            self._set_idle(port)
            port.disturb()

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
            self._ended(transfer, transfer.size_bytes)

    def cancel(self, transfer: Transfer) -> float:
        """Stop a transfer; the bytes that had arrived."""
        if transfer.event is None:
            return transfer.size_bytes
        if transfer.event.triggered:
            self.close(transfer)
            return transfer.size_bytes
        moved = transfer.size_bytes - self._network.cancel(transfer.event)
        self._ended(transfer, moved)
        return moved

    def note(self, port: Port, purpose: str, begun_s: float, size_bytes: float) -> None:
        """Account bytes that moved since `begun_s` without being simulated as a flow."""
        if self.storage is None or size_bytes <= 0.0:
            return
        route, usage = port.routes[purpose][:-1], port.usage[purpose][:-1]
        self._fast_bytes[route] += usage * size_bytes
        self._count(port, purpose, size_bytes)
        links = dict(zip(route.tolist(), usage.tolist(), strict=True))
        self.log.entries.append((begun_s, self._environment.now, size_bytes, links))

    def note_idle_rate(self, port: Port, purpose: str, wanted_bytes_per_s: float) -> None:
        """Traffic that is not simulated as a flow runs at this rate or its idle rate."""
        if self.storage is None:
            return
        route = port.routes[purpose]
        rate = min(port.idle_bytes_per_s[purpose], wanted_bytes_per_s) * port.usage[purpose]
        self.peak[route] = np.maximum(self.peak[route], rate / self.capacity[route])

    def carried(self) -> Floats:
        """Bytes that every shared link has carried, what is under way included."""
        if self._shared:
            # Whatever flows is settled up to the present by any change, also by none.
            self.fluid.set_capacity(self._environment.now, 0, float(self.capacity[0]))
        moved: Floats = self._fast_bytes + self.fluid.link_bytes()[: self._shared]
        return moved

    def observe(self) -> None:
        """Look at the rates of all links, settled for this instant; the highest are kept."""
        if self._changed:
            self._changed = False
            rates = self.fluid.link_rates()
            shares = rates / self.capacity
            if self._is_logged:
                self.log.rates.append((self._environment.now, rates[: self._shared]))
            np.maximum(self.peak, shares, out=self.peak)
            if self.blame is not None:
                self.blame.observe(self._environment.now, shares)

    def records(self, end_s: float) -> LinkRecords:
        """All shared links, and the NICs of each pool as one line a direction."""
        for port in list(self._ports):
            self.detach(port)
        names, capacity = list(self.names), self.links.capacity.tolist()
        moved, peak = self.carried().tolist(), list(self.peak[: self._shared])
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
        self,
        port: Port | None,
        purpose: str,
        size_bytes: float,
        route: Ints,
        usage: Floats,
        weight: float | None = None,
    ) -> Transfer:
        self._changed = True
        share = port.weight if port is not None else 1.0
        event = self._network.transfer(route, size_bytes, weight or share, usage)
        begun = self._environment.now
        transfer = Transfer(port, purpose, route, usage, size_bytes, begun, event)
        if self.blame is not None:
            self.blame.began(event.flow, port.job if port is not None else REBUILD, route)
        return transfer

    def _ended(self, transfer: Transfer, moved: float) -> None:
        """A flow has ended or was cancelled after `moved` bytes."""
        assert transfer.event is not None
        self._changed = True
        if self.blame is not None:
            self.blame.ended(transfer.event.flow)
        if transfer.port is None:
            self._rebuilds -= 1
        if transfer.port is not None:
            self._count(transfer.port, transfer.purpose, moved)

    def _count(self, port: Port, purpose: str, size_bytes: float) -> None:
        self._pool_bytes[port.pool, _IN if purpose in _INBOUND else _OUT] += size_bytes

    def _set_idle(self, port: Port) -> None:
        for purpose, route in port.routes.items():
            rates = self.capacity[route] / port.usage[purpose]
            port.idle_bytes_per_s[purpose] = float(rates.min())

    def _own(self, port: Port) -> int:
        return self._shared + _OWN_LINKS * port.slot

    def _set_capacity(self, link: int, rate: float) -> None:
        if self.capacity[link] != rate:
            self.capacity[link] = rate
            self._network.set_capacity(link, rate)


def nic_count(pool: PoolSpec, counts: Sequence[int] | Ints) -> float:
    """NICs' worth of bandwidth that comes with `counts` accelerators on each node."""
    return float(np.sum(counts)) / pool.accelerators_per_node

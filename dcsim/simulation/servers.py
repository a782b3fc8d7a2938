"""The data servers of the storage one by one: lost, rebuilt, back again."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import simpy
from numpy.typing import NDArray

from dcsim.cost.storage_servers import Durability, RebuildLimits, durability, rebuild_s
from dcsim.simulation.events import COMPLETION, EventLog, after
from dcsim.simulation.record import ServerRecords
from dcsim.simulation.spec import StorageSpec, UpkeepSpec
from dcsim.simulation.storage_links import Condition
from dcsim.simulation.traffic import Traffic, Transfer

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: States: a server serves; it is gone and its data not yet restored; or only it is gone.
SERVING, MISSING, AWAY = range(3)


@dataclass(slots=True)
class _Rebuild:
    """What is still to be restored of a lost server; `transfer` None before it begins."""

    left_bytes: float
    transfer: Transfer | None = None


@dataclass(slots=True)
class _Counts:
    """What happened to every server; `marks` are (time, states) from each change on."""

    read_bytes: Floats
    written_bytes: Floats
    marks: list[tuple[float, Ints]] = field(default_factory=list)
    losses: int = 0
    data_losses: int = 0
    rebuilt_bytes: float = 0.0


class Servers:
    """Loses servers as a script and chance say, and restores what they held.

    Restoring is a flow that shares drives, ports and processors with the jobs' traffic.
    While a server is missing, the part of the data that it held is read from others, and
    all other servers carry its load. The last server that serves is never lost.
    """

    def __init__(
        self,
        environment: simpy.Environment,
        storage: StorageSpec,
        traffic: Traffic,
        log: EventLog,
        generator: np.random.Generator,
    ) -> None:
        self._environment = environment
        self._storage = storage
        self._upkeep = storage.upkeep
        self._traffic = traffic
        self._log = log
        self._generator = generator
        self._state = np.zeros(storage.servers, dtype=np.int64)
        self._rebuilds: dict[int, _Rebuild] = {}
        self._lost_at: dict[int, float] = {}
        count = storage.servers
        self._counts = _Counts(np.zeros(count), np.zeros(count), [(0.0, self._state.copy())])
        self._seen = np.zeros(len(traffic.names))
        if self._upkeep is not None:
            for loss in self._upkeep.losses:
                after(environment, loss.time_s, COMPLETION, partial(self._lose, loss.server))
            self._schedule(self._upkeep)

    @property
    def marks(self) -> list[tuple[float, Ints]]:
        """States of all servers from each change on."""
        return self._counts.marks

    def records(self, end_s: float) -> ServerRecords:
        """How the servers fared until `end_s`."""
        self._account(self._state, self._condition())
        counts = self._counts
        times = np.array([*(time for time, _ in counts.marks), end_s])
        states = np.array([state for _, state in counts.marks])
        spans = np.diff(np.minimum(times, end_s))[:, np.newaxis]
        return ServerRecords(
            names=tuple(f"server {number}" for number in range(len(self._state))),
            read_bytes=counts.read_bytes,
            written_bytes=counts.written_bytes,
            missing_s=((states == MISSING) * spans).sum(axis=0),
            away_s=((states != SERVING) * spans).sum(axis=0),
            losses=counts.losses,
            rebuilt_bytes=counts.rebuilt_bytes,
            data_losses=counts.data_losses,
            durability=storage_durability(self._storage),
        )

    def _schedule(self, upkeep: UpkeepSpec) -> None:
        """Wait for the next loss by chance: exponential, of any server with equal odds."""
        if upkeep.failures_per_s <= 0.0:
            return
        rate = upkeep.failures_per_s * len(self._state)
        wait = float(self._generator.exponential(1.0 / rate))
        after(self._environment, wait, COMPLETION, partial(self._strike, upkeep))

    def _strike(self, upkeep: UpkeepSpec) -> None:
        # One that is gone already cannot fail again: its rate is 0 until it is back.
        self._lose(int(self._generator.integers(len(self._state))))
        self._schedule(upkeep)

    def _lose(self, server: int) -> None:
        upkeep = self._upkeep
        assert upkeep is not None
        if self._state[server] != SERVING or np.count_nonzero(self._state == SERVING) == 1:
            return
        self._counts.losses += 1
        self._lost_at[server] = self._environment.now
        self._log.add("server_lost", detail=f"server {server}")
        self._rebuilds[server] = _Rebuild(upkeep.held_bytes)
        self._set_state(server, MISSING)
        if np.count_nonzero(self._state == MISSING) > self._storage.parity_parts:
            self._counts.data_losses += 1
            self._log.add("data_lost", detail=f"server {server}")
        wait = upkeep.detect_s
        if upkeep.rebuild == "single":
            wait = max(wait, upkeep.replace_s)
        after(self._environment, wait, COMPLETION, partial(self._begin, server))

    def _begin(self, server: int) -> None:
        """The rebuild of what `server` held begins."""
        rebuild = self._rebuilds[server]
        # One byte at least, so that a rebuild of nothing takes the same way.
        rebuild.transfer = self._start(server, max(rebuild.left_bytes, 1.0))
        self._changed()

    def _restored(self, server: int) -> None:
        upkeep = self._upkeep
        assert upkeep is not None
        del self._rebuilds[server]
        self._counts.rebuilt_bytes += upkeep.held_bytes
        self._log.add("server_rebuilt", detail=f"server {server}")
        back = self._lost_at[server] + upkeep.replace_s - self._environment.now
        if upkeep.rebuild == "single":
            self._counts.written_bytes[server] += upkeep.held_bytes
        if upkeep.rebuild == "single" or back <= 0.0:
            self._return(server)
        else:
            self._set_state(server, AWAY)
            after(self._environment, back, COMPLETION, partial(self._return, server))

    def _return(self, server: int) -> None:
        self._log.add("server_back", detail=f"server {server}")
        self._set_state(server, SERVING)

    def _set_state(self, server: int, state: int) -> None:
        before, condition = self._state.copy(), self._condition()
        self._state[server] = state
        self._counts.marks.append((self._environment.now, self._state.copy()))
        self._changed()
        # What the jobs fast-forwarded is entered once they were interrupted, which is next.
        account = partial(self._account, before, condition)
        after(self._environment, 0.0, COMPLETION, account)

    def _changed(self) -> None:
        """Servers are lost or back: links and rebuilds run at other rates from now on."""
        self._traffic.change(self._condition())
        for server, rebuild in self._rebuilds.items():
            if rebuild.transfer is not None and not _arrived(rebuild.transfer):
                size = rebuild.transfer.size_bytes
                left = size - self._traffic.cancel(rebuild.transfer)
                rebuild.transfer = self._start(server, left)

    def _start(self, server: int, size_bytes: float) -> Transfer:
        done = partial(self._restored, server)
        return self._traffic.rebuild(self._condition(), size_bytes, done)

    def _condition(self) -> Condition:
        return Condition(
            serving=int(np.count_nonzero(self._state == SERVING)),
            missing=int(np.count_nonzero(self._state == MISSING)),
            rebuilding=sum(rebuild.transfer is not None for rebuild in self._rebuilds.values()),
        )

    def _account(self, state: Ints, condition: Condition) -> None:
        """Spread what the drives moved since the last time over those that served."""
        carried = self._traffic.carried()
        moved = carried - self._seen
        self._seen = carried
        serving = state == SERVING
        links = self._traffic.links
        read = moved[links.place("read")] * links.reading(condition)
        written = moved[links.place("write")] * self._storage.write_overhead
        self._counts.read_bytes[serving] += read / condition.serving
        self._counts.written_bytes[serving] += written / condition.serving


def idle_rebuild_s(storage: StorageSpec) -> float:
    """Time to restore one lost server while nothing else uses the storage."""
    upkeep = storage.upkeep
    assert upkeep is not None
    limits = RebuildLimits(
        storage.read_bytes_per_s,
        storage.write_bytes_per_s,
        storage.port_bytes_per_s,
        upkeep.rebuild_bytes_per_s,
    )
    single = upkeep.rebuild == "single"
    return rebuild_s(upkeep.held_bytes, limits, storage.servers - 1, storage.data_parts, single)


def storage_durability(storage: StorageSpec) -> Durability | None:
    """How long the storage keeps its data, if servers fail at a rate and a rebuild repairs."""
    upkeep = storage.upkeep
    if upkeep is None or upkeep.failures_per_s <= 0.0 or storage.servers < 2:
        return None
    wait = upkeep.replace_s if upkeep.rebuild == "single" else 0.0
    repair_s = max(upkeep.detect_s, wait) + idle_rebuild_s(storage)
    return durability(
        storage.servers,
        storage.data_parts,
        storage.parity_parts,
        upkeep.failures_per_s,
        max(repair_s, 1e-9),
    )


def _arrived(transfer: Transfer) -> bool:
    return transfer.event is None or transfer.event.triggered

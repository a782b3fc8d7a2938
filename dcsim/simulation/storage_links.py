"""Data servers, metadata servers and the fabric to them as bundles of links.

Data is striped evenly, so every serving server carries the same load, and what limits one
of them limits all at the same moment: the servers' drives are one link of their summed
rate, and so are their ports and processors. Losing a server takes its part of each.
Capacities and loads are in bytes that clients see; a request or a metadata operation
counts as `request_bytes`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.cost.storage_servers import degraded_reading
from dcsim.simulation.spec import StorageRoutes, StorageSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: What traffic is for. Checkpoints are read and written in large requests; training data
#: is read in files, from caches or shared storage, at first from the origin.
READ, WRITE, DATA, FIRST_DATA = "read", "write", "data", "first data"
REBUILD = "rebuild"


@dataclass(frozen=True, slots=True)
class Files:
    """How a job's bytes are cut: files of training data (0: large requests), those of one
    checkpoint (0: large requests), and the share of its nodes that write checkpoints."""

    data_bytes: float = 0.0
    shuffled: bool = True
    checkpoint_bytes: float = 0.0
    writing_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Condition:
    """Of the data servers: how many serve, and of how many the data is not yet rebuilt."""

    serving: int
    missing: int = 0
    rebuilding: int = 0


class StorageLinks:
    """The shared links by name, what they can do in each condition, and routes over them."""

    def __init__(self, storage: StorageSpec | None, routes: StorageRoutes | None) -> None:
        self._storage = storage
        self._routes = routes
        self._place: dict[str, int] = {}
        names: list[str] = []
        for key, name, wanted in _own_links(storage):
            if wanted:
                self._place[key] = len(names)
                names.append(name)
        self.offset = len(names)
        if storage is not None and routes is not None:
            names += routes.names
        self.names = tuple(names)
        self.capacity = np.zeros(0)
        if storage is not None:
            self.capacity = self.capacities(Condition(storage.servers))

    def place(self, key: str) -> int:
        """Number of a storage link (`read`, `write`, `rebuild`, …); KeyError without it."""
        return self._place[key]

    def capacities(self, now: Condition) -> Floats:
        """Capacity of every shared link, shape (n_links,)."""
        storage = self._storage
        assert storage is not None
        serving, overhead = now.serving, storage.write_overhead
        extra = self.reading(now)
        requests = storage.request_bytes
        own = {
            "read": serving * storage.read_bytes_per_s / extra,
            "write": serving * storage.write_bytes_per_s / overhead,
            "out": serving * storage.port_bytes_per_s / extra,
            "in": serving * storage.port_bytes_per_s / overhead,
            "operations": serving * storage.operations_per_s * requests / extra,
            "metadata": storage.metadata_servers * storage.metadata_operations_per_s * requests
            if storage.metadata_servers
            else 0.0,
            "origin": storage.origin.read_bytes_per_s if storage.origin else 0.0,
            "rebuild": self._rebuild_capacity(now),
        }
        rates = [own[key] for key in self._place]
        if self._routes is not None:
            rates += list(self._routes.capacity_bytes_per_s)
        return np.array(rates, dtype=np.float64)

    def reading(self, now: Condition) -> float:
        """Bytes read from drives for each byte that clients read."""
        storage = self._storage
        assert storage is not None
        return float(degraded_reading(now.missing, storage.servers, storage.data_parts))

    def rebuild_route(self, now: Condition) -> tuple[Ints, Floats]:
        """Links of a rebuild and what each restored byte takes of them."""
        storage = self._storage
        assert storage is not None
        assert storage.upkeep is not None
        parts, extra = storage.data_parts, self.reading(now)
        taken = {"rebuild": 1.0, "read": parts / extra, "out": parts / extra}
        taken["operations"] = (parts + 1.0) / extra
        if storage.upkeep.rebuild == "declustered":
            taken["write"] = 1.0 / storage.write_overhead
            taken["in"] = parts / storage.write_overhead
        known = {self._place[key]: usage for key, usage in taken.items() if key in self._place}
        return np.array(list(known), dtype=np.int64), np.array(list(known.values()))

    def route(self, purpose: str, files: Files, nodes: Ints) -> tuple[Ints, Floats, float]:
        """Shared links of a job's traffic, what a byte takes of each, and a limit of its own.

        A flow crosses each of its links whole. So a bundle that carries a part of the job's
        traffic (its nodes are in several groups) limits it as if no other job used it.
        """
        taken = self._taken(purpose, files)
        known = {self._place[key]: usage for key, usage in taken.items() if key in self._place}
        links, usage = list(known), list(known.values())
        bundles, limit = self._bundles(purpose, nodes)
        route = np.array([*links, *bundles], dtype=np.int64)
        return route, np.array([*usage, *[1.0] * len(bundles)]), limit

    def _taken(self, purpose: str, files: Files) -> dict[str, float]:
        """What one byte of a job takes of the storage's own links."""
        storage = self._storage
        assert storage is not None
        if purpose == WRITE:
            file_bytes, shuffled = files.checkpoint_bytes, False
            taken = {"write": 1.0, "in": 1.0}
        else:
            small = purpose in (DATA, FIRST_DATA)
            file_bytes, shuffled = (files.data_bytes if small else 0.0), files.shuffled
            taken = {"read": 1.0, "out": 1.0}
        taken["operations"] = 1.0
        if file_bytes:
            per_request = storage.request_bytes / file_bytes
            taken["metadata"] = storage.operations_per_file * per_request
            if shuffled:
                # Files next to each other are read together only in their order.
                taken["operations"] = max(per_request, 1.0)
        if purpose == FIRST_DATA:
            # What comes from the origin stays: it is written while it is read.
            taken |= {"origin": 1.0, "write": 1.0}
        return taken

    def _bundles(self, purpose: str, nodes: Ints) -> tuple[list[int], float]:
        if self._routes is None:
            return [], np.inf
        routes = self._routes
        bundles = routes.to_storage if purpose == WRITE else routes.from_storage
        known = nodes[nodes < len(routes.node_group)]
        groups, counts = np.unique(routes.node_group[known], return_counts=True)
        carried: dict[int, float] = {}
        for group, count in zip(groups.tolist(), counts.tolist(), strict=True):
            for bundle in bundles[group]:
                carried[bundle] = carried.get(bundle, 0.0) + count / len(nodes)
        route: list[int] = []
        limit = np.inf
        for bundle, share in sorted(carried.items()):
            if share >= 1.0 - 1e-12:
                route.append(self.offset + bundle)
            else:
                limit = min(limit, routes.capacity_bytes_per_s[bundle] / share)
        return route, float(limit)

    def _rebuild_capacity(self, now: Condition) -> float:
        storage = self._storage
        if storage is None or storage.upkeep is None:
            return 0.0
        upkeep = storage.upkeep
        rate = min(storage.write_bytes_per_s, upkeep.rebuild_bytes_per_s)
        if upkeep.rebuild == "declustered":
            return now.serving * rate
        targets = max(now.rebuilding, 1)
        return targets * min(rate, storage.port_bytes_per_s / storage.data_parts)


def _own_links(storage: StorageSpec | None) -> list[tuple[str, str, bool]]:
    """Key, name and presence of the storage's own links; the drives come first."""
    if storage is None:
        return []
    ports = bool(np.isfinite(storage.port_bytes_per_s))
    metadata = storage.metadata_servers > 0 and np.isfinite(storage.metadata_operations_per_s)
    return [
        ("read", "storage read", True),
        ("write", "storage write", True),
        ("out", "storage ports out", ports),
        ("in", "storage ports in", ports),
        ("operations", "storage requests", bool(np.isfinite(storage.operations_per_s))),
        ("metadata", "metadata servers", bool(metadata)),
        ("origin", storage.origin.name if storage.origin else "", storage.origin is not None),
        ("rebuild", "storage rebuild", storage.upkeep is not None),
    ]

"""A fabric as frozen arrays: links, endpoints, routes and parts."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """A line of the bill of materials: `count` pieces at a price and a power each."""

    name: str
    count: int
    price_usd: float
    power_w: float


@dataclass(frozen=True, slots=True)
class Parts:
    """What a fabric is built of: switches, cables and optics with price and power."""

    lines: tuple[Part, ...] = ()

    def count(self, name: str) -> int:
        """Pieces of the part called `name`; 0 when there are none."""
        return sum(line.count for line in self.lines if line.name == name)

    @property
    def price_usd(self) -> float:
        """Price of everything."""
        return sum(line.count * line.price_usd for line in self.lines)

    @property
    def power_w(self) -> float:
        """Power of everything."""
        return sum(line.count * line.power_w for line in self.lines)


@dataclass(frozen=True, slots=True)
class Fabric:
    """Links, endpoints and routing of one cluster.

    Links are one-directional; arrays over links have shape (n_links,). An endpoint is an
    accelerator, a host (one a node, using all its NICs) or a storage server, numbered in
    that order: accelerators 0 … n_accelerators-1 as they stand in the groups, then
    `host(k)` for node k, then `storage(s)`. `accelerator_node` maps each accelerator to
    its node, shape (n_accelerators,).
    """

    topology: str
    link_names: tuple[str, ...]
    link_kinds: tuple[str, ...]
    capacity_bytes_per_s: Floats
    latency_s: Floats
    accelerator_node: Ints
    node_names: tuple[str, ...]
    node_count: int
    storage_count: int
    parts: Parts = field(default_factory=Parts)

    @property
    def accelerator_count(self) -> int:
        """Number of accelerators."""
        return len(self.accelerator_node)

    def host(self, node: int) -> int:
        """Endpoint of the host of node `node`."""
        return self.accelerator_count + node

    def storage(self, server: int) -> int:
        """Endpoint of storage server `server`."""
        return self.accelerator_count + self.node_count + server

    def route(self, source: int, target: int, seed: int = 0) -> Ints:
        """Links from endpoint `source` to endpoint `target`, in order, shape (hops,).

        One of the cheapest paths: with `ecmp` routing the choice hashes (source, target,
        seed), with `static` it depends on the target alone. Raises InputError when no
        path is left.
        """
        raise NotImplementedError

"""What a fabric is asked to be; the records of `scenario.resolved` have these shapes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dcsim import catalogue
from dcsim.catalogue.records import NodeType
from dcsim.records import Fault, InputError

#: Port to port through one switch (NVIDIA Quantum-2: about 0.13 us; Ethernet: up to 0.8)
#: and a cable of 20 m; from memory.
SWITCH_LATENCY_S = 0.3e-6

#: Latency through an NVSwitch when the catalogue's link has none; from memory.
NVLINK_LATENCY_S = 1e-6


class NetworkLike(Protocol):
    """The network part of a resolved scenario (`scenario.resolved.Network`)."""

    @property
    def topology(self) -> str:
        """Name of the topology (`fat-tree`, `rail-optimised`, `torus`, …)."""

    @property
    def radix(self) -> int:
        """Ports of one switch."""

    @property
    def oversubscription(self) -> float:
        """Downlinks over uplinks of a leaf; 1 is non-blocking."""

    @property
    def nic_bytes_per_s(self) -> float | None:
        """Rate of the NICs for each accelerator and direction; None takes the node's own."""

    @property
    def options(self) -> Mapping[str, float | int | str]:
        """Further keys by name; `option_names` lists those that are understood."""


class GroupLike(Protocol):
    """Nodes of one type (`scenario.resolved.NodeGroup`)."""

    @property
    def name(self) -> str:
        """Name of the group."""

    @property
    def node(self) -> NodeType:
        """Type of its nodes."""

    @property
    def count(self) -> int:
        """How many."""


#: Keys of `NetworkLike.options`: what each means.
option_names: Mapping[str, str] = {
    "nics": "NICs of a node (default: one for each accelerator)",
    "planes": "separate fabrics that the ports of every NIC are split over (default 1)",
    "rails": "rails of a rail topology (default: NICs of a node, 4 for a rack-scale node)",
    "routing": "`ecmp` (hashed, the default) or `static`",
    "dims": "sides of a torus, as in `16x16x16`",
    "relay": "1 when accelerators forward over NVLink to the peer on the right rail",
    "reduces": "1 when the switches reduce in the network",
    "file": "GraphML or node-link JSON file of a user's own graph",
}


@dataclass(frozen=True, slots=True)
class Station:
    """Something with network ports: a node or a storage server."""

    name: str
    kind: str
    nics: int
    nic_bytes_per_s: float
    latency_s: float


def option(network: NetworkLike, name: str, default: int) -> int:
    """A whole-number option of at least 1; raises InputError for anything else."""
    value = network.options.get(name, default)
    if isinstance(value, str) or value != int(value) or value < 1:
        raise InputError(
            Fault(f"{value} is not a whole number of at least 1", field=f"network.{name}")
        )
    return int(value)


def flag(network: NetworkLike, name: str, default: bool) -> bool:
    """An option that is on or off."""
    return bool(network.options.get(name, default))


def nics_of(network: NetworkLike, node: NodeType) -> tuple[int, float]:
    """NICs of one node and the rate of each, bytes/s and direction."""
    accelerators = max(node.accelerators, 1)
    each = network.nic_bytes_per_s if network.nic_bytes_per_s else node.nic_bytes_per_s
    if not each > 0.0:
        raise InputError(Fault(f"node {node.name} has no NIC; give `network.nic` a rate above 0"))
    nics = option(network, "nics", accelerators)
    return nics, each * accelerators / nics


def stations(
    network: NetworkLike,
    groups: Sequence[GroupLike],
    storage_servers: int,
    storage_bytes_per_s: float,
) -> list[Station]:
    """Nodes in the order of their groups, then storage servers."""
    found = []
    for group in groups:
        nics, rate = nics_of(network, group.node)
        latency = group.node.nic_latency_s / 2
        for index in range(group.count):
            found.append(Station(f"{group.name}-{index}", "node", nics, rate, latency))
    if not found:
        raise InputError(Fault("a fabric needs at least one node"))
    rate = storage_bytes_per_s or max(station.nic_bytes_per_s for station in found)
    latency = max(station.latency_s for station in found)
    for index in range(storage_servers):
        found.append(Station(f"storage-{index}", "storage", 1, rate, latency))
    return found


def fast_link(node: NodeType) -> tuple[float, float]:
    """Rate and end-to-end latency of the link inside the node's fast domain (0 without one)."""
    if not node.accelerator or node.fast_domain < 2:
        return 0.0, 0.0
    rate = catalogue.accelerator(node.accelerator).link_bytes_per_s
    return rate, NVLINK_LATENCY_S

"""Graphs of the fabric, routing and counts of parts, emitted as plain arrays."""

from collections.abc import Sequence

from dcsim.catalogue.records import NodeType
from dcsim.records import Tiers
from dcsim.topology.fabric import Fabric, Part, Parts
from dcsim.topology.spec import GroupLike, NetworkLike

__all__ = ["Fabric", "GroupLike", "NetworkLike", "Part", "Parts", "build_fabric", "tiers"]


def tiers(network: NetworkLike, node: NodeType, count: int) -> Tiers:
    """Tiers of `count` nodes of one type on this network, innermost first."""
    raise NotImplementedError


def build_fabric(
    network: NetworkLike,
    groups: Sequence[GroupLike],
    storage_servers: int = 0,
    storage_bytes_per_s: float = 0.0,
) -> Fabric:
    """The fabric that joins these groups of nodes and storage servers.

    `storage_bytes_per_s` is the rate of one server's network port and direction (0: that
    of a node's NIC). Raises InputError with one sentence when it cannot be built.
    """
    raise NotImplementedError

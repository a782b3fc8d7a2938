"""Graphs of the fabric, routing and counts of parts, emitted as plain arrays."""

from collections.abc import Mapping, Sequence

from dcsim.topology.builders import build_graph
from dcsim.topology.checks import check_graph
from dcsim.topology.compile import compile_fabric
from dcsim.topology.fabric import Fabric
from dcsim.topology.levels import tiers
from dcsim.topology.parts import Part, Parts
from dcsim.topology.spec import GroupLike, NetworkLike, stations

__all__ = ["Fabric", "GroupLike", "NetworkLike", "Part", "Parts", "build_fabric", "tiers"]


def build_fabric(
    network: NetworkLike,
    groups: Sequence[GroupLike],
    storage_servers: int = 0,
    storage_bytes_per_s: float = 0.0,
    damaged: Mapping[str, float] | None = None,
) -> Fabric:
    """The fabric that joins these groups of nodes and storage servers.

    `storage_bytes_per_s` is the rate of one server's network port and direction (0: that
    of a node's NIC). `damaged` maps switches (`spine-3`) and bundles of cables
    (`leaf-0~spine-3`) to the share of their capacity that is left, 0 for failed ones.
    Raises InputError with one sentence when it cannot be built.
    """
    ends = stations(network, groups, storage_servers, storage_bytes_per_s)
    graph = build_graph(network, groups, ends)
    check_graph(graph)
    return compile_fabric(graph, network, groups, ends, damaged or {})

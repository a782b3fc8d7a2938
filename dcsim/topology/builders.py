"""Each topology by name, built as a networkx graph."""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from dcsim import catalogue
from dcsim.records import Fault, InputError
from dcsim.topology.clos import (
    Leaf,
    add_fat_tree,
    add_rails,
    add_upper_levels,
    leaf_ports,
    ports_of,
)
from dcsim.topology.direct import add_dragonfly, add_torus, torus_sides
from dcsim.topology.graph import Graph, add_station, new_graph
from dcsim.topology.spec import GroupLike, NetworkLike, Station, option
from dcsim.topology.user_graph import read_graph

Stations = Sequence[Station]

#: Rails of a node with more NICs than this: those of one compute tray of a rack.
MOST_RAILS = 8
TRAY_RAILS = 4


def default_rails(nics: int) -> int:
    """Rails when nobody says otherwise: a NIC each, or those of a tray of a rack."""
    return nics if nics <= MOST_RAILS else TRAY_RAILS


def _rate(stations: Stations, planes: int) -> float:
    """Rate of the cables between switches: that of the fastest NIC port."""
    return max(station.nic_bytes_per_s for station in stations) / planes


def _one_switch(graph: Graph, stations: Stations, radix: int, planes: int, prefix: str) -> bool:
    """Join everything by one switch where its ports suffice."""
    ports = ports_of(stations, 1.0 / planes)
    if len(ports) > radix:
        return False
    add_fat_tree(graph, ports, Leaf(radix, radix, 0), prefix)
    return True


def _prefixes(planes: int) -> list[str]:
    return [f"plane-{plane}-" for plane in range(planes)] if planes > 1 else [""]


def fat_tree(graph: Graph, network: NetworkLike, stations: Stations) -> None:
    """Leaves filled node by node, spines and a core above as needed."""
    planes = option(network, "planes", 1)
    for prefix in _prefixes(planes):
        if _one_switch(graph, stations, network.radix, planes, prefix):
            continue
        leaf = leaf_ports(network.radix, network.oversubscription)
        leaves = add_fat_tree(graph, ports_of(stations, 1.0 / planes), leaf, prefix)
        add_upper_levels(graph, leaves, leaf, _rate(stations, planes), prefix)


def rail_optimised(graph: Graph, network: NetworkLike, stations: Stations) -> None:
    """A leaf for each NIC of the nodes of a unit, all leaves under common spines."""
    planes = option(network, "planes", 1)
    nodes, servers = _split(stations)
    rails = option(network, "rails", default_rails(max(s.nics for s in nodes)))
    for prefix in _prefixes(planes):
        if _one_switch(graph, stations, network.radix, planes, prefix):
            continue
        leaf = leaf_ports(network.radix, network.oversubscription)
        by_rail = add_rails(graph, ports_of(nodes, 1.0 / planes), leaf, rails, prefix)
        units = zip_longest(*by_rail)
        leaves = [name for unit in units for name in unit if name is not None]
        leaves += add_fat_tree(graph, ports_of(servers, 1.0 / planes), leaf, f"{prefix}storage-")
        add_upper_levels(graph, leaves, leaf, _rate(stations, planes), prefix, rails)


def rail_only(graph: Graph, network: NetworkLike, stations: Stations) -> None:
    """A fabric of its own for each rail; rails meet only inside the nodes."""
    nodes, servers = _split(stations)
    rails = option(network, "rails", default_rails(max(s.nics for s in nodes)))
    leaf = leaf_ports(network.radix, network.oversubscription)
    by_rail = add_rails(graph, ports_of(nodes, 1.0), leaf, rails)
    for rail, leaves in enumerate(by_rail):
        ports = ports_of(servers[rail::rails], 1.0)
        storage = add_fat_tree(graph, ports, leaf, f"rail-{rail}-storage-")
        add_upper_levels(graph, [*leaves, *storage], leaf, _rate(stations, 1), f"rail-{rail}-")


def dragonfly(graph: Graph, network: NetworkLike, stations: Stations) -> None:
    """Groups of routers, each pair of groups joined directly."""
    if not _one_switch(graph, stations, network.radix, 1, ""):
        add_dragonfly(graph, ports_of(stations, 1.0), network.radix, _rate(stations, 1))


def torus(
    graph: Graph, network: NetworkLike, groups: Sequence[GroupLike], stations: Stations
) -> None:
    """Accelerators on a grid, and a fat tree with one NIC a node for hosts and storage."""
    chips = [
        f"{group.name}-{node}.{chip}"
        for group in groups
        for node in range(group.count)
        for chip in range(group.node.accelerators)
    ]
    types = {group.node.accelerator for group in groups}
    if not chips or len(types) != 1:
        raise InputError(Fault("a torus needs accelerators of one kind", field="network.topology"))
    kind = catalogue.accelerator(types.pop())
    dimensions = 3 if "3D" in kind.link_type else 2
    sides = torus_sides(str(network.options.get("dims", "")), len(chips), dimensions)
    ways = 2 * len(sides)
    graph.graph["sides"] = sides
    add_torus(graph, chips, sides, kind.link_bytes_per_s / ways)
    hosts = [Station(s.name, s.kind, 1, s.nic_bytes_per_s, s.latency_s) for s in stations]
    fat_tree(graph, network, hosts)


def _split(stations: Stations) -> tuple[list[Station], list[Station]]:
    return (
        [s for s in stations if s.kind == "node"],
        [s for s in stations if s.kind == "storage"],
    )


SWITCHED: Mapping[str, Callable[[Graph, NetworkLike, Stations], None]] = {
    "fat-tree": fat_tree,
    "rail-optimised": rail_optimised,
    "rail-only": rail_only,
    "dragonfly": dragonfly,
}


def graph_file(network: NetworkLike) -> Path:
    """The file of a user's own graph; raises InputError when none is named."""
    name = network.options.get("file", "")
    if not isinstance(name, str) or not name:
        raise InputError(
            Fault("the topology graph needs a GraphML or JSON file", field="network.file")
        )
    return Path(name)


def build_graph(network: NetworkLike, groups: Sequence[GroupLike], stations: Stations) -> Graph:
    """The graph of a topology, before any link fails; raises InputError."""
    if network.topology == "graph":
        return read_graph(graph_file(network), stations)
    graph = new_graph()
    for station in stations:
        add_station(graph, station)
    if network.topology == "torus":
        torus(graph, network, groups, stations)
    elif network.topology in SWITCHED:
        SWITCHED[network.topology](graph, network, stations)
    else:
        raise InputError(
            Fault(
                f'"{network.topology}" is no topology that can be built; use '
                f"{', '.join([*SWITCHED, 'torus'])} or graph",
                field="network.topology",
            )
        )
    return graph

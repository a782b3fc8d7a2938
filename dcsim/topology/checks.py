"""Small named checks of a graph; each finds one kind of fault and says it in one sentence."""

from collections.abc import Iterator
from itertools import combinations

import networkx as nx

from dcsim.records import Fault, InputError
from dcsim.topology.graph import Graph


def check_graph(graph: Graph) -> None:
    """Raise InputError with all faults of a graph."""
    faults = [fault for check in CHECKS for fault in check(graph)]
    if faults:
        raise InputError(faults)


def self_loops(graph: Graph) -> Iterator[Fault]:
    """Cables from a vertex to itself."""
    for name in sorted({one for one, other in graph.edges() if one == other}):
        yield Fault(f'the cable at "{name}" ends where it begins; join two vertices')


def dead_links(graph: Graph) -> Iterator[Fault]:
    """Cables without capacity."""
    for one, other, data in graph.edges(data=True):
        if not data["capacity_bytes_per_s"] > 0.0:
            yield Fault(
                f'the cable between "{one}" and "{other}" has a capacity of '
                f"{data['capacity_bytes_per_s']:g} B/s; give it more than 0"
            )


def unplugged_stations(graph: Graph) -> Iterator[Fault]:
    """Nodes and servers without any cable."""
    for name, data in graph.nodes(data=True):
        if data["kind"] in ("node", "storage") and graph.degree(name) == 0:
            yield Fault(f'"{name}" has no cable; plug it into a switch')


def unreachable_pairs(graph: Graph) -> Iterator[Fault]:
    """The first pair with a node in it that no path of switches joins.

    Stations pass nothing on, so two of them must have cables into one part of what is left
    without stations.
    """
    stations = {
        name: data["kind"]
        for name, data in graph.nodes(data=True)
        if data["kind"] in ("node", "storage")
    }
    switches = graph.subgraph([name for name in graph if name not in stations])
    part = {
        name: number
        for number, members in enumerate(nx.connected_components(switches))
        for name in members
    }
    reach = {
        name: frozenset(part[other] for other in graph[name] if other in part) for name in stations
    }
    # Stations with the same reach are alike: one of each kind stands for them all.
    alike = {(reach[name], kind): name for name, kind in reversed(stations.items()) if reach[name]}
    for one, other in combinations(reversed(alike.items()), 2):
        (mine, kind), (theirs, other_kind) = one[0], other[0]
        if not mine & theirs and "node" in (kind, other_kind):
            yield Fault(f'no path joins "{one[1]}" and "{other[1]}"; add a cable between them')
            return


CHECKS = (self_loops, dead_links, unplugged_stations, unreachable_pairs)

"""Conventions of the networkx graph that every topology is built as.

Vertices are stations (`kind` node or storage) and switches (`kind` switch, or accelerator
where chips forward themselves); `tier` is 0 for stations, 1 for leaves and so on, -1 for
chips, and `pod` tells which part of the fabric a vertex belongs to. Edges are cables:
`kind`, `nic` (index of the NIC at a station), `capacity_bytes_per_s` and `latency_s`, both
for each direction.
"""

from typing import Any

import networkx as nx

from dcsim.topology.spec import SWITCH_LATENCY_S, Station

Graph = Any  # networkx.MultiGraph, which has no types


def new_graph() -> Graph:
    """An empty fabric."""
    return nx.MultiGraph()


def add_station(graph: Graph, station: Station) -> None:
    """Add a node or a storage server."""
    graph.add_node(station.name, kind=station.kind, tier=0, pod=0)


def add_switch(graph: Graph, name: str, tier: int, pod: int = 0) -> str:
    """Add a switch; its name."""
    graph.add_node(name, kind="switch", tier=tier, pod=pod)
    return name


def plug(graph: Graph, station: Station, nic: int, switch: str, share: float = 1.0) -> None:
    """Cable NIC `nic` of a station to a switch, with this share of the NIC's rate."""
    graph.add_edge(
        station.name,
        switch,
        kind="nic" if station.kind == "node" else "storage",
        nic=nic,
        capacity_bytes_per_s=station.nic_bytes_per_s * share,
        latency_s=station.latency_s,
    )


def trunk(
    graph: Graph, low: str, high: str, kind: str, capacity_bytes_per_s: float, cables: int = 1
) -> None:
    """Join two switches with some parallel cables."""
    for _ in range(cables):
        graph.add_edge(
            low,
            high,
            kind=kind,
            nic=-1,
            capacity_bytes_per_s=capacity_bytes_per_s,
            latency_s=SWITCH_LATENCY_S,
        )

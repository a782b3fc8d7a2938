"""The tiers of a cluster: what collectives need to know of its topology."""

import numpy as np

from dcsim import catalogue
from dcsim.catalogue.records import NodeType
from dcsim.records import Fault, InputError, Tiers
from dcsim.topology.builders import default_rails, graph_file
from dcsim.topology.clos import leaf_ports
from dcsim.topology.direct import dragonfly_shape
from dcsim.topology.spec import (
    SWITCH_LATENCY_S,
    NetworkLike,
    Station,
    fast_link,
    flag,
    nics_of,
    option,
)
from dcsim.topology.user_graph import read_graph

#: Fast links whose switches reduce (NVLink SHARP, third-generation NVSwitch and later).
REDUCING_LINKS = ("NVLink4", "NVLink5")

#: Chips in a domain from which on it is joined by switches rather than directly.
SWITCHED_DOMAIN = 4

#: One level: name, accelerators that it joins, bytes/s of each, latency.
Level = tuple[str, int, float, float]


def tiers(network: NetworkLike, node: NodeType, count: int) -> Tiers:
    """Tiers of `count` nodes of one type on this network, innermost first.

    Fast domain, then what one switch (or one unit of rails) joins, then pods, then the
    whole fabric; a tier that would join no more than the one inside it is left out. The
    bandwidth of an accelerator is its share of the NICs, above the leaves divided by the
    oversubscription; latency is end to end. Raises InputError for a CPU-only node.
    """
    if node.accelerators < 1:
        raise InputError(Fault(f"node {node.name} has no accelerators to join", field=node.name))
    total = node.accelerators * count
    fast, latency = fast_link(node)
    nics, each = nics_of(network, node)
    rate = nics * each / node.accelerators
    levels: list[Level] = []
    if fast and network.topology != "torus":
        levels.append(("fast", node.fast_domain, fast, latency))
    levels += _levels(network, node, rate, total)
    sizes = [min(size, total) for _, size, _, _ in levels]
    sizes[-1] = total
    kept = [i for i, size in enumerate(sizes) if size > (sizes[i - 1] if i else 1)] or [0]
    in_switch = flag(network, "reduces", False)
    return Tiers(
        names=tuple(levels[i][0] for i in kept),
        size=np.array([sizes[i] for i in kept], dtype=np.int64),
        bandwidth_bytes_per_s=np.array([levels[i][2] for i in kept]),
        latency_s=np.array([levels[i][3] for i in kept]),
        reduces=np.array(
            [_fast_reduces(node) if levels[i][0] == "fast" else in_switch for i in kept]
        ),
    )


def _fast_reduces(node: NodeType) -> bool:
    kind = catalogue.accelerator(node.accelerator)
    return (
        kind.link_type.startswith(REDUCING_LINKS)
        and "bridge" not in kind.link_type
        and node.fast_domain > SWITCHED_DOMAIN
    )


def _levels(network: NetworkLike, node: NodeType, rate: float, total: int) -> list[Level]:
    """Levels of the fabric above the fast domain."""
    nics, _ = nics_of(network, node)
    per_nic = node.accelerators / nics
    base = node.nic_latency_s
    hop = 2 * SWITCH_LATENCY_S
    if network.topology == "torus":
        kind = catalogue.accelerator(node.accelerator)
        return [("torus", total, kind.link_bytes_per_s, base)]
    if network.topology == "graph":
        return _graph_levels(network, node, total)
    if total / per_nic <= network.radix:
        return [("leaf", total, rate, base)]
    if network.topology == "dragonfly":
        p, a, h = dragonfly_shape(network.radix)
        group = int(p * a * per_nic)
        crossing = min(1.0, h / p)
        return [
            ("router", int(p * per_nic), rate, base),
            ("group", group, rate, base + hop),
            ("dragonfly", total, rate * crossing, base + 2 * hop),
        ]
    leaf = leaf_ports(network.radix, network.oversubscription)
    above = rate * min(1.0, leaf.up / leaf.down)
    on_rails = network.topology in ("rail-optimised", "rail-only")
    rails = option(network, "rails", default_rails(nics)) if on_rails else 1
    # A leaf takes whole nodes where they fit; the leaves of all rails form a unit.
    per_leaf = leaf.down if on_rails else leaf.down // nics * nics or leaf.down
    first = int(per_leaf * rails * per_nic)
    together = 1 if network.topology == "rail-only" else rails
    levels = [("unit" if on_rails else "leaf", first, rate, base)]
    if together * -(-total // first) <= network.radix:
        return [*levels, ("spine", total, above, base + hop)]
    pod = first * max(network.radix // 2 // together, 1)
    return [*levels, ("pod", pod, above, base + hop), ("core", total, above, base + 2 * hop)]


def _graph_levels(network: NetworkLike, node: NodeType, total: int) -> list[Level]:
    """Two levels of a user's own graph: nodes on the same switches, and everything.

    Across, an accelerator gets its share of the cables that leave the switches of its
    nodes, in the worst part of the graph.
    """
    ends = [
        Station(f"node-{index}", "node", 1, 1.0, 0.0) for index in range(total // node.accelerators)
    ]
    graph = read_graph(graph_file(network), ends)
    plugged: dict[frozenset[str], list[float]] = {}
    for end in ends:
        cables = [data["capacity_bytes_per_s"] for *_, data in graph.edges(end.name, data=True)]
        plugged.setdefault(frozenset(graph[end.name]), []).append(sum(cables))
    inside = min(min(rates) for rates in plugged.values()) / node.accelerators
    across = inside
    for switches, rates in plugged.items():
        leaving = sum(
            data["capacity_bytes_per_s"]
            for one, other, data in graph.edges(switches, data=True)
            if graph.nodes[one]["kind"] == graph.nodes[other]["kind"] == "switch"
            and not {one, other} <= switches
        )
        if leaving:
            across = min(across, leaving / (len(rates) * node.accelerators))
    together = min(len(rates) for rates in plugged.values()) * node.accelerators
    base = node.nic_latency_s
    return [
        ("leaf", together, inside, base),
        ("graph", total, across, base + 2 * SWITCH_LATENCY_S),
    ]

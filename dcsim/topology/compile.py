"""From a networkx graph to a fabric of plain arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from dcsim.records import Fault, InputError
from dcsim.topology.fabric import Attachment, Fabric, Wiring
from dcsim.topology.graph import Graph
from dcsim.topology.parts import parts_of
from dcsim.topology.routing import Router
from dcsim.topology.spec import GroupLike, NetworkLike, Station, fast_link, flag

Ints = NDArray[np.int64]

#: Topologies whose accelerators hand data to the peer on the right rail (NCCL's PXN).
RELAYING = frozenset({"rail-optimised", "rail-only"})


@dataclass(slots=True)
class _Links:
    """Links as they are collected."""

    names: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    capacity: list[float] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)

    def add(self, name: str, kind: str, capacity: float, latency: float) -> int:
        self.names.append(name)
        self.kinds.append(kind)
        self.capacity.append(capacity)
        self.latency.append(latency)
        return len(self.names) - 1


@dataclass(slots=True)
class _Trunks:
    """Directed links between switches."""

    tail: list[int] = field(default_factory=list)
    head: list[int] = field(default_factory=list)
    link: list[int] = field(default_factory=list)


def compile_fabric(
    graph: Graph,
    network: NetworkLike,
    groups: Sequence[GroupLike],
    stations: Sequence[Station],
    sharing: Mapping[str, float],
) -> Fabric:
    """Number links and endpoints of a graph; `sharing` maps damaged parts to what is left."""
    _damage(graph, sharing)
    links, trunks = _Links(), _Trunks()
    switches = {
        name: index
        for index, name in enumerate(
            name for name, data in graph.nodes(data=True) if data["kind"] in FORWARDING
        )
    }
    ports = _cables(graph, switches, links, trunks)
    domain, up, down = _fast_links(groups, links, network.topology != "torus")
    nodes = [station for station in stations if station.kind == "node"]
    servers = [station for station in stations if station.kind == "storage"]
    owner = _owners(groups)
    chips = [name for name, data in graph.nodes(data=True) if data["kind"] == "accelerator"]
    endpoints = [
        *_accelerator_ports(groups, nodes, ports),
        *(tuple(ports[station.name].values()) for station in nodes),
        *(tuple(ports[station.name].values()) for station in servers),
    ]
    routing = str(network.options.get("routing", "ecmp"))
    if routing not in ("ecmp", "static"):
        raise InputError(
            Fault(f'"{routing}" is no routing; use ecmp or static', field="network.routing")
        )
    wiring = Wiring(
        router=Router(len(switches), *map(_ints, (trunks.tail, trunks.head, trunks.link))),
        routing=routing,
        ports=tuple(endpoints),
        domain=domain,
        fast_up=up,
        fast_down=down,
        relay=flag(network, "relay", network.topology in RELAYING),
        chips=tuple(switches[name] for name in chips),
        sides=tuple(graph.graph.get("sides", ())),
    )
    return Fabric(
        topology=network.topology,
        link_names=tuple(links.names),
        link_kinds=tuple(links.kinds),
        capacity_bytes_per_s=np.array(links.capacity, dtype=np.float64),
        latency_s=np.array(links.latency, dtype=np.float64),
        accelerator_node=owner,
        node_names=tuple(station.name for station in nodes),
        node_count=len(nodes),
        storage_count=len(servers),
        wiring=wiring,
        parts=parts_of(graph, network.radix),
    )


#: Kinds of vertices that pass data on.
FORWARDING = frozenset({"switch", "accelerator"})

#: Attachments of a station by NIC and plane, in order.
Ports = dict[tuple[int, int], Attachment]


def _ints(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def _damage(graph: Graph, sharing: Mapping[str, float]) -> None:
    """Take capacity from switches (`spine-3`) or bundles of cables (`leaf-0~spine-3`)."""
    for name, share in sharing.items():
        if not 0.0 <= share <= 1.0:
            raise InputError(Fault(f"{name} cannot keep {share} of its capacity; use 0 to 1"))
        if name in graph:
            hit = list(graph.edges(name, keys=True))
        else:
            low, _, high = name.partition("~")
            keys = graph[low][high] if high and graph.has_edge(low, high) else ()
            hit = [(low, high, key) for key in keys]
        if not hit:
            raise InputError(
                Fault(f'"{name}" names no switch and no cable; write a vertex or two as a~b')
            )
        for edge in hit:
            if share == 0.0:
                graph.remove_edge(*edge)
            else:
                graph.edges[edge]["capacity_bytes_per_s"] *= share


def _cables(
    graph: Graph, switches: Mapping[str, int], links: _Links, trunks: _Trunks
) -> dict[str, Ports]:
    """Two links for each cable; the attachments of every station."""
    ports: dict[str, Ports] = {
        name: {} for name, data in graph.nodes(data=True) if data["kind"] not in FORWARDING
    }
    parallel: dict[tuple[str, str], int] = {}
    for one, other, data in graph.edges(data=True):
        low, high = (one, other) if one not in switches else (other, one)
        number = parallel[low, high] = parallel.get((low, high), -1) + 1
        label = f".nic{data['nic']}" if data["nic"] >= 0 else ""
        mark = f"#{number}" if number and not label else ""
        kind, rate, latency = data["kind"], data["capacity_bytes_per_s"], data["latency_s"]
        up = links.add(f"{low}{label}>{high}{mark}", kind, rate, latency)
        down = links.add(f"{high}>{low}{label}{mark}", kind, rate, latency)
        if low in switches:
            trunks.tail += [switches[low], switches[high]]
            trunks.head += [switches[high], switches[low]]
            trunks.link += [up, down]
        else:
            mine = ports[low]
            plane = sum(1 for nic, _ in mine if nic == data["nic"])
            mine[data["nic"], plane] = Attachment(switches[high], up, down)
    _number(ports)
    return ports


def _number(ports: dict[str, Ports]) -> None:
    """Number the attachments switch by switch, in the order of their cables."""
    everywhere = [(mine, key) for mine in ports.values() for key in mine]
    everywhere.sort(key=lambda place: (place[0][place[1]].switch, place[0][place[1]].up))
    for number, (mine, key) in enumerate(everywhere):
        mine[key] = replace(mine[key], number=number)


def _fast_links(
    groups: Sequence[GroupLike], links: _Links, present: bool
) -> tuple[Ints, Ints, Ints]:
    """Fast domain of every accelerator and its links to and from it (-1 without one)."""
    domain: list[int] = []
    up: list[int] = []
    down: list[int] = []
    domains = 0
    for group in groups:
        total = group.count * group.node.accelerators
        rate, latency = fast_link(group.node) if present else (0.0, 0.0)
        for index in range(total):
            if not rate:
                domain.append(-1)
                up.append(-1)
                down.append(-1)
                continue
            name = f"{group.name}-{index // group.node.accelerators}"
            chip = f"{name}.{index % group.node.accelerators}"
            where = domains + index // group.node.fast_domain
            domain.append(where)
            up.append(links.add(f"{chip}>fast-{where}", "fast", rate, latency / 2))
            down.append(links.add(f"fast-{where}>{chip}", "fast", rate, latency / 2))
        if rate:
            domains += -(-total // group.node.fast_domain)
    return _ints(domain), _ints(up), _ints(down)


def _owners(groups: Sequence[GroupLike]) -> Ints:
    """Node of every accelerator."""
    per_node = [group.node.accelerators for group in groups for _ in range(group.count)]
    return np.repeat(np.arange(len(per_node)), per_node).astype(np.int64)


def _accelerator_ports(
    groups: Sequence[GroupLike], nodes: Sequence[Station], ports: Mapping[str, Ports]
) -> list[tuple[Attachment, ...]]:
    """NICs of each accelerator: its share of the node's, or one that it shares."""
    found = []
    sizes = [group.node.accelerators for group in groups for _ in range(group.count)]
    for station, size in zip(nodes, sizes, strict=True):
        nics = sorted({nic for nic, _ in ports[station.name]})
        for chip in range(size):
            first = chip * len(nics) // size
            last = max((chip + 1) * len(nics) // size, first + 1)
            own = set(nics[first:last])
            found.append(tuple(a for (nic, _), a in ports[station.name].items() if nic in own))
    return found

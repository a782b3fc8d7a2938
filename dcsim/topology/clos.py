"""Folded Clos networks: fat tree, rail-optimised and rail-only, in up to three levels.

Leiserson, Fat-trees (1985); Al-Fares et al., A scalable, commodity data center network
architecture (SIGCOMM 2008); rail-optimised as in NVIDIA DGX SuperPOD; rail-only as in Wang
et al., Rail-only: a low-cost high-performance network for training LLMs (2023).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from dcsim.records import Fault, InputError
from dcsim.topology.graph import Graph, add_switch, plug, trunk
from dcsim.topology.spec import Station


@dataclass(frozen=True, slots=True)
class Leaf:
    """Ports of a leaf switch: radix, how many go down to stations and how many up."""

    radix: int
    down: int
    up: int


@dataclass(frozen=True, slots=True)
class Port:
    """A network port of a station that a leaf must offer a place."""

    station: Station
    nic: int
    share: float


def leaf_ports(radix: int, oversubscription: float) -> Leaf:
    """Split the ports of a leaf; a ratio that they do not allow is rounded to fewer uplinks."""
    down = int(radix * oversubscription / (1.0 + oversubscription) + 1e-9)
    up = int(down / oversubscription + 1e-9)
    if up < 1:
        raise InputError(
            Fault(
                f"switches of {radix} ports cannot be oversubscribed {oversubscription:g} : 1; "
                f"use at most {radix - 1} : 1",
                field="network.oversubscription",
            )
        )
    return Leaf(radix, down, up)


def ports_of(stations: Sequence[Station], share: float) -> list[Port]:
    """All ports of these stations, station by station."""
    return [Port(s, nic, share) for s in stations for nic in range(s.nics)]


def add_fat_tree(
    graph: Graph, ports: Sequence[Port], leaf: Leaf, prefix: str = "", start: int = 0
) -> list[str]:
    """Plug ports into leaves one after another, whole stations where they fit; the leaves."""
    leaves: list[str] = []
    room = 0
    for _, together in groupby(ports, key=lambda port: port.station.name):
        mine = list(together)
        if room < len(mine) <= leaf.down:
            room = 0
        for port in mine:
            if room == 0:
                leaves.append(add_switch(graph, f"{prefix}leaf-{start + len(leaves)}", 1))
                room = leaf.down
            plug(graph, port.station, port.nic, leaves[-1], port.share)
            room -= 1
    return leaves


def add_rails(
    graph: Graph, ports: Sequence[Port], leaf: Leaf, rails: int, prefix: str = ""
) -> list[list[str]]:
    """Plug NIC n of every node into a leaf of rail n; the leaves of each rail.

    Leaves of all rails fill up alike; those of one number form a unit.
    """
    leaves: list[list[str]] = [[] for _ in range(rails)]
    taken = [0] * rails
    for port in ports:
        rail = port.nic % rails
        unit = taken[rail] // leaf.down
        taken[rail] += 1
        if unit == len(leaves[rail]):
            name = f"{prefix}leaf-{unit}-rail-{rail}"
            leaves[rail].append(add_switch(graph, name, 1, unit))
        plug(graph, port.station, port.nic, leaves[rail][unit], port.share)
    return leaves


def add_upper_levels(
    graph: Graph,
    leaves: Sequence[str],
    leaf: Leaf,
    capacity_bytes_per_s: float,
    prefix: str = "",
    together: int = 1,
) -> None:
    """Join leaves by spines, or by pods of spines and a core when they are too many.

    A pod holds a multiple of `together` leaves (those of one unit of rails) where it can.
    """
    if len(leaves) < 2:
        return
    if len(leaves) * leaf.up <= leaf.up * leaf.radix:
        count = _divisor(leaf.up, len(leaves) * leaf.up, leaf.radix)
        _join(graph, leaves, leaf.up // count, count, f"{prefix}spine", 2, capacity_bytes_per_s)
        return
    half = leaf.radix // 2
    most = half // together * together or half
    pods = [leaves[start : start + most] for start in range(0, len(leaves), most)]
    if len(pods) > leaf.radix:
        raise InputError(
            Fault(
                f"{len(leaves)} leaf switches need more than three levels of {leaf.radix}-port "
                "switches; use a larger radix or fewer NICs",
                field="network.radix",
            )
        )
    cores = _divisor(half, len(pods) * half, leaf.radix)
    planes = [
        [add_switch(graph, f"{prefix}core-{p}-{c}", 3, p) for c in range(cores)]
        for p in range(leaf.up)
    ]
    for number, pod in enumerate(pods):
        if len(pod) == 1:
            # A lone leaf needs no spines of its own: one uplink to each plane of the core.
            for plane in planes:
                core = plane[number % cores]
                trunk(graph, pod[0], core, "spine-core", capacity_bytes_per_s)
            graph.nodes[pod[0]]["pod"] = number
            continue
        spines = _join(graph, pod, 1, leaf.up, f"{prefix}spine-{number}", 2, capacity_bytes_per_s)
        for name in (*pod, *spines):
            graph.nodes[name]["pod"] = number
        for spine, plane in zip(spines, planes, strict=True):
            for core in plane:
                cables = -(-len(pod) // cores)
                trunk(graph, spine, core, "spine-core", capacity_bytes_per_s, cables)


def _join(
    graph: Graph,
    leaves: Sequence[str],
    cables: int,
    spines: int,
    name: str,
    tier: int,
    capacity_bytes_per_s: float,
) -> list[str]:
    """Cable every leaf to each of some new spines."""
    names = [add_switch(graph, f"{name}-{index}", tier) for index in range(spines)]
    for leaf in leaves:
        for spine in names:
            trunk(graph, leaf, spine, "leaf-spine", capacity_bytes_per_s, cables)
    return names


def _divisor(uplinks: int, total: int, radix: int) -> int:
    """Fewest switches that hold `total` cables and split `uplinks` evenly."""
    return next(n for n in range(1, uplinks + 1) if uplinks % n == 0 and n * radix >= total)

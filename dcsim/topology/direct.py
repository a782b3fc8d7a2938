"""Direct networks: dragonfly and torus."""

import math
from collections.abc import Sequence
from itertools import combinations, product

from dcsim.records import Fault, InputError
from dcsim.topology.clos import Port
from dcsim.topology.graph import Graph, add_switch, plug, trunk
from dcsim.topology.spec import SWITCH_LATENCY_S


def dragonfly_shape(radix: int) -> tuple[int, int, int]:
    """Stations, routers of a group and global links of a router, balanced: a = 2p = 2h.

    Kim et al., Technology-driven, highly-scalable dragonfly topology (ISCA 2008), section 3.
    """
    p = (radix + 1) // 4
    if p < 1:
        raise InputError(
            Fault("a dragonfly needs switches of at least 3 ports", field="network.radix")
        )
    return p, 2 * p, p


def add_dragonfly(
    graph: Graph, ports: Sequence[Port], radix: int, capacity_bytes_per_s: float
) -> None:
    """Groups of fully joined routers, every pair of groups joined by as many cables as fit."""
    p, a, h = dragonfly_shape(radix)
    groups = -(-len(ports) // (p * a))
    if groups > a * h + 1:
        raise InputError(
            Fault(
                f"{len(ports)} ports need {groups} dragonfly groups, but switches of {radix} "
                f"ports join at most {a * h + 1}; use a larger radix",
                field="network.radix",
            )
        )
    routers: list[list[str]] = [[] for _ in range(groups)]
    for index, port in enumerate(ports):
        members = routers[index // (p * a)]
        if index % p == 0:
            name = f"router-{index // (p * a)}-{len(members)}"
            members.append(add_switch(graph, name, 1, index // (p * a)))
        plug(graph, port.station, port.nic, members[-1], port.share)
    for members in routers:
        for low, high in combinations(members, 2):
            trunk(graph, low, high, "local", capacity_bytes_per_s)
    used = [0] * groups
    for one, other in combinations(range(groups), 2):
        smaller = min(len(routers[one]), len(routers[other]))
        for _ in range(max(smaller * h // (groups - 1), 1)):
            # Routers of a group take turns, so that its global cables are spread evenly.
            ends = []
            for group in (one, other):
                ends.append(routers[group][used[group] % len(routers[group])])
                used[group] += 1
            trunk(graph, ends[0], ends[1], "global", capacity_bytes_per_s)


def torus_sides(text: str, count: int, dimensions: int) -> tuple[int, ...]:
    """Sides of a torus of `count` chips: as written (`4x4x8`), or as near a cube as can be."""
    if not text:
        return _near_cube(count, dimensions)
    parts = text.lower().split("x")
    sides = tuple(int(part) for part in parts if part.isdigit())
    if len(sides) != len(parts) or math.prod(sides) != count:
        raise InputError(
            Fault(
                f'"{text}" is no torus of {count} chips; write sides whose product is {count}, '
                f"as in {'x'.join(map(str, _near_cube(count, dimensions)))}",
                field="network.dims",
            )
        )
    return sides


def _near_cube(count: int, dimensions: int) -> tuple[int, ...]:
    if dimensions == 1:
        return (count,)
    ideal = count ** (1.0 / dimensions)
    side = max(
        (d for d in range(1, int(ideal + 1e-9) + 1) if count % d == 0),
        default=1,
    )
    return (side, *_near_cube(count // side, dimensions - 1))


def add_torus(
    graph: Graph, chips: Sequence[str], sides: Sequence[int], capacity_bytes_per_s: float
) -> None:
    """Chips that forward for each other on a grid that wraps around in every dimension.

    A side of two is one cable, since around and straight on are the same neighbour.
    """
    index = dict(zip(product(*map(range, sides)), chips, strict=True))
    for place, name in index.items():
        graph.add_node(name, kind="accelerator", tier=-1, pod=place[0])
    for place, name in index.items():
        for dimension, side in enumerate(sides):
            if side == 1 or (side == 2 and place[dimension] == 1):
                continue
            step = list(place)
            step[dimension] = (place[dimension] + 1) % side
            graph.add_edge(
                name,
                index[tuple(step)],
                kind="ici",
                nic=-1,
                capacity_bytes_per_s=capacity_bytes_per_s,
                latency_s=SWITCH_LATENCY_S,
            )

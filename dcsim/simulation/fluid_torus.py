"""Collectives among all chips of a torus as flows over its links.

The algorithms are those of `cost.collective_torus`. Every hop is a flow that starts with
all others, with the bytes that it carries in all.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from dcsim.cost.collective_torus import bucket, passed
from dcsim.topology.fabric import Fabric

#: Where a chip is in each dimension.
Place = tuple[int, ...]

#: Bytes by link.
Bytes = dict[int, float]


class Grid:
    """The chips of a torus by place, and the link from each to a neighbour."""

    def __init__(self, fabric: Fabric) -> None:
        self.sides = fabric.wiring.sides
        self.places: list[Place] = list(product(*map(range, self.sides)))
        chips = dict(zip(self.places, fabric.wiring.chips, strict=True))
        tail, head, link = fabric.wiring.router.links()
        joined = dict(
            zip(zip(tail.tolist(), head.tolist(), strict=True), link.tolist(), strict=True)
        )
        self._link = {
            (place, dimension, way): joined[chips[place], chips[self.step(place, dimension, way)]]
            for place in self.places
            for dimension, side in enumerate(self.sides)
            if side > 1
            for way in (1, -1)
        }

    def step(self, place: Place, dimension: int, way: int) -> Place:
        """The neighbour one further in a dimension."""
        moved = list(place)
        moved[dimension] = (moved[dimension] + way) % self.sides[dimension]
        return tuple(moved)

    def link(self, place: Place, dimension: int, way: int) -> int:
        """Link to that neighbour."""
        return self._link[place, dimension, way]


def bucket_bytes(grid: Grid, volume: float) -> Bytes:
    """Every chip passes on its part of `volume` in each dimension, half of it each way."""
    split = bucket(grid.sides)
    loads = sum(
        share * passed(grid.sides, order)
        for order, share in zip(split.orders, split.shares, strict=True)
    )
    carried: Bytes = defaultdict(float)
    for place in grid.places:
        for dimension, share in enumerate(np.asarray(loads).tolist()):
            for way in (1, -1) if share > 0.0 else ():
                carried[grid.link(place, dimension, way)] += share * volume / 2.0
    return carried


def broadcast_bytes(grid: Grid, size_bytes: float) -> Bytes:
    """From the first chip along one dimension after the other, half of it each way around."""
    carried: Bytes = defaultdict(float)
    for way in (1, -1):
        reached = [grid.places[0]]
        for dimension, side in enumerate(grid.sides):
            front = list(reached)
            for _ in range(side - 1):
                for place in front:
                    carried[grid.link(place, dimension, way)] += size_bytes / 2.0
                front = [grid.step(place, dimension, way) for place in front]
                reached += front
    return carried


def shorter_ways(steps: int, side: int) -> tuple[tuple[int, int, float], ...]:
    """(way, hops, share) of the shorter ways round; both where they are equally long."""
    back = side - steps
    if steps == back:
        return ((1, steps, 0.5), (-1, back, 0.5))
    return ((1, steps, 1.0),) if steps < back else ((-1, back, 1.0),)


def paths(
    grid: Grid, source: Place, target: Place, dimension: int = 0
) -> Iterator[tuple[list[int], float]]:
    """Links and share of the ways from chip to chip, dimension by dimension."""
    if dimension == len(grid.sides):
        yield [], 1.0
        return
    side = grid.sides[dimension]
    steps = (target[dimension] - source[dimension]) % side
    for way, hops, share in shorter_ways(steps, side) if steps else ((1, 0, 1.0),):
        at, links = source, []
        for _ in range(hops):
            links.append(grid.link(at, dimension, way))
            at = grid.step(at, dimension, way)
        for rest, part in paths(grid, at, target, dimension + 1):
            yield [*links, *rest], share * part


def all_to_all_paths(grid: Grid) -> Iterator[tuple[list[int], float]]:
    """Every pair's ways, each with its share of what the pair exchanges."""
    for source in grid.places:
        for target in grid.places:
            if source != target:
                yield from paths(grid, source, target)


def torus_transfers(
    fabric: Fabric, kind: str, size_bytes: float
) -> Iterator[tuple[Sequence[int], float]]:
    """(links, bytes) of every transfer of a collective among all chips."""
    grid = Grid(fabric)
    count = len(grid.places)
    if kind == "all_to_all":
        for links, share in all_to_all_paths(grid):
            yield links, share * size_bytes / count
    elif kind == "p2p":
        first = grid.places[0]
        dimension = next(d for d, side in enumerate(grid.sides) if side > 1)
        yield [grid.link(first, dimension, 1)], size_bytes
    else:
        passes = 2.0 if kind == "all_reduce" else 1.0
        carried = (
            broadcast_bytes(grid, size_bytes)
            if kind == "broadcast"
            else bucket_bytes(grid, passes * size_bytes)
        )
        for link, amount in carried.items():
            yield [link], amount

"""Collectives as flows on a fabric: what every link carries while one runs.

All transfers of a collective are pipelined, so they are flows that start together, each
with the bytes that its hop carries in all; the collective ends with the last of them.
Ring: Patarasuk and Yuan 2009; double binary tree: Sanders, Speck and Traeff 2009 (as in
NCCL 2.4); in-switch: Klenk et al. 2020 (NVLink SHARP). Volumes follow the conventions of
the NCCL tests: `size_bytes` is the whole buffer, the gathered one of an all-gather, what
one rank sends in all in an all-to-all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dcsim.cost.collective_forms import Load, Shares, Span, StartUp, load, seconds
from dcsim.cost.collective_torus import ON_TORUS, torus_load
from dcsim.records import Fault, InputError
from dcsim.simulation.fluid_batch import simulate_flows
from dcsim.simulation.fluid_torus import torus_transfers
from dcsim.topology.fabric import Fabric

Ints = NDArray[np.int64]


@dataclass(slots=True)
class CollectiveFlows:
    """Flows that start together: a route and its bytes for each."""

    routes: list[Ints] = field(default_factory=list)
    size_bytes: list[float] = field(default_factory=list)

    def add(self, route: Ints, size_bytes: float) -> None:
        """One more transfer; those without a link or a byte are left out."""
        if len(route) and size_bytes > 0.0:
            self.routes.append(route)
            self.size_bytes.append(size_bytes)

    def seconds(self, fabric: Fabric, links: NDArray[np.bool_] | None = None) -> float:
        """Time until the last byte on an idle fabric, latencies not counted.

        With `links`, a mask of shape (n_links,), only these links limit the flows.
        """
        routes, sizes = self.routes, self.size_bytes
        if links is not None:
            kept = [route[links[route]] for route in routes]
            sizes = [size for size, route in zip(sizes, kept, strict=True) if len(route)]
            routes = [route for route in kept if len(route)]
        if not routes:
            return 0.0
        idle = np.zeros(len(fabric.capacity_bytes_per_s))
        ends = simulate_flows(
            fabric.capacity_bytes_per_s, idle, routes, np.array(sizes), np.zeros(len(routes))
        )
        return float(ends.max())


@dataclass(frozen=True, slots=True)
class Places:
    """The ranks of a collective by fast domain: `of[d]` lists those of domain d in order.

    Domains hold the same number of ranks, `width`; rank r of a domain serves channel r.
    """

    fabric: Fabric
    of: tuple[tuple[int, ...], ...]
    seed: int

    @property
    def width(self) -> int:
        """Ranks of one domain."""
        return len(self.of[0])

    @property
    def ranks(self) -> int:
        """Ranks in all."""
        return self.width * len(self.of)

    def route(self, source: int, target: int) -> Ints:
        """Links between two ranks."""
        return self.fabric.route(source, target, self.seed)


def places_of(fabric: Fabric, ranks: Sequence[int], seed: int = 0) -> Places:
    """Group ranks by fast domain; raises InputError when the domains hold unequal numbers."""
    domains: dict[int, list[int]] = {}
    for rank in ranks:
        domain = int(fabric.wiring.domain[rank])
        domains.setdefault(domain if domain >= 0 else -1 - rank, []).append(rank)
    of = tuple(tuple(members) for members in domains.values())
    if not of or len({len(members) for members in of}) > 1:
        raise InputError(Fault("a collective needs equally many ranks in every fast domain"))
    return Places(fabric, of, seed)


def chains(places: Places, channel: int) -> list[tuple[int, ...]]:
    """The ranks of every domain in the order of one channel.

    A channel leaves a domain by one rail and enters the next by the same: domains take
    turns in starting at the channel's rank and at its partner's.
    """
    width = places.width
    partner = channel ^ 1 if channel ^ 1 < width else (channel + 1) % width
    orders = []
    for turn, members in enumerate(places.of):
        first, last = (channel, partner) if turn % 2 == 0 else (partner, channel)
        middle = [rank for rank in range(width) if rank not in (first, last)]
        order = [first, *middle, last] if width > 1 else [0]
        orders.append(tuple(members[rank] for rank in order))
    return orders


def ring(places: Places, volume: float) -> CollectiveFlows:
    """`volume` bytes over every hop of a ring, split over one channel for each rail."""
    flows = CollectiveFlows()
    for channel in range(places.width):
        order = [rank for chain in chains(places, channel) for rank in chain]
        for source, target in pairwise([*order, order[0]]):
            flows.add(places.route(source, target), volume / places.width)
    return flows


def tree_edges(count: int) -> list[tuple[int, int]]:
    """(child, parent) pairs of a binary tree over 0 … count-1 whose odd numbers are inner.

    The tree of Sanders et al.: the parent of a vertex clears its lowest set bit or sets the
    one above; every vertex has at most two children.
    """
    edges = []
    for vertex in range(1, count):
        bit = vertex & -vertex
        parent = (vertex ^ bit) | (bit << 1)
        edges.append((vertex, parent if parent < count else vertex ^ bit))
    return edges


def _between_domains(places: Places, flows: CollectiveFlows, size_bytes: float) -> None:
    """Half of the bytes up and down each of two trees, the second shifted by one domain."""
    domains = len(places.of)
    share = size_bytes / places.width / 2.0
    for shift in (0, 1):
        for child, parent in tree_edges(domains):
            low = places.of[(child + shift) % domains]
            high = places.of[(parent + shift) % domains]
            for one, other in zip(low, high, strict=True):
                flows.add(places.route(one, other), share)
                flows.add(places.route(other, one), share)


def double_tree(places: Places, size_bytes: float) -> CollectiveFlows:
    """All-reduce: chains inside the domains, two complementary binary trees across."""
    flows = CollectiveFlows()
    for channel in range(places.width):
        for chain in chains(places, channel):
            for one, other in pairwise(chain):
                flows.add(places.route(one, other), size_bytes / places.width)
                flows.add(places.route(other, one), size_bytes / places.width)
    _between_domains(places, flows, size_bytes)
    return flows


def in_switch(places: Places, size_bytes: float) -> CollectiveFlows:
    """All-reduce whose domains reduce and multicast in the switch, trees across.

    Each rank sends its buffer and the sums of its part, and receives the same, so a link
    carries 1 + 1/n of the buffer each way.
    """
    flows = CollectiveFlows()
    wiring = places.fabric.wiring
    volume = size_bytes * (1.0 + 1.0 / places.width)
    for members in places.of:
        for rank in members:
            flows.add(np.array([wiring.fast_up[rank]]), volume)
            flows.add(np.array([wiring.fast_down[rank]]), volume)
    if len(places.of) > 1:
        _between_domains(places, flows, size_bytes)
    return flows


def hierarchical(places: Places, size_bytes: float) -> CollectiveFlows:
    """All-reduce: reduce-scatter inside, rings of equal rank across, all-gather inside."""
    flows = CollectiveFlows()
    width, domains = places.width, len(places.of)
    inside = 2.0 * size_bytes * (width - 1) / width
    for members in places.of:
        for source, target in pairwise([*members, members[0]]):
            flows.add(places.route(source, target), inside)
    across = 2.0 * size_bytes / width * (domains - 1) / domains
    for rank in range(width):
        around = [members[rank] for members in places.of]
        for source, target in pairwise([*around, around[0]]):
            flows.add(places.route(source, target), across)
    return flows


def direct(places: Places, size_bytes: float) -> CollectiveFlows:
    """All-to-all: every rank sends its share to every other."""
    flows = CollectiveFlows()
    ranks = [rank for members in places.of for rank in members]
    for source in ranks:
        for target in ranks:
            if source != target:
                flows.add(places.route(source, target), size_bytes / len(ranks))
    return flows


def _ring_volume(passes: float) -> Callable[[Places, float], CollectiveFlows]:
    def flows(places: Places, size_bytes: float) -> CollectiveFlows:
        return ring(places, passes * size_bytes * (places.ranks - 1) / places.ranks)

    return flows


def _broadcast(places: Places, size_bytes: float) -> CollectiveFlows:
    """Pipelined along the ring, which the last hop leaves open."""
    return ring(places, size_bytes)


def _point_to_point(places: Places, size_bytes: float) -> CollectiveFlows:
    flows = CollectiveFlows()
    flows.add(places.route(places.of[0][0], places.of[-1][-1]), size_bytes)
    return flows


#: Flows of each collective by algorithm.
ALGORITHMS: Mapping[tuple[str, str], Callable[[Places, float], CollectiveFlows]] = {
    ("all_reduce", "ring"): _ring_volume(2.0),
    ("all_reduce", "tree"): double_tree,
    ("all_reduce", "hierarchical"): hierarchical,
    ("all_reduce", "in-switch"): in_switch,
    ("all_gather", "ring"): _ring_volume(1.0),
    ("reduce_scatter", "ring"): _ring_volume(1.0),
    ("all_to_all", "direct"): direct,
    ("broadcast", "ring"): _broadcast,
    ("p2p", "direct"): _point_to_point,
}


def collective_flows(
    fabric: Fabric,
    kind: str,
    algorithm: str,
    ranks: Sequence[int],
    size_bytes: float,
    seed: int = 0,
) -> CollectiveFlows:
    """Flows of one collective among accelerators `ranks`; raises InputError for an unknown one."""
    if _around_torus(fabric, kind, algorithm, ranks):
        flows = CollectiveFlows()
        for links, amount in torus_transfers(fabric, kind, size_bytes):
            flows.add(np.array(links, dtype=np.int64), amount)
        return flows
    make = ALGORITHMS.get((kind, algorithm))
    if make is None:
        known = ", ".join(sorted(f"{k} by {a}" for k, a in ALGORITHMS))
        raise InputError(Fault(f"there is no {kind} by {algorithm}; there are {known}"))
    return make(places_of(fabric, ranks, seed), size_bytes)


def _around_torus(fabric: Fabric, kind: str, algorithm: str, ranks: Sequence[int]) -> bool:
    """Whether all chips of a torus take part, by the algorithm for that."""
    whole = len(ranks) == len(set(ranks)) == len(fabric.wiring.chips)
    return whole and ON_TORUS.get(kind) == algorithm


def collective_seconds(
    fabric: Fabric,
    kind: str,
    algorithm: str,
    ranks: Sequence[int],
    size_bytes: float,
    shares: Shares | None = None,
    start: StartUp | None = None,
    seed: int = 0,
) -> float:
    """Time of a collective whose bytes move as flows on the links of this fabric.

    What the flows take on the fast links and on the network replaces the closed form's
    bytes; start-up, attainable shares and overlap are those of `cost.collective_forms`.
    """
    flows = collective_flows(fabric, kind, algorithm, ranks, size_bytes, seed)
    places = places_of(fabric, ranks, seed)
    members = np.array([[float(places.width)], [float(places.ranks)]])
    span = Span(members, np.ones_like(members))
    if _around_torus(fabric, kind, algorithm, ranks):
        hops = torus_load(kind, size_bytes, fabric.wiring.sides, 1.0)
    else:
        hops = load(kind, algorithm, size_bytes, span)
    fast = np.array([name == "fast" for name in fabric.link_kinds])
    work = Load(
        hops.size_bytes,
        np.array([flows.seconds(fabric, fast)]),
        np.array([flows.seconds(fabric, ~fast)]),
        hops.fast_hops,
        hops.net_hops,
    )
    return float(seconds(algorithm, work, span, shares or Shares(), start or StartUp())[0])

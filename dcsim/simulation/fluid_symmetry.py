"""Exact merging of the flows of an all-to-all that a symmetric fabric cannot tell apart.

Links and accelerators that play the same part get the same class by colour refinement
(McKay and Piperno 2014, section 2.3: the coarsest equitable partition). With all pairs
sending alike and routing that spreads them evenly, as static routing does on a full tree,
links of one class carry alike, and so flows that cross the same classes in the same order
have the same rate. One flow then stands for each such kind, loading one link of a class
as much as all of them load it: the max-min fair rates are the same, since progressive
filling sees the same constraints once instead of many times.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.fluid_batch import simulate_flows
from dcsim.topology.fabric import Fabric

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class MergedFlows:
    """An all-to-all with one flow for each kind; arrays over kinds have shape (n_kinds,).

    `pairs` counts the flows that a kind stands for, `link_class` gives the class of every
    link of the fabric, shape (n_links,), and `classes_crossed` the classes that each kind
    crosses in order.
    """

    pairs: Ints
    completion_s: Floats
    link_class: Ints
    classes_crossed: tuple[tuple[int, ...], ...]

    @property
    def last_s(self) -> float:
        """When the last flow completes."""
        return float(self.completion_s.max(initial=0.0))


def all_to_all_by_symmetry(
    fabric: Fabric, ranks: Ints, bytes_each: float, seed: int = 0
) -> MergedFlows:
    """Everybody of `ranks` sends `bytes_each` to everybody else, all at once.

    `ranks` are accelerators. Only the routes of one accelerator of each class are looked
    up. Exact where routing is even over the links of each class; with hashed routing it is
    the average that a perfect spread would give.
    """
    ranks = np.asarray(ranks, dtype=np.int64)
    link_class, rank_class = symmetry_classes(fabric, ranks)
    links_of_class = np.bincount(link_class)
    kinds: Counter[tuple[int, tuple[int, ...]]] = Counter()
    for which in np.unique(rank_class):
        source = int(ranks[rank_class == which][0])
        for target in ranks.tolist():
            if target != source:
                crossed = link_class[fabric.route(source, target, seed)]
                kinds[int(which), tuple(crossed.tolist())] += 1
    ranks_of_class = np.bincount(rank_class)
    pairs = np.array([ranks_of_class[which] * n for (which, _), n in kinds.items()], dtype=np.int64)
    first = np.unique(link_class, return_index=True)[1]
    routes = [crossed for _, crossed in kinds]
    usage = [
        [float(count) / links_of_class[c] for c in route]
        for route, count in zip(routes, pairs.tolist(), strict=True)
    ]
    completion = simulate_flows(
        fabric.capacity_bytes_per_s[first],
        fabric.latency_s[first],
        routes,
        np.full(len(routes), bytes_each),
        np.zeros(len(routes)),
        usage=usage,
    )
    return MergedFlows(pairs, completion, link_class, tuple(routes))


def symmetry_classes(fabric: Fabric, ranks: Ints) -> tuple[Ints, Ints]:
    """Class of every link, shape (n_links,), and of every rank, shape (n_ranks,).

    Refines colours of links by those of what they join and the reverse, until no class
    splits any more; accelerators start in two classes, ranks and the rest.
    """
    link, vertex, role, vertices = _incidence(fabric)
    kinds = np.unique(np.array(fabric.link_kinds), return_inverse=True)[1]
    # Capacities that differ by rounding alone are one.
    rounded = np.column_stack(
        [kinds, np.round(fabric.capacity_bytes_per_s, -1), np.round(fabric.latency_s, 12)]
    )
    of_link = _mix(np.unique(rounded, axis=0, return_inverse=True)[1].astype(np.uint64).ravel())
    of_vertex = np.zeros(vertices, dtype=np.uint64)
    of_vertex[: fabric.accelerator_count] = 1
    of_vertex[ranks] = 2
    classes = 0
    while True:
        of_vertex = _refine(of_vertex, vertex, of_link[link] + role)
        of_link = _refine(of_link, link, of_vertex[vertex] + role)
        found = len(np.unique(of_link)) + len(np.unique(of_vertex))
        if found == classes:
            break
        classes = found
    link_class = np.unique(of_link, return_inverse=True)[1]
    rank_class = np.unique(of_vertex[ranks], return_inverse=True)[1]
    return link_class.astype(np.int64), rank_class.astype(np.int64)


def _incidence(fabric: Fabric) -> tuple[Ints, Ints, Words, int]:
    """Which link leaves (role 0) or enters (role 1) which vertex, and how many there are.

    Vertices are the accelerators, then the fast domains, then the switches. A NIC's links
    belong to all accelerators that use it.
    """
    wiring = fabric.wiring
    accelerators = fabric.accelerator_count
    domains = int(wiring.domain.max(initial=-1)) + 1
    fast = np.flatnonzero(wiring.domain >= 0)
    home = accelerators + wiring.domain[fast]
    switch = accelerators + domains
    tail, head, trunk = wiring.router.links()
    leaving = [(wiring.fast_up[fast], fast), (wiring.fast_down[fast], home), (trunk, switch + tail)]
    entering = [
        (wiring.fast_up[fast], home),
        (wiring.fast_down[fast], fast),
        (trunk, switch + head),
    ]
    ports = [
        (port.up, port.down, endpoint, switch + port.switch)
        for endpoint in range(accelerators)
        for port in wiring.ports[endpoint]
    ]
    if ports:
        up, down, owner, there = np.array(ports, dtype=np.int64).T
        once = np.unique(up, return_index=True)[1]
        leaving += [(up, owner), (down[once], there[once])]
        entering += [(down, owner), (up[once], there[once])]
    link = np.concatenate([pair[0] for pair in leaving + entering]).astype(np.int64)
    vertex = np.concatenate([pair[1] for pair in leaving + entering]).astype(np.int64)
    first = sum(len(pair[0]) for pair in leaving)
    role = (np.arange(len(link)) >= first).astype(np.uint64)
    return link, vertex, role, switch + wiring.router.switches


def _refine(colour: Words, owner: Ints, seen: Words) -> Words:
    """New colours from the old ones and the multiset of colours that each item sees."""
    sums = np.zeros(len(colour), dtype=np.uint64)
    np.add.at(sums, owner, _mix(seen))
    return _mix(colour * np.uint64(3) + sums)


def _mix(value: Words) -> Words:
    """A hash of each number (SplitMix64; Steele et al. 2014)."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)), dtype=np.uint64)

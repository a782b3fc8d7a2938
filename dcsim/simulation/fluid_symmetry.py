"""Exact merging of the flows of an all-to-all that a symmetric fabric cannot tell apart.

Links and accelerators that play the same part get the same class by colour refinement
(McKay and Piperno 2014, section 2.3: the coarsest equitable partition). With all pairs
sending alike, each spread evenly over its shortest paths, links of one class carry alike,
and so flows with the same shares on the same classes have the same rate. One flow then
stands for each such kind, loading one link of a class as much as all of them load it: the
max-min fair rates are the same, since progressive filling sees the same constraints once
instead of many times. Static routing on a full tree, where every choice is taken equally
often, has the same solution.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.fluid_batch import simulate_flows
from dcsim.topology.fabric import Fabric

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]


#: Digits to which shares of a flow on a class of links are told apart.
_DIGITS = 9

#: Classes of links that a flow crosses, each with its share of the flow there.
Kind = tuple[tuple[int, float], ...]

#: Shares on classes of links between two switches, found before.
Known = dict[tuple[int, int], dict[int, float]]


@dataclass(frozen=True, slots=True)
class MergedFlows:
    """An all-to-all with one flow for each kind.

    `kinds` are (class of the source, classes crossed); `pairs`, the flows that a kind
    stands for, and `completion_s` have shape (n_kinds,), `link_class` has shape (n_links,).
    """

    kinds: tuple[tuple[int, Kind], ...]
    pairs: Ints
    completion_s: Floats
    link_class: Ints

    @property
    def last_s(self) -> float:
        """When the last flow completes."""
        return float(self.completion_s.max(initial=0.0))


def all_to_all_by_symmetry(fabric: Fabric, ranks: Ints, bytes_each: float) -> MergedFlows:
    """Everybody of `ranks` sends `bytes_each` to everybody else, all at once.

    `ranks` are accelerators. Only the paths of one accelerator of each class are looked
    up, so that the work grows with the number of ranks, not of pairs.
    """
    ranks = np.asarray(ranks, dtype=np.int64)
    link_class, rank_class = symmetry_classes(fabric, ranks)
    kinds: Counter[tuple[int, Kind]] = Counter()
    known: Known = {}
    for which in np.unique(rank_class).tolist():
        source = int(ranks[rank_class == which][0])
        for target in ranks.tolist():
            if target != source:
                kinds[which, kind_of(fabric, link_class, source, target, known)] += 1
    of_class = np.bincount(rank_class)
    pairs = np.array([of_class[which] * n for (which, _), n in kinds.items()], dtype=np.int64)
    first, size = np.unique(link_class, return_index=True, return_counts=True)[1:]
    latency = fabric.latency_s[first]
    usage = [
        [share * count / size[c] for c, share in kind]
        for (_, kind), count in zip(kinds, pairs.tolist(), strict=True)
    ]
    completion = simulate_flows(
        fabric.capacity_bytes_per_s[first],
        np.zeros(len(first)),
        [[c for c, _ in kind] for _, kind in kinds],
        np.full(len(pairs), bytes_each),
        np.array([sum(share * latency[c] for c, share in kind) for _, kind in kinds]),
        usage=usage,
    )
    return MergedFlows(tuple(kinds), pairs, completion, link_class)


def kind_of(
    fabric: Fabric, link_class: Ints, source: int, target: int, known: Known | None = None
) -> Kind:
    """The classes of links that a flow crosses, each with its share there.

    `known` keeps what was found between two switches, for a caller who asks often.
    """
    total: defaultdict[int, float] = defaultdict(float)
    if fabric.share_domain(source, target):
        for link in fabric.route(source, target):
            total[int(link_class[link])] += 1.0
        return tuple(sorted(total.items()))
    before, pairs, after = fabric.ways(source, target)
    for link in (*before, *after):
        total[int(link_class[link])] += 1.0
    known = {} if known is None else known
    for here, there in pairs:
        between = known.get((here.switch, there.switch))
        if between is None:
            links, shares = fabric.wiring.router.spread(here.switch, there.switch)
            on_class = np.bincount(link_class[links], shares)
            between = {int(which): float(on_class[which]) for which in np.flatnonzero(on_class)}
            known[here.switch, there.switch] = between
        ends = [int(link_class[link]) for link in (here.up, there.down) if link >= 0]
        for which, share in (*between.items(), *((end, 1.0) for end in ends)):
            total[which] += share / len(pairs)
    return tuple((which, round(share, _DIGITS)) for which, share in sorted(total.items()))


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

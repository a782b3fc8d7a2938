"""What of a fabric limits the traffic between nodes and storage, as bundles of links."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.spec import StorageRoutes

if TYPE_CHECKING:
    from dcsim.topology import Fabric

Ints = NDArray[np.int64]

#: Servers whose routes are looked up from each node; the nodes of a group take turns, so
#: that a group as a whole sees every parallel link.
_SERVERS_PER_NODE = 8

#: Capacities closer than this share are equal.
_SAME = 1e-9

#: The links of a path in order from the node, without the node's own (its NICs).
Path = tuple[int, ...]
#: For each group of nodes its bundles in order, each a set of links.
Stages = list[list[frozenset[int]]]


def storage_routes(fabric: "Fabric") -> StorageRoutes:
    """Bundles between the nodes of `fabric` and its storage servers.

    Nodes that share their first switch form a group. Links at the same distance from the
    nodes of one group carry their striped traffic in parallel, so they are one bundle,
    and bundles that share a link are one bundle. Left out is what can never be the
    bottleneck: wider than the NICs of all nodes behind it, or than another bundle that
    all of its traffic crosses as well.
    """
    nodes = fabric.node_count
    if not fabric.storage_count:
        return StorageRoutes((), np.zeros(0), np.zeros(nodes, dtype=np.int64), ((),), ((),))
    inward, nics_in = _paths(fabric, lambda node, server: fabric.route(server, node)[::-1])
    outward, nics_out = _paths(fabric, fabric.route)
    group = _groups(outward)
    names: list[str] = []
    capacity: list[float] = []
    sides: list[tuple[tuple[int, ...], ...]] = []
    for paths, nics, side in ((outward, nics_out, "to"), (inward, nics_in, "from")):
        stages = _stages(paths, group)
        nic_rate = np.bincount(group, weights=nics, minlength=len(stages)).astype(np.float64)
        kept = _binding(stages, nic_rate, fabric)
        number = {bundle: len(names) + place for place, bundle in enumerate(kept)}
        names += [_name(bundle, stages, fabric, side) for bundle in kept]
        capacity += [_rate(bundle, fabric) for bundle in kept]
        sides.append(tuple(tuple(number[b] for b in bundles if b in number) for bundles in stages))
    return StorageRoutes(tuple(names), np.array(capacity), group, sides[0], sides[1])


def _paths(
    fabric: "Fabric", route: Callable[[int, int], Ints]
) -> tuple[list[list[Path]], NDArray[np.float64]]:
    """Paths of each node behind its NICs, and the rate of those NICs, shape (nodes,)."""
    servers = fabric.storage_count
    chosen = min(servers, _SERVERS_PER_NODE)
    paths: list[list[Path]] = []
    nics = np.zeros(fabric.node_count)
    for node in range(fabric.node_count):
        own: set[int] = set()
        found: list[Path] = []
        for turn in range(chosen):
            server = (node * chosen + turn) % servers
            links = [int(link) for link in route(fabric.host(node), fabric.storage(server))]
            own.add(links[0])
            found.append(tuple(links[1:]))
        paths.append(found)
        nics[node] = fabric.capacity_bytes_per_s[sorted(own)].sum()
    return paths, nics


def _groups(paths: list[list[Path]]) -> Ints:
    """Group of each node: nodes whose paths share a first link, numbered as they come."""
    sets = _DisjointSets()
    for node, found in enumerate(paths):
        for path in found:
            sets.join(("node", node), ("link", path[0] if path else -1))
    numbers: dict[object, int] = {}
    return np.array(
        [numbers.setdefault(sets.root(("node", node)), len(numbers)) for node in range(len(paths))],
        dtype=np.int64,
    )


def _stages(paths: list[list[Path]], group: Ints) -> Stages:
    """Bundles of each group in order of distance, without repetition."""
    at_distance: list[dict[int, set[int]]] = [{} for _ in range(int(group.max()) + 1)]
    sets = _DisjointSets()
    for node, found in enumerate(paths):
        for path in found:
            for distance, link in enumerate(path):
                at_distance[group[node]].setdefault(distance, set()).add(link)
    for stages in at_distance:
        for links in stages.values():
            first = min(links)
            for link in links:
                sets.join(first, link)
    members: dict[object, set[int]] = {}
    for stages in at_distance:
        for links in stages.values():
            members.setdefault(sets.root(min(links)), set()).update(links)
    frozen = {root: frozenset(links) for root, links in members.items()}
    return [
        list(dict.fromkeys(frozen[sets.root(min(stages[d]))] for d in sorted(stages)))
        for stages in at_distance
    ]


def _binding(
    stages: Stages, nic_rate: NDArray[np.float64], fabric: "Fabric"
) -> list[frozenset[int]]:
    """Bundles that can be the bottleneck of some traffic, in order of appearance."""
    users: dict[frozenset[int], set[int]] = {}
    for group, bundles in enumerate(stages):
        for bundle in bundles:
            users.setdefault(bundle, set()).add(group)
    rate = {bundle: _rate(bundle, fabric) for bundle in users}
    kept = [
        bundle
        for bundle in users
        if rate[bundle] < nic_rate[sorted(users[bundle])].sum() * (1.0 - _SAME)
    ]
    for bundle in list(kept):
        others = [other for other in kept if other is not bundle]
        if any(
            users[bundle] <= users[other] and rate[other] <= rate[bundle] * (1.0 + _SAME)
            for other in others
        ):
            kept = others
    return kept


def _rate(bundle: Iterable[int], fabric: "Fabric") -> float:
    return float(fabric.capacity_bytes_per_s[sorted(bundle)].sum())


def _name(bundle: frozenset[int], stages: Stages, fabric: "Fabric", side: str) -> str:
    """`leaf-spine to storage (group 3)`; without a group where all groups use it."""
    kinds = sorted({fabric.link_kinds[link] for link in bundle})
    users = [str(group) for group, bundles in enumerate(stages) if bundle in bundles]
    where = f" (group {', '.join(users)})" if len(users) < len(stages) else ""
    return f"{' and '.join(kinds)} {side} storage{where}"


class _DisjointSets:
    """Union-find with path halving (Tarjan 1975)."""

    def __init__(self) -> None:
        self._parent: dict[object, object] = {}

    def root(self, item: object) -> object:
        """The representative of the set of `item`."""
        parent = self._parent
        parent.setdefault(item, item)
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def join(self, one: object, other: object) -> None:
        """Make one set of the sets of both."""
        self._parent[self.root(one)] = self.root(other)

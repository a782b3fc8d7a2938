"""What of a fabric limits the traffic between nodes and storage, as bundles of links."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.spec import StorageRoutes

if TYPE_CHECKING:
    from dcsim.topology import Fabric

Ints = NDArray[np.int64]

#: Capacities closer than this share are equal.
_SAME = 1e-9

#: Switches that an endpoint is plugged into.
Switches = frozenset[int]
Links = frozenset[int]


@dataclass(frozen=True, slots=True)
class _Bundle:
    """Parallel links; `share` of each group's traffic crosses them, by group."""

    links: Links
    capacity_bytes_per_s: float
    share: Mapping[int, float]

    @property
    def rate(self) -> float:
        """Traffic of the groups that fills the bundle, bytes/s."""
        return self.capacity_bytes_per_s / max(self.share.values())


def storage_routes(fabric: "Fabric") -> StorageRoutes:
    """Bundles between the nodes of `fabric` and its storage servers.

    Nodes on the same switches form a group. All shortest paths carry their part of
    striped traffic, so the links that a group uses at one distance are one bundle, and
    bundles that share a link are one. Where only a part of a group's traffic crosses a
    bundle (some servers are on its own switch), its capacity is divided by that part.
    Left out is what can never be the bottleneck: wider than the NICs of all nodes behind
    it, or than another bundle that all of its traffic crosses as well. Cables are taken to
    be as fast in one direction as in the other.
    """
    nodes = fabric.node_count
    if not (fabric.storage_count and nodes):
        return StorageRoutes((), np.zeros(0), np.zeros(nodes, dtype=np.int64), ((),), ((),))
    ports = fabric.wiring.ports
    plugged = [_switches(fabric, fabric.host(node)) for node in range(nodes)]
    numbers = {switches: number for number, switches in enumerate(dict.fromkeys(plugged))}
    group = np.array([numbers[switches] for switches in plugged], dtype=np.int64)
    nics = [
        sum(fabric.capacity_bytes_per_s[port.up] for port in ports[fabric.host(node)])
        for node in range(nodes)
    ]
    nic_rate = np.bincount(group, weights=nics).astype(np.float64)
    kept = _binding(_bundles(fabric, list(numbers)), nic_rate)
    ways = tuple(
        tuple(place for place, bundle in enumerate(kept) if number in bundle.share)
        for number in range(len(numbers))
    )
    back = tuple(tuple(len(kept) + place for place in places) for places in ways)
    return StorageRoutes(
        names=tuple(
            f"{_name(bundle, fabric, len(numbers))} {side} storage"
            for side in ("to", "from")
            for bundle in kept
        ),
        capacity_bytes_per_s=np.array([bundle.rate for bundle in kept] * 2),
        node_group=group,
        to_storage=ways,
        from_storage=back,
    )


def _switches(fabric: "Fabric", endpoint: int) -> Switches:
    return frozenset(port.switch for port in fabric.wiring.ports[endpoint])


def _bundles(fabric: "Fabric", groups: list[Switches]) -> list[_Bundle]:
    """Every bundle between the groups and the servers, in order of the smallest link."""
    servers = Counter(
        _switches(fabric, fabric.storage(server)) for server in range(fabric.storage_count)
    )
    paths = _Paths(fabric)
    sets = _DisjointSets()
    crossed: list[tuple[int, Links, float]] = []
    for number, start in enumerate(groups):
        at_distance: dict[tuple[int, str], int] = {}
        for end, count in servers.items():
            for distance, links in enumerate(paths.between(start, end)):
                first = min(links)
                sets.join_all(links)
                same = at_distance.setdefault((distance, fabric.link_kinds[first]), first)
                sets.join(same, first)
                crossed.append((number, links, count / fabric.storage_count))
    return _merged(fabric, sets, crossed)


def _merged(
    fabric: "Fabric", sets: "_DisjointSets", crossed: list[tuple[int, Links, float]]
) -> list[_Bundle]:
    members: dict[int, set[int]] = {}
    shares: dict[int, dict[int, float]] = {}
    for links in dict.fromkeys(links for _, links, _ in crossed):
        members.setdefault(sets.root(min(links)), set()).update(links)
    for number, links, share in crossed:
        by_group = shares.setdefault(sets.root(min(links)), {})
        by_group[number] = min(by_group.get(number, 0.0) + share, 1.0)
    return sorted(
        (
            _Bundle(
                frozenset(links),
                float(fabric.capacity_bytes_per_s[sorted(links)].sum()),
                shares[root],
            )
            for root, links in members.items()
        ),
        key=lambda bundle: min(bundle.links),
    )


def _binding(bundles: list[_Bundle], nic_rate: NDArray[np.float64]) -> list[_Bundle]:
    """Bundles that can be the bottleneck of some traffic, in order."""
    kept = [
        bundle
        for bundle in bundles
        if bundle.rate < nic_rate[sorted(bundle.share)].sum() * (1.0 - _SAME)
    ]
    for bundle in list(kept):
        others = [other for other in kept if other is not bundle]
        if any(
            bundle.share.keys() <= other.share.keys() and other.rate <= bundle.rate * (1.0 + _SAME)
            for other in others
        ):
            kept = others
    return kept


def _name(bundle: _Bundle, fabric: "Fabric", groups: int) -> str:
    """`leaf-spine of group 3`; without a group where all use it."""
    kinds = sorted({fabric.link_kinds[link] for link in bundle.links})
    users = ", ".join(str(group) for group in sorted(bundle.share))
    return " and ".join(kinds) + (f" of group {users}" if len(bundle.share) < groups else "")


class _Paths:
    """Links of all shortest paths, distance by distance; common parts are kept."""

    def __init__(self, fabric: "Fabric") -> None:
        self._router = fabric.wiring.router
        self._tail, self._head, self._link = self._router.links()
        self._down: dict[int, set[int]] = {}
        for server in range(fabric.storage_count):
            for port in fabric.wiring.ports[fabric.storage(server)]:
                self._down.setdefault(port.switch, set()).add(port.down)
        self._known: dict[tuple[Switches, int], tuple[Links, ...]] = {}

    def between(self, start: Switches, end: Switches) -> list[Links]:
        """Links from the nearest switches of `start` to those of `end`, then to the servers."""
        pairs = [
            (int(self._router.distance(there)[here]), here, there)
            for there in end
            for here in start
        ]
        nearest = min(pairs)[0]
        ways = [
            self._onward(
                frozenset(here for hops, here, end in pairs if (hops, end) == (nearest, there)),
                there,
            )
            for there in sorted({there for hops, _, there in pairs if hops == nearest})
        ]
        if len(ways) == 1:
            return list(ways[0])
        return [frozenset().union(*stages) for stages in zip(*ways, strict=True)]

    def _onward(self, at: Switches, target: int) -> tuple[Links, ...]:
        if at == {target}:
            return (frozenset(self._down[target]),)
        known = self._known.get((at, target))
        if known is None:
            distance = self._router.distance(target)
            first, last = (
                np.searchsorted(self._tail, sorted(at), side) for side in ("left", "right")
            )
            ways = np.concatenate([np.arange(*span) for span in zip(first, last, strict=True)])
            ways = ways[distance[self._head[ways]] == distance[next(iter(at))] - 1]
            links, heads = self._link[ways].tolist(), self._head[ways].tolist()
            known = (frozenset(links), *self._onward(frozenset(heads), target))
            self._known[at, target] = known
        return known


class _DisjointSets:
    """Union-find with path halving (Tarjan 1975); sets joined before cost nothing."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._joined: set[Links] = set()

    def root(self, item: int) -> int:
        """The representative of the set of `item`."""
        parent = self._parent
        parent.setdefault(item, item)
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def join(self, one: int, other: int) -> None:
        """Make one set of the sets of both."""
        self._parent[self.root(one)] = self.root(other)

    def join_all(self, items: Iterable[int]) -> None:
        """Make one set of all."""
        links = frozenset(items)
        if links not in self._joined:
            self._joined.add(links)
            first = min(links)
            for link in links:
                self.join(first, link)

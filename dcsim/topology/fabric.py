"""A fabric as frozen arrays: links, endpoints, routes and parts."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dcsim.records import Fault, InputError
from dcsim.topology.parts import Parts
from dcsim.topology.routing import UNREACHABLE, ByTarget, Choice, Hashed, Router

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A way between an endpoint and a switch: the link up, the link down (-1: none needed).

    `number` counts the ports of all switches, switch by switch; static routing goes by it.
    """

    switch: int
    up: int
    down: int
    number: int = 0


#: Ways that an endpoint has.
Ports = tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class Wiring:
    """What routing needs to know beyond the links.

    `ports[e]` are the attachments of endpoint e. `domain[a]` is the fast domain of
    accelerator a (-1 without one), `fast_up` and `fast_down` its links there; with `relay`
    an accelerator may send over the fast domain by a peer of its node that is nearer.
    `chips` are the accelerators that forward as switches, on a torus of these `sides`.
    """

    router: Router
    routing: str
    ports: tuple[Ports, ...]
    domain: Ints
    fast_up: Ints
    fast_down: Ints
    relay: bool
    chips: tuple[int, ...] = ()
    sides: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Fabric:
    """Links, endpoints and routing of one cluster.

    Links are one-directional; arrays over links have shape (n_links,). An endpoint is an
    accelerator, a host (one a node, using all its NICs) or a storage server, numbered in
    that order: accelerators 0 … n_accelerators-1 as they stand in the groups, then
    `host(k)` for node k, then `storage(s)`. `accelerator_node` maps each accelerator to
    its node, shape (n_accelerators,).
    """

    topology: str
    link_names: tuple[str, ...]
    link_kinds: tuple[str, ...]
    capacity_bytes_per_s: Floats
    latency_s: Floats
    accelerator_node: Ints
    node_names: tuple[str, ...]
    node_count: int
    storage_count: int
    wiring: Wiring = field(repr=False)
    parts: Parts = field(default_factory=Parts)

    @property
    def accelerator_count(self) -> int:
        """Number of accelerators."""
        return len(self.accelerator_node)

    def host(self, node: int) -> int:
        """Endpoint of the host of node `node`."""
        return self.accelerator_count + node

    def storage(self, server: int) -> int:
        """Endpoint of storage server `server`."""
        return self.accelerator_count + self.node_count + server

    def endpoint_name(self, endpoint: int) -> str:
        """A name for messages and drawings."""
        if endpoint < self.accelerator_count:
            return f"accelerator {endpoint} of {self.node_names[self.accelerator_node[endpoint]]}"
        node = endpoint - self.accelerator_count
        if node < self.node_count:
            return self.node_names[node]
        return f"storage-{node - self.node_count}"

    def route(self, source: int, target: int, seed: int = 0) -> Ints:
        """Links from endpoint `source` to endpoint `target`, in order, shape (hops,).

        One of the shortest paths: with `ecmp` routing the choice hashes (source, target,
        seed), with `static` it depends on the target alone. Accelerators of one fast
        domain use it. Raises InputError when no path is left.
        """
        if source == target:
            return np.zeros(0, dtype=np.int64)
        wiring = self.wiring
        if self.share_domain(source, target):
            return np.array([wiring.fast_up[source], wiring.fast_down[target]], dtype=np.int64)
        static = wiring.routing == "static"
        choice: Choice = ByTarget(target) if static else Hashed(source, target, seed)
        before, pairs, after = self.ways(source, target)
        here, there = pairs[choice.vertex(len(pairs))]
        if static:
            choice = ByTarget(there.number)
        between = wiring.router.path(here.switch, there.switch, choice)
        ends = [here.up, *between, there.down]
        return np.array([*before, *(link for link in ends if link >= 0), *after], dtype=np.int64)

    def spread(self, source: int, target: int) -> tuple[Ints, Floats]:
        """Links of all shortest paths and the share of a flow on each, shape (links,).

        What adaptive routing or spraying of packets comes to on average: every switch
        splits a flow evenly over its best cables. Raises InputError when no path is left.
        """
        if source == target or self.share_domain(source, target):
            links = self.route(source, target)
            return links, np.ones(len(links))
        before, pairs, after = self.ways(source, target)
        outside = np.array([*before, *after], dtype=np.int64)
        parts = [(outside, np.ones(len(outside)))]
        for here, there in pairs:
            between, part = self.wiring.router.spread(here.switch, there.switch)
            ends = np.array([link for link in (here.up, there.down) if link >= 0], dtype=np.int64)
            parts.append((between, part / len(pairs)))
            parts.append((ends, np.full(len(ends), 1.0 / len(pairs))))
        once, which = np.unique(np.concatenate([links for links, _ in parts]), return_inverse=True)
        total = np.zeros(len(once))
        np.add.at(total, which, np.concatenate([shares for _, shares in parts]))
        return once, total

    def share_domain(self, source: int, target: int) -> bool:
        """Whether both are accelerators of one fast domain."""
        domain = self.wiring.domain
        if max(source, target) >= self.accelerator_count:
            return False
        return bool(domain[source] == domain[target] >= 0)

    def ways(
        self, source: int, target: int
    ) -> tuple[list[int], list[tuple[Attachment, Attachment]], list[int]]:
        """Links before the switches, the equally near pairs of attachments, links after them.

        For endpoints that share no fast domain. Raises InputError when no path is left.
        """
        before, mine, theirs, after = self._way(source, target)
        _, pairs = self._shortest(mine, theirs)
        if not pairs:
            names = self.endpoint_name(source), self.endpoint_name(target)
            raise InputError(
                Fault(f"no path is left from {names[0]} to {names[1]}; repair a link or add one")
            )
        return before, pairs, after

    def _way(self, source: int, target: int) -> tuple[list[int], Ports, Ports, list[int]]:
        """Links before the switches, attachments to start and end from, links after them.

        Chips of a torus forward themselves. With `relay`, a path leads over the fast domain
        to or from a peer that is nearer.
        """
        wiring = self.wiring
        if wiring.chips and max(source, target) < self.accelerator_count:
            start = Attachment(wiring.chips[source], -1, -1)
            return [], (start,), (Attachment(wiring.chips[target], -1, -1, target),), []
        mine, theirs = wiring.ports[source], wiring.ports[target]
        if wiring.relay:
            hops = self._shortest(mine, theirs)[0]
            peer = self._nearest_peer(source, target)
            if self._shortest(wiring.ports[peer], theirs)[0] < hops:
                over = [int(wiring.fast_up[source]), int(wiring.fast_down[peer])]
                return over, wiring.ports[peer], theirs, []
            peer = self._nearest_peer(target, source)
            if self._shortest(mine, wiring.ports[peer])[0] < hops:
                over = [int(wiring.fast_up[peer]), int(wiring.fast_down[target])]
                return [], mine, wiring.ports[peer], over
        return [], mine, theirs, []

    def _nearest_peer(self, endpoint: int, other: int) -> int:
        """The accelerator in the endpoint's node, and fast domain, that is nearest to `other`.

        Several take turns by the other's own position, so that none of them is crowded.
        """
        if endpoint >= self.accelerator_count or self.wiring.domain[endpoint] < 0:
            return endpoint
        first, last = self._span(endpoint)
        start = other - self._span(other)[0] if other < self.accelerator_count else other
        ports, theirs = self.wiring.ports, self.wiring.ports[other]
        hops = [self._shortest(ports[peer], theirs)[0] for peer in range(first, last)]
        nearest = [first + peer for peer, far in enumerate(hops) if far == min(hops)]
        return nearest[start % len(nearest)]

    def _span(self, accelerator: int) -> tuple[int, int]:
        """First accelerator of a node and the one after its last."""
        node = self.accelerator_node[accelerator]
        first, last = np.searchsorted(self.accelerator_node, [node, node + 1])
        return int(first), int(last)

    def _shortest(
        self, mine: Ports, theirs: Ports
    ) -> tuple[int, list[tuple[Attachment, Attachment]]]:
        """Fewest hops between any two attachments, and the pairs that have it."""
        best = int(UNREACHABLE)
        pairs: list[tuple[Attachment, Attachment]] = []
        for there in theirs:
            distance = self.wiring.router.distance(there.switch)
            for here in mine:
                hops = int(distance[here.switch])
                if hops < best:
                    best, pairs = hops, []
                if hops == best < UNREACHABLE:
                    pairs.append((here, there))
        return best, pairs

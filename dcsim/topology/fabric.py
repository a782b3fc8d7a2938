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


@dataclass(frozen=True, slots=True)
class Wiring:
    """What routing needs to know beyond the links.

    `ports[e]` are the attachments of endpoint e. `domain[a]` is the fast domain of
    accelerator a (-1 without one), `fast_up` and `fast_down` its links there; with `relay`
    an accelerator may send over the fast domain by a peer of its node that is nearer.
    """

    router: Router
    routing: str
    ports: tuple[tuple[Attachment, ...], ...]
    domain: Ints
    fast_up: Ints
    fast_down: Ints
    relay: bool
    chips: tuple[int, ...] = ()


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
        wiring = self.wiring
        if source == target:
            return np.zeros(0, dtype=np.int64)
        choice: Choice = (
            ByTarget(target) if wiring.routing == "static" else Hashed(source, target, seed)
        )
        accelerators = self.accelerator_count
        if (
            max(source, target) < accelerators
            and wiring.domain[source] == wiring.domain[target] >= 0
        ):
            return np.array([wiring.fast_up[source], wiring.fast_down[target]], dtype=np.int64)
        if wiring.chips and max(source, target) < accelerators:
            hop = self._between(
                (Attachment(wiring.chips[source], -1, -1),),
                (Attachment(wiring.chips[target], -1, -1, target),),
                choice,
            )
        else:
            hop = self._switched(source, target, choice)
        if hop is None:
            raise InputError(
                Fault(
                    f"no path is left from {self.endpoint_name(source)} to "
                    f"{self.endpoint_name(target)}; repair a link or add one"
                )
            )
        return np.array(hop, dtype=np.int64)

    def _switched(self, source: int, target: int, choice: Choice) -> list[int] | None:
        """A path through NICs, over a fast domain to or from the right rail where allowed."""
        wiring = self.wiring
        mine, theirs = wiring.ports[source], wiring.ports[target]
        if not wiring.relay:
            return self._between(mine, theirs, choice)
        hops = self._shortest(mine, theirs)[0]
        for peer in self._peers(source):
            if self._shortest(wiring.ports[peer], theirs)[0] < hops:
                path = self._between(wiring.ports[peer], theirs, choice) or []
                return [int(wiring.fast_up[source]), int(wiring.fast_down[peer]), *path]
        for peer in self._peers(target):
            if self._shortest(mine, wiring.ports[peer])[0] < hops:
                path = self._between(mine, wiring.ports[peer], choice) or []
                return [*path, int(wiring.fast_up[peer]), int(wiring.fast_down[target])]
        return self._between(mine, theirs, choice)

    def _peers(self, endpoint: int) -> range:
        """The accelerators of the endpoint's node, where they share a fast domain with it."""
        if endpoint >= self.accelerator_count or self.wiring.domain[endpoint] < 0:
            return range(0)
        node = self.accelerator_node[endpoint]
        first, last = np.searchsorted(self.accelerator_node, [node, node + 1])
        return range(int(first), int(last))

    def _shortest(
        self, mine: tuple[Attachment, ...], theirs: tuple[Attachment, ...]
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

    def _between(
        self, mine: tuple[Attachment, ...], theirs: tuple[Attachment, ...], choice: Choice
    ) -> list[int] | None:
        _, pairs = self._shortest(mine, theirs)
        if not pairs:
            return None
        here, there = pairs[choice.vertex(len(pairs))]
        if self.wiring.routing == "static":
            choice = ByTarget(there.number)
        links = self.wiring.router.path(here.switch, there.switch, choice)
        return [link for link in (here.up, *links, there.down) if link >= 0]

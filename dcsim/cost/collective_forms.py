"""Closed forms of collectives by algorithm: ring, double tree, in-switch, hierarchical.

A collective loads the fast links inside its domains and the network between them, all
pipelined: what the slower of both takes, and a start-up for the hops on the critical path.
Thakur, Rabenseifner and Gropp 2005 (volumes); Patarasuk and Yuan 2009 (ring); Sanders,
Speck and Traeff 2009 (double binary tree); Klenk et al. 2020 (reduction in the switch: a
link carries 1 + 1/n of the buffer each way). Sizes follow the NCCL tests: the whole buffer,
the gathered one of an all-gather, all that one rank sends in an all-to-all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: Algorithms that are tried for each collective when none is asked for.
AUTOMATIC: Mapping[str, tuple[str, ...]] = {
    "all_reduce": ("ring", "tree", "in-switch"),
    "all_gather": ("ring",),
    "reduce_scatter": ("ring",),
    "all_to_all": ("direct",),
    "broadcast": ("ring",),
    "p2p": ("direct",),
}

#: Ranks of a domain from which on NCCL lets the switch reduce.
IN_SWITCH_FROM = 5


@dataclass(frozen=True, slots=True)
class StartUp:
    """What a collective needs beside the bytes, alike on all systems.

    Times of any launch, of a hop on the critical path in the fast domain (`hop_s` of a
    ring, `chain_hop_s` of a tree) and of a reduction in the switch, alone and below a tree.
    Below a tree, payloads well under `small_bytes` need only `small_share` of it, by a
    protocol of low latency. `bend` below 1 lets start-up and bytes overlap badly at middle
    sizes, where protocols change: time = (startup^bend + bytes^bend)^(1/bend); `overlap`
    does the same for fast links and network, which overlap well.
    """

    base_s: float = 0.0
    hop_s: float = 0.0
    chain_hop_s: float = 0.0
    switch_s: float = 0.0
    switch_tree_s: float = 0.0
    small_share: float = 1.0
    small_bytes: float = 65536.0
    bend: float = 1.0
    switch_bend: float = 1.0
    overlap: float = np.inf


@dataclass(frozen=True, slots=True)
class Shares:
    """Attainable shares of line rate and the time of a hop; arrays of shape (rows,).

    `ring` and `in_switch` of the fast links (0 where the switch does not reduce),
    `net_ring` and `net_tree` of the network, whose hop takes `net_hop_s`.
    """

    ring: ArrayLike = 1.0
    in_switch: ArrayLike = 0.0
    net_ring: ArrayLike = 1.0
    net_tree: ArrayLike = 1.0
    net_hop_s: ArrayLike = 0.0


@dataclass(frozen=True, slots=True)
class Span:
    """How a group of ranks lies on the tiers; arrays of shape (tiers, rows), innermost first.

    `members` counts the ranks that one unit of a tier holds, `bytes_per_s` is what each of
    them can send there. The first tier is the fast domain (one rank where there is none).
    """

    members: Floats
    bytes_per_s: Floats

    @property
    def ranks(self) -> Floats:
        """All ranks of the group."""
        return np.asarray(self.members[-1])

    @property
    def width(self) -> Floats:
        """Ranks of one fast domain."""
        return np.asarray(self.members[0])

    @property
    def domains(self) -> Floats:
        """Fast domains that the group spans."""
        return np.asarray(np.ceil(self.ranks / self.width))


@dataclass(frozen=True, slots=True)
class Load:
    """Ideal seconds of bytes on fast links and network, and hops on the critical path."""

    size_bytes: Floats
    fast_s: Floats
    net_s: Floats
    fast_hops: Floats
    net_hops: Floats


def load(kind: str, algorithm: str, size_bytes: ArrayLike, span: Span) -> Load:
    """What a collective asks of the links at line rate, shape (rows,); ValueError if unknown."""
    size = np.asarray(size_bytes, dtype=np.float64)
    n, m, domains = span.ranks, span.width, span.domains
    inside = np.where(domains > 1.0, (m - 1.0) / m, 1.0)
    passes = 2.0 if kind == "all_reduce" else 1.0
    volume = passes * (n - 1.0) / n * size
    once = np.log2(np.maximum(domains, 1.0))
    if (kind, algorithm) in (("all_to_all", "direct"), ("p2p", "direct")):
        return _direct(kind, size, span)
    if algorithm == "ring":
        volume = size if kind == "broadcast" else volume
        fast_hops = passes * np.where(domains > 1.0, n - domains, n - 1.0)
        net_hops = passes * np.where(domains > 1.0, domains, 0.0)
        return Load(
            size, volume * inside / span.bytes_per_s[0], _across(volume, span), fast_hops, net_hops
        )
    if kind != "all_reduce":
        raise ValueError(f"there is no {kind} by {algorithm}")
    if algorithm == "hierarchical":
        across = 2.0 * size * (domains - 1.0) / domains
        fast = 2.0 * size * (m - 1.0) / m / span.bytes_per_s[0]
        return Load(size, fast, _across(across, span), 2.0 * (m - 1.0), 2.0 * (domains - 1.0))
    trees = _across(size, span, by_trees=True)
    if algorithm == "tree":
        fast = 2.0 * size * (m - 1.0) / m / span.bytes_per_s[0]
        return Load(size, fast, trees, 2.0 * (m - 1.0), 2.0 * once)
    if algorithm == "in-switch":
        fast = size * (1.0 + 1.0 / m) / span.bytes_per_s[0]
        return Load(size, fast, trees, np.zeros_like(once), 2.0 * once)
    raise ValueError(f"there is no {kind} by {algorithm}")


def _across(volume: Floats, span: Span, by_trees: bool = False) -> Floats:
    """Slowest tier above the fast domain: a unit passes the volume on over all its links.

    Between two units a double tree moves the buffer once each way, else twice: an inner
    vertex of one tree is a leaf of the other.
    """
    seconds = np.zeros(np.broadcast(volume, span.ranks).shape)
    for below, members, rate in zip(
        span.members[:-1], span.members[1:], span.bytes_per_s[1:], strict=True
    ):
        units = span.ranks / below
        times = np.where(units > 2.0, 2.0, 1.0) if by_trees else 1.0
        seconds = np.where(
            members > below, np.maximum(seconds, times * volume / (rate * below)), seconds
        )
    return seconds


def _direct(kind: str, size: Floats, span: Span) -> Load:
    n, m = span.ranks, span.width
    if kind == "p2p":
        far = n > m
        fast = np.where(far, 0.0, size / span.bytes_per_s[0])
        net = np.where(far, size / span.bytes_per_s[-1], 0.0)
        return Load(size, fast, net, np.where(far, 0.0, 1.0), np.where(far, 1.0, 0.0))
    fast = size * (m - 1.0) / n / span.bytes_per_s[0]
    net = np.zeros(np.broadcast(size, n).shape)
    for below, members, rate in zip(
        span.members[:-1], span.members[1:], span.bytes_per_s[1:], strict=True
    ):
        net = np.where(members > below, np.maximum(net, size * (n - below) / n / rate), net)
    return Load(size, fast, net, np.log2(m + 1.0), np.where(n > m, np.log2(n / m + 1.0), 0.0))


def seconds(algorithm: str, loaded: Load, span: Span, shares: Shares, start: StartUp) -> Floats:
    """Time of a collective from its load, shape (rows,); inf where the algorithm cannot run."""
    trees = algorithm in ("tree", "in-switch")
    across = span.domains > 1.0
    if algorithm == "in-switch":
        efficiency = np.asarray(shares.in_switch, dtype=np.float64)
        bend = start.switch_bend
        fast_start = np.where(across, start.switch_tree_s, start.switch_s)
        possible = (efficiency > 0.0) & (span.width >= IN_SWITCH_FROM)
    else:
        efficiency = np.asarray(shares.ring, dtype=np.float64)
        bend = start.bend
        fast_start = loaded.fast_hops * (start.chain_hop_s if trees else start.hop_s)
        possible = np.ones_like(fast_start, dtype=bool)
    if trees:
        large = loaded.size_bytes / (loaded.size_bytes + start.small_bytes)
        part = start.small_share + (1.0 - start.small_share) * large
        fast_start = np.where(across, fast_start * part, fast_start)
    net_share = np.asarray(shares.net_tree if trees else shares.net_ring, dtype=np.float64)
    with np.errstate(divide="ignore"):
        fast = _bent(fast_start, loaded.fast_s / efficiency, bend) - fast_start
    net_start = loaded.net_hops * np.asarray(shares.net_hop_s, dtype=np.float64)
    together = _bent(fast, loaded.net_s / net_share, start.overlap)
    total = start.base_s + fast_start + net_start + together
    return np.where(possible, np.where(span.ranks > 1.0, total, 0.0), np.inf)


def _bent(one: Floats, other: Floats, power: float) -> Floats:
    """(one^p + other^p)^(1/p), the larger of both for an infinite p; no overflow."""
    larger, smaller = np.maximum(one, other), np.minimum(one, other)
    if not np.isfinite(power):
        return larger
    ratio = np.divide(
        smaller, larger, out=np.zeros_like(larger), where=(larger > 0) & (larger < np.inf)
    )
    return np.asarray(larger * (1.0 + ratio**power) ** (1.0 / power))


def best(
    kind: str, size_bytes: ArrayLike, span: Span, shares: Shares, start: StartUp
) -> tuple[Floats, NDArray[np.str_]]:
    """Time by the fastest algorithm and its name, shape (rows,); trees only across domains."""
    names = AUTOMATIC[kind]
    times = np.array(
        [seconds(name, load(kind, name, size_bytes, span), span, shares, start) for name in names]
    )
    if "tree" in names:
        row = names.index("tree")
        times[row] = np.where(span.domains > 1.0, times[row], np.inf)
    which = np.argmin(times, axis=0)
    return np.take_along_axis(times, which[None], axis=0)[0], np.array(names)[which]

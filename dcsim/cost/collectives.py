"""Time of one collective over nested tiers of a network, for many groups at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: What `collective_time` knows; sizes follow the conventions of the NCCL tests.
KINDS: tuple[str, ...] = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all", "p2p")


@dataclass(frozen=True, slots=True)
class CollectiveParameters:
    """How far real transfers fall short of the wire.

    `efficiency` holds the attainable share of a tier's bandwidth, first for the innermost
    tier, then for all others; `step_s` the software time of one step of a ring or tree.
    """

    efficiency: tuple[ArrayLike, ArrayLike] = (0.8, 0.8)
    step_s: ArrayLike = 4e-6


def collective_time(
    kind: str,
    size_bytes: ArrayLike,
    group_size: ArrayLike,
    group_stride: ArrayLike,
    tier_size: Floats,
    tier_bytes_per_s: Floats,
    tier_latency_s: Floats,
    tier_reduces: NDArray[np.bool_],
    parameters: CollectiveParameters,
) -> Floats:
    """Seconds of one collective of `kind`; shape: the broadcast of the arguments.

    `size_bytes` is the whole buffer (the gathered result of an all-gather, the input of
    a reduce-scatter, what one rank sends in an all-to-all or to its peer). Ranks of a
    group lie `group_stride` apart, so that a tier of S accelerators holds
    S / stride of them. Tier arrays have shape (tiers, n) or (tiers, 1), innermost first.

    A ring moves (p−1)/p of the buffer past every rank, twice for an all-reduce; each
    tier carries it over the links of all group members inside one unit of the tier
    below, and the slowest tier sets the pace (Thakur, Rabenseifner and Gropp 2005;
    Patarasuk and Yuan 2009). Where the switches of the innermost tier reduce, an
    all-reduce inside it moves the buffer once. An all-to-all sends (p−m)/p of the buffer
    out of a unit with m members, each through its own link.
    """
    size = np.asarray(size_bytes, dtype=float)
    group = np.asarray(group_size, dtype=float)
    stride = np.asarray(group_stride, dtype=float)
    tiers = (tier_size, tier_bytes_per_s, tier_latency_s)
    if kind == "p2p":
        return _point_to_point(size, group, stride, *tiers, parameters)
    if kind == "all_to_all":
        return _all_to_all(size, group, stride, *tiers, parameters)
    passes = 2.0 if kind == "all_reduce" else 1.0
    moved = size * (group - 1.0) / np.maximum(group, 1.0)
    seconds: Floats = np.zeros(np.broadcast(size, group, stride, tier_size[0]).shape)
    latency = seconds
    below: Floats = np.ones_like(seconds)
    for i, rate in enumerate(_rates(tier_bytes_per_s, parameters)):
        members = np.clip(np.floor(tier_size[i] / stride), 1.0, group)
        crosses = members > below
        here = passes * moved / (rate * np.maximum(below, 1.0))
        if kind == "all_reduce" and i == 0:
            once = tier_reduces[i] & (members >= group) & (group > _RING_BEATS_SWITCH)
            here = np.where(once, size / rate, here)
        seconds = np.where(crosses, np.maximum(seconds, here), seconds)
        hops = _steps(members / below, inner=i == 0)
        latency = latency + passes * hops * (tier_latency_s[i] + parameters.step_s)
        below = members
    return np.where(group > 1.0, seconds + latency, 0.0)


#: Up to here a ring is as fast as a switch that reduces (NCCL on NVSwitch).
_RING_BEATS_SWITCH = 4.0


def _rates(tier_bytes_per_s: Floats, parameters: CollectiveParameters) -> list[Floats]:
    inner, outer = parameters.efficiency
    return [
        np.asarray(rate * (inner if i == 0 else outer)) for i, rate in enumerate(tier_bytes_per_s)
    ]


def _steps(ratio: Floats, inner: bool) -> Floats:
    """Steps on the critical path: a ring inside the fast domain, a tree across."""
    return ratio - 1.0 if inner else 2.0 * np.log2(np.maximum(ratio, 1.0))


def _all_to_all(
    size: Floats,
    group: Floats,
    stride: Floats,
    tier_size: Floats,
    tier_bytes_per_s: Floats,
    tier_latency_s: Floats,
    parameters: CollectiveParameters,
) -> Floats:
    seconds: Floats = np.zeros(np.broadcast(size, group, stride, tier_size[0]).shape)
    latency = seconds
    below: Floats = np.ones_like(seconds)
    for i, rate in enumerate(_rates(tier_bytes_per_s, parameters)):
        members = np.clip(np.floor(tier_size[i] / stride), 1.0, group)
        here = size * (group - below) / np.maximum(group, 1.0) / rate
        seconds = np.where(members > below, np.maximum(seconds, here), seconds)
        latency = latency + np.where(
            members > below, tier_latency_s[i] + parameters.step_s * np.log2(1.0 + members), 0.0
        )
        below = members
    return np.where(group > 1.0, seconds + latency, 0.0)


def _point_to_point(
    size: Floats,
    group: Floats,
    stride: Floats,
    tier_size: Floats,
    tier_bytes_per_s: Floats,
    tier_latency_s: Floats,
    parameters: CollectiveParameters,
) -> Floats:
    """Between neighbours of a group: over the innermost tier that holds both."""
    rates = _rates(tier_bytes_per_s, parameters)
    last = len(rates) - 1
    seconds = size / rates[last] + tier_latency_s[last]
    for i in range(last - 1, -1, -1):
        inside = 2.0 * stride <= tier_size[i]
        seconds = np.where(inside, size / rates[i] + tier_latency_s[i], seconds)
    return np.where(group > 1.0, seconds + parameters.step_s, 0.0)

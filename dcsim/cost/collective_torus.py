"""Closed forms of collectives on a torus, whose chips forward for each other.

Reduce-scatter and all-gather go around one dimension after the other, both ways at once
(the bucket algorithm; Barnett et al. 1993, "Global combine on mesh architectures"). The
buffer is split over the orders of the dimensions, so that all links of a chip are busy
all the time. An all-to-all takes the shorter way in each dimension and is bound by how
far its bytes travel; a broadcast spreads dimension by dimension, half of it each way
around. `cost.collective_forms.seconds` adds start-up and attainable shares, as everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcsim.cost.collective_forms import Load

Floats = NDArray[np.float64]

#: Algorithm of each collective on a torus.
ON_TORUS = {
    "all_reduce": "bucket",
    "all_gather": "bucket",
    "reduce_scatter": "bucket",
    "all_to_all": "direct",
    "broadcast": "bucket",
    "p2p": "direct",
}


def ways_of(side: int) -> int:
    """Links of a chip in a dimension: both ways around, one where both end at one neighbour."""
    return min(side - 1, 2)


@dataclass(frozen=True, slots=True)
class Bucket:
    """How the buffer is split: orders of the dimensions longer than one, and the share of each."""

    orders: tuple[tuple[int, ...], ...]
    shares: tuple[float, ...]


def passed(sides: Sequence[int], order: Sequence[int]) -> Floats:
    """Share of the buffer that a chip passes on in each dimension, shape (dimensions,).

    Before dimension k of side s, 1 / (sides gone before) of the buffer is left to a chip,
    and it passes on (s - 1) / s of that.
    """
    out, left = np.zeros(len(sides)), 1.0
    for dimension in order:
        side = sides[dimension]
        out[dimension] = left * (side - 1) / side
        left /= side
    return out


@cache
def bucket(sides: tuple[int, ...]) -> Bucket:
    """The split whose busiest link carries least: a linear programme over all orders."""
    from scipy.optimize import linprog

    used = [dimension for dimension, side in enumerate(sides) if side > 1]
    orders = tuple(permutations(used))
    ways = np.array([ways_of(sides[d]) for d in used], dtype=float)
    loads = np.array([passed(sides, order)[used] / ways for order in orders])
    count = len(orders)
    found = linprog(
        np.append(np.zeros(count), 1.0),
        A_ub=np.column_stack([loads.T, -np.ones(len(used))]),
        b_ub=np.zeros(len(used)),
        A_eq=np.append(np.ones(count), 0.0)[None],
        b_eq=[1.0],
    )
    return Bucket(orders, tuple(found.x[:count].tolist()))


def torus_load(
    kind: str, size_bytes: ArrayLike, sides: Sequence[int], link_bytes_per_s: float
) -> Load:
    """What a collective among all chips asks of a torus at line rate; arrays of shape (rows,).

    `link_bytes_per_s` is one link's rate each way. A torus counts as network, one chip a
    domain. ValueError for an unknown collective.
    """
    size = np.atleast_1d(np.asarray(size_bytes, dtype=np.float64))
    if kind not in ON_TORUS:
        raise ValueError(f"there is no {kind} on a torus")
    around = float(sum(side - 1 for side in sides))
    used = [side for side in sides if side > 1]
    passes, hops, share = 1.0, around, 0.0
    if kind == "all_to_all":
        share, hops = max(mean_hops(s) / ways_of(s) for s in used), sum(s // 2 for s in used)
    elif kind == "p2p":
        share, hops = 1.0, 1.0
    elif kind == "broadcast":
        share = 1.0 / min(ways_of(side) for side in used)
    else:
        passes = 2.0 if kind == "all_reduce" else 1.0
        split = bucket(tuple(sides))
        loads = [w * passed(sides, o) for o, w in zip(split.orders, split.shares, strict=True)]
        ways = np.array([max(ways_of(side), 1) for side in sides])
        share = float((np.sum(loads, axis=0) / ways).max())
    none = np.zeros_like(size)
    seconds = passes * share * size / link_bytes_per_s
    return Load(size, none, seconds, none, np.full_like(size, passes * hops))


def mean_hops(side: int) -> float:
    """Mean distance around one dimension to a chip drawn from all: about a quarter of it."""
    return sum(min(step, side - step) for step in range(side)) / side

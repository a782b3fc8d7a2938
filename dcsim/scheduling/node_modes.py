"""Placing gangs on nodes of equal size by a chosen rule, for compiled passes.

`BEST_FIT` is the reference rule of `node_fit`; `PACK` takes whatever is free on the
lowest-numbered nodes; `SPREAD` takes as evenly as possible from all nodes. They equal the
functions of those names in `placement`. One node stands for a pool, where any free
accelerators will do.
"""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.node_fit import fits, place, take

Ints = NDArray[np.int64]

BEST_FIT, PACK, SPREAD = 0, 1, 2


@kernel()
def can_place(free: Ints, level: Ints, need: int, mode: int) -> bool:
    """Whether a job of `need` accelerators could be placed now."""
    if free.size == 1:
        return free[0] >= need
    if mode == BEST_FIT:
        return fits(level, need)
    total = 0
    for units in range(1, level.size):
        total += units * level[units]
    return total >= need


@kernel()
def even_level(free: Ints, need: int) -> int:
    """The largest whole number that may be taken from every node without exceeding `need`."""
    low, high = 0, free.max()
    while low < high:
        middle = (low + high + 1) // 2
        if np.minimum(free, middle).sum() <= need:
            low = middle
        else:
            high = middle - 1
    return low


@kernel()
def place_by(
    free: Ints, level: Ints, need: int, mode: int, nodes: Ints, counts: Ints, first: int
) -> int:
    """Place a job that `can_place`; writes nodes and counts from `first`, returns the end."""
    if free.size == 1:
        take(free, level, 0, need)
        nodes[first], counts[first] = 0, need
        return first + 1
    if mode == BEST_FIT:
        return place(free, level, need, nodes, counts, first)
    end = first
    even = even_level(free, need) if mode == SPREAD else 0
    rest = need - np.minimum(free, even).sum() if mode == SPREAD else need
    for node in range(free.size):
        here = min(free[node], even)
        if rest > 0 and free[node] > here:
            more = 1 if mode == SPREAD else min(rest, free[node])
            here += more
            rest -= more
        if here > 0:
            take(free, level, node, here)
            nodes[end], counts[end] = node, here
            end += 1
    return end

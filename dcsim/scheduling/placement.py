"""Where a gang goes among the nodes of one pool, all of equal size."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def best_fit(free: Ints, capacity: Ints, accelerators: int) -> tuple[Ints, Ints] | None:
    """As few and as full nodes as possible: the `fcfs_nodes` rule of the reference cases.

    A job of at most a node's size sits on one node, the fullest that fits (ties: lowest
    index). A larger one takes wholly free nodes (lowest indices) and, for the remainder,
    one more by the same rule.
    """
    size = int(capacity.max(initial=0))
    if size == 0:
        return None
    whole, rest = divmod(accelerators, size)
    empty = np.flatnonzero(free == size)[:whole]
    if empty.size < whole:
        return None
    if rest == 0:
        return empty, np.full(whole, size, dtype=np.int64)
    room = free.copy()
    room[empty] = 0
    left = np.where(room >= rest, room - rest, size)
    tightest = int(np.argmin(left))
    if left[tightest] == size:
        return None
    counts = np.full(whole + 1, size, dtype=np.int64)
    counts[-1] = rest
    return np.append(empty, tightest), counts


def pack(free: Ints, capacity: Ints, accelerators: int) -> tuple[Ints, Ints] | None:
    """Whatever is free on the lowest-numbered nodes: neighbours share their switches."""
    upto = np.cumsum(free)
    if free.size == 0 or upto[-1] < accelerators:
        return None
    counts = np.clip(accelerators - (upto - free), 0, free)
    nodes = np.flatnonzero(counts)
    return nodes, counts[nodes]


def spread(free: Ints, capacity: Ints, accelerators: int) -> tuple[Ints, Ints] | None:
    """As evenly as possible over all nodes with something free, lowest indices first."""
    if free.sum() < accelerators:
        return None
    level = 0
    while np.minimum(free, level + 1).sum() <= accelerators:
        level += 1
        if level == free.max():
            break
    counts = np.minimum(free, level)
    rest = accelerators - int(counts.sum())
    counts[np.flatnonzero(free > level)[:rest]] += 1
    nodes = np.flatnonzero(counts)
    return nodes, counts[nodes]

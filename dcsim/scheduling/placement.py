"""Where a gang goes among the nodes of one pool, all of equal size."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcsim.scheduling.protocol import Placement

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


def racks(rack_nodes: int) -> Placement:
    """Pack into as few racks (or rails' leaves) of `rack_nodes` neighbouring nodes as possible.

    A job that fits into one rack goes into the one with least room left for it (ties: the
    lowest); a larger one takes the racks with most room first. Within a rack nodes are packed.
    """

    def place(free: Ints, capacity: Ints, accelerators: int) -> tuple[Ints, Ints] | None:
        if free.sum() < accelerators:
            return None
        rack = np.arange(len(free)) // rack_nodes
        room = np.bincount(rack, weights=free).astype(np.int64)
        fits = np.flatnonzero(room >= accelerators)
        if fits.size:
            order = fits[[np.argmin(room[fits])]]
        else:
            order = np.argsort(-room, kind="stable")
        rank = np.full(len(room), len(room))
        rank[order] = np.arange(len(order))
        nodes = np.argsort(rank[rack], kind="stable")
        found = pack(np.where(rank[rack] < len(room), free, 0)[nodes], capacity, accelerators)
        if found is None:
            return None
        chosen, counts = nodes[found[0]], found[1]
        sorting = np.argsort(chosen)
        return chosen[sorting], counts[sorting]

    return place


def fragmentation_aware(sizes: Sequence[int]) -> Placement:
    """Fragmentation gradient descent (FGD; Weng et al., USENIX ATC 2023) for whole accelerators.

    A node's fragmentation is what an average job of `sizes` (the workload's) could not use
    of its free accelerators. A job goes where the sum grows least (ties: the fullest, then
    the lowest); one larger than a node takes wholly free nodes and so places its remainder.
    """
    kinds, seen = np.unique(np.asarray(sizes, dtype=np.int64), return_counts=True)
    share = seen / max(len(sizes), 1)

    def place(free: Ints, capacity: Ints, accelerators: int) -> tuple[Ints, Ints] | None:
        size = int(capacity.max(initial=0))
        if size == 0:
            return None
        units = np.arange(size + 1)
        useless = units[:, np.newaxis] < np.minimum(kinds, size)
        loss = units * (useless * share).sum(axis=1)
        whole, rest = divmod(accelerators, size)
        empty = np.flatnonzero(free == size)[:whole]
        if empty.size < whole:
            return None
        if rest == 0:
            return empty, np.full(whole, size, dtype=np.int64)
        room = free.copy()
        room[empty] = 0
        able = np.flatnonzero(room >= rest)
        if not able.size:
            return None
        grows = np.round(loss[room[able] - rest] - loss[room[able]], 12)
        best = able[np.lexsort((able, room[able], grows))[0]]
        counts = np.full(whole + 1, size, dtype=np.int64)
        counts[-1] = rest
        return np.append(empty, best), counts

    return place

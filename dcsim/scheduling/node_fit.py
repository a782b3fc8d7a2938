"""Placing gangs on nodes of equal size by the `fcfs_nodes` rule.

A job of at most a node's size sits on one node, the fullest that fits (ties: lowest index);
a larger one takes wholly free nodes (lowest indices) and, for the remainder, one more by the
same best fit. `free[i]` counts node i's free accelerators, `level[f]` the nodes with f free.
"""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel

Ints = NDArray[np.int64]


@kernel("b1(i8[::1], i8)")
def fits(level: Ints, need: int) -> bool:
    """Whether a job of `need` accelerators could be placed now."""
    size = level.size - 1
    whole, rest = need // size, need % size
    if level[size] < whole:
        return False
    if rest == 0:
        return True
    others = -whole
    for units in range(rest, size + 1):
        others += level[units]
    return others > 0


@kernel("void(i8[::1], i8[::1], i8, i8)")
def take(free: Ints, level: Ints, node: int, units: int) -> None:
    """Take `units` (negative: give back) accelerators of one node."""
    level[free[node]] -= 1
    free[node] -= units
    level[free[node]] += 1


@kernel("i8(i8[::1], i8[::1], i8)")
def best_fit(free: Ints, level: Ints, need: int) -> int:
    """The fullest node with `need` free, lowest index first; -1 if there is none."""
    for units in range(need, level.size):
        if level[units] > 0:
            for node in range(free.size):
                if free[node] == units:
                    return node
    return -1


@kernel("i8(i8[::1], i8[::1], i8, i8[::1], i8[::1], i8)")
def place(free: Ints, level: Ints, need: int, nodes: Ints, counts: Ints, first: int) -> int:
    """Place a job that `fits`; writes its nodes and counts from `first`, returns the end."""
    size = level.size - 1
    node = 0
    end = first
    for _ in range(need // size):
        while free[node] != size:
            node += 1
        take(free, level, node, size)
        nodes[end], counts[end] = node, size
        end += 1
    rest = need % size
    if rest > 0:
        node = best_fit(free, level, rest)
        take(free, level, node, rest)
        nodes[end], counts[end] = node, rest
        end += 1
    return end


@kernel("void(i8[::1], i8[::1], i8[::1], i8[::1], i8, i8)")
def release(free: Ints, level: Ints, nodes: Ints, counts: Ints, first: int, end: int) -> None:
    """Give back what `place` wrote between `first` and `end`."""
    for i in range(first, end):
        take(free, level, nodes[i], -counts[i])

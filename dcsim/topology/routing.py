"""Shortest paths between switches, one of several equal ones chosen by hash or by rule."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

#: Chooses one of `count` equal next hops.
Choose = Callable[[int], int]

UNREACHABLE = np.iinfo(np.int32).max
_MASK = (1 << 64) - 1


def mix(value: int) -> int:
    """A well-spread 64-bit hash of an integer (SplitMix64; Steele et al. 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def hashed(source: int, target: int, seed: int) -> Choose:
    """ECMP: the choice at every hop follows from a hash of the pair and the seed."""
    state = mix(mix(source) ^ mix(target + (1 << 32)) ^ mix(seed + (1 << 48)))

    def choose(count: int) -> int:
        nonlocal state
        if count == 1:
            return 0
        state = mix(state)
        return state % count

    return choose


def by_target(target: int) -> Choose:
    """Static routing: the digits of the target number, one for each hop with a choice.

    In a fat tree this is the d-mod-k routing of InfiniBand: flows to one target share
    their way down, flows to different targets are spread evenly.
    """
    digits = target

    def choose(count: int) -> int:
        nonlocal digits
        digits, digit = divmod(digits, count)
        return digit

    return choose


class Router:
    """Shortest paths over the directed links between switches; distances are kept.

    `tail`, `head` and `link` have shape (n_trunks,): a link goes from switch to switch.
    """

    def __init__(self, switches: int, tail: Ints, head: Ints, link: Ints) -> None:
        order = np.argsort(tail, kind="stable")
        self._tail, self._head, self._link = tail[order], head[order], link[order]
        self._first = np.searchsorted(self._tail, np.arange(switches + 1))
        self._distance: dict[int, Ints] = {}
        self._next: dict[tuple[int, int], tuple[list[int], list[int]]] = {}

    def distance(self, target: int) -> Ints:
        """Hops from every switch to `target`, shape (n_switches,); UNREACHABLE without a path."""
        known = self._distance.get(target)
        if known is None:
            known = np.full(len(self._first) - 1, UNREACHABLE, dtype=np.int64)
            known[target] = 0
            hops = 0
            while True:
                reached = self._tail[known[self._head] == hops]
                reached = reached[known[reached] == UNREACHABLE]
                if not len(reached):
                    break
                hops += 1
                known[reached] = hops
            self._distance[target] = known
        return known

    def path(self, source: int, target: int, choose: Choose) -> list[int]:
        """Links of a shortest path; the switches must be connected."""
        links: list[int] = []
        at = source
        while at != target:
            ways, heads = self.ways(at, target)
            pick = choose(len(ways))
            links.append(ways[pick])
            at = heads[pick]
        return links

    def ways(self, at: int, target: int) -> tuple[list[int], list[int]]:
        """Links from `at` that come nearer to `target`, and where they lead."""
        known = self._next.get((at, target))
        if known is None:
            distance = self.distance(target)
            span = slice(self._first[at], self._first[at + 1])
            nearer = distance[self._head[span]] == distance[at] - 1
            known = self._link[span][nearer].tolist(), self._head[span][nearer].tolist()
            self._next[at, target] = known
        return known

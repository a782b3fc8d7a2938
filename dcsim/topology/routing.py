"""Shortest paths between switches, one of several equal ones chosen by hash or by rule."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNREACHABLE = np.iinfo(np.int32).max
_MASK = (1 << 64) - 1


def mix(value: int) -> int:
    """A well-spread 64-bit hash of an integer (SplitMix64; Steele et al. 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


class Choice(Protocol):
    """Chooses among equal ways, hop after hop along one path."""

    def vertex(self, count: int) -> int:
        """Which of `count` next switches (or pairs of attachments) to take."""

    def cable(self, count: int) -> int:
        """Which of `count` parallel cables to the next switch to take."""


class Hashed:
    """ECMP: every choice follows from a hash of source, target and seed."""

    def __init__(self, source: int, target: int, seed: int) -> None:
        self._state = mix(mix(source) ^ mix(target + (1 << 32)) ^ mix(seed + (1 << 48)))

    def vertex(self, count: int) -> int:
        """Which of `count` next switches to take."""
        if count == 1:
            return 0
        self._state = mix(self._state)
        return self._state % count

    cable = vertex


class ByTarget:
    """Static routing by the digits of the target's number, one for each switch chosen.

    In a fat tree this is the d-mod-k routing of InfiniBand (Zahavi 2011): flows to one
    target share their way down, flows to different targets are spread evenly. Parallel
    cables are told apart by the next digit, which stays: so they are even both ways.
    """

    def __init__(self, target: int) -> None:
        self._digits = target

    def vertex(self, count: int) -> int:
        """Which of `count` next switches to take."""
        self._digits, digit = divmod(self._digits, count)
        return digit

    def cable(self, count: int) -> int:
        """Which of `count` parallel cables to take."""
        return self._digits % count


class Router:
    """Shortest paths over the directed links between switches; distances are kept.

    `tail`, `head` and `link` have shape (n_trunks,): a link goes from switch to switch.
    """

    def __init__(self, switches: int, tail: Ints, head: Ints, link: Ints) -> None:
        order = np.argsort(tail, kind="stable")
        self._tail, self._head, self._link = tail[order], head[order], link[order]
        self._first = np.searchsorted(self._tail, np.arange(switches + 1))
        self._distance: dict[int, Ints] = {}
        self._next: dict[tuple[int, int], list[tuple[int, list[int]]]] = {}

    @property
    def switches(self) -> int:
        """Number of switches."""
        return len(self._first) - 1

    def links(self) -> tuple[Ints, Ints, Ints]:
        """Switch where each link starts, where it ends, and its number; shape (n_trunks,)."""
        return self._tail, self._head, self._link

    def distance(self, target: int) -> Ints:
        """Hops from every switch to `target`, shape (n_switches,); UNREACHABLE without a path."""
        known = self._distance.get(target)
        if known is None:
            known = np.full(self.switches, UNREACHABLE, dtype=np.int64)
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

    def path(self, source: int, target: int, choice: Choice) -> list[int]:
        """Links of a shortest path; the switches must be connected."""
        links: list[int] = []
        at = source
        while at != target:
            ways = self._ways(at, target)
            at, cables = ways[choice.vertex(len(ways))]
            links.append(cables[choice.cable(len(cables))])
        return links

    def spread(self, source: int, target: int) -> tuple[Ints, Floats]:
        """Links of all shortest paths and the share of a flow on each, shape (links,).

        Every switch splits the flow evenly over its best cables.
        """
        distance = self.distance(target)
        from_tail = distance[self._tail]
        nearer = distance[self._head] == from_tail - 1
        here = np.zeros(self.switches)
        here[source] = 1.0
        links, shares = [], []
        for hops in range(int(distance[source]), 0, -1):
            used = np.flatnonzero(nearer & (from_tail == hops) & (here[self._tail] > 0.0))
            tail = self._tail[used]
            each = here[tail] / np.bincount(tail, minlength=self.switches)[tail]
            there = np.zeros(self.switches)
            np.add.at(there, self._head[used], each)
            here = there
            links.append(self._link[used])
            shares.append(each)
        if not links:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        return np.concatenate(links), np.concatenate(shares)

    def _ways(self, at: int, target: int) -> list[tuple[int, list[int]]]:
        """Switches next to `at` that are nearer to `target`, each with the cables to it."""
        known = self._next.get((at, target))
        if known is None:
            distance = self.distance(target)
            span = slice(self._first[at], self._first[at + 1])
            nearer = distance[self._head[span]] == distance[at] - 1
            cables: dict[int, list[int]] = {}
            for head, link in zip(
                self._head[span][nearer].tolist(), self._link[span][nearer].tolist(), strict=True
            ):
                cables.setdefault(head, []).append(link)
            known = self._next[at, target] = list(cables.items())
        return known

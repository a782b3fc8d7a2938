"""Pools whose running jobs share fewer processors than they hold accelerators.

Every rank that computes gets an even share of the pool's processors, at most one whole:
with P processors and R ranks computing, each runs at min(1, P / R) of its own speed. That is
processor sharing (Kleinrock, JACM 14(2), 1967), and what an operating system does to
processes of equal priority.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite

import simpy

from dcsim.simulation.events import COMPLETION, after
from dcsim.simulation.spec import PoolSpec

#: A stretch is over when less than this share of it is left.
_ROUNDING = 1e-12


@dataclass(eq=False, slots=True)
class Stretch:
    """Computing of one job: `seconds` of it alone, on `ranks` processors at once."""

    pool: int
    ranks: int
    seconds: float
    left_s: float
    done: simpy.Event


@dataclass(slots=True)
class _Shared:
    """One pool: what computes on it, how fast, and since when."""

    processors: float
    active: list[Stretch] = field(default_factory=list)
    speed: float = 1.0
    since_s: float = 0.0
    version: int = 0


class Processors:
    """What computes on each pool that has fewer processors than accelerators."""

    def __init__(self, environment: simpy.Environment, pools: Sequence[PoolSpec]) -> None:
        self._environment = environment
        self._pools = {
            number: _Shared(pool.processors)
            for number, pool in enumerate(pools)
            if isfinite(pool.processors)
        }

    def limited(self, pool: int) -> bool:
        """Whether jobs of this pool share processors."""
        return pool in self._pools

    def begin(self, pool: int, ranks: int, seconds: float) -> Stretch:
        """Compute from now on; `done` of the answer succeeds when it is over."""
        stretch = Stretch(pool, ranks, seconds, seconds, self._environment.event())
        shared = self._pools[pool]
        self._settle(shared)
        shared.active.append(stretch)
        self._share(shared)
        return stretch

    def end(self, stretch: Stretch) -> float:
        """Stop computing, if that is not over; the share of the stretch that was done."""
        shared = self._pools[stretch.pool]
        if stretch not in shared.active:
            return 1.0
        self._settle(shared)
        shared.active.remove(stretch)
        self._share(shared)
        return 1.0 - max(stretch.left_s, 0.0) / stretch.seconds

    def _settle(self, shared: _Shared) -> None:
        """Credit what was computed since the last change."""
        now = self._environment.now
        done = (now - shared.since_s) * shared.speed
        for stretch in shared.active:
            stretch.left_s -= done
        shared.since_s = now

    def _share(self, shared: _Shared) -> None:
        """Divide the processors anew and wait for the next stretch to end."""
        shared.version += 1
        if not shared.active:
            return
        ranks = sum(stretch.ranks for stretch in shared.active)
        shared.speed = min(1.0, shared.processors / ranks)
        version, left = shared.version, min(stretch.left_s for stretch in shared.active)
        delay = max(left, 0.0) / shared.speed
        after(self._environment, delay, COMPLETION, lambda: self._finish(shared, version))

    def _finish(self, shared: _Shared, version: int) -> None:
        if version != shared.version:
            return
        self._settle(shared)
        least = min(stretch.left_s for stretch in shared.active)
        over = [s for s in shared.active if s.left_s <= least + _ROUNDING * s.seconds]
        shared.active = [s for s in shared.active if s not in over]
        for stretch in over:
            stretch.done.succeed()
        self._share(shared)

"""Nodes: who may use them, and where the accelerator-seconds that no job holds go."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.spec import PoolSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: States of a node. A failing node is still held by jobs that do not know yet, a leaving one
#: by jobs that save before it goes; one that is away belongs to somebody else meanwhile.
UP, SPARE, FAILING, LEAVING, REPAIR, MAINTENANCE, AWAY = range(7)
_STATES = 7

#: What is summed for nodes that are away; no class of the ledger, which is about what is there.
AWAY_CLASS = "away"

#: Ledger class of an idle accelerator on a node in each state but UP.
_IDLE_CLASS = {
    SPARE: "spare",
    FAILING: "repair",
    LEAVING: "maintenance",
    REPAIR: "repair",
    MAINTENANCE: "maintenance",
    AWAY: AWAY_CLASS,
}

#: Why accelerators of nodes that are up are not in use.
NO_DEMAND = "unallocated_no_demand"
FRAGMENTED = "unallocated_fragmented"
HELD_BACK = "unallocated_held_back"


class Nodes:
    """State of every node of every pool; arrays of shape (n_nodes,), pool after pool.

    Idle accelerator-seconds are summed whenever something changes, so that between
    changes nothing has to be done.
    """

    def __init__(self, pools: Sequence[PoolSpec], spares: Mapping[str, int]) -> None:
        counts = [pool.nodes for pool in pools]
        self.pools = tuple(pools)
        self.pool = np.repeat(np.arange(len(pools)), counts)
        sizes = np.array([pool.accelerators_per_node for pool in pools], dtype=np.int64)
        self.capacity: Ints = np.repeat(sizes, counts)
        self.free: Ints = self.capacity.copy()
        self.state = np.zeros(len(self.capacity), dtype=np.int64)
        self.spares = np.array([spares.get(pool.name, 0) for pool in pools])
        self.first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        for pool, count in enumerate(self.spares):
            end = self.first[pool + 1]
            self.state[end - count : end] = SPARE
        self.failures = np.zeros(len(self.capacity), dtype=np.int64)
        self.busy_s: Floats = np.zeros(len(self.capacity))
        self.down_s: Floats = np.zeros(len(self.capacity))
        self.reason = [NO_DEMAND] * len(pools)
        self.idle_s: list[dict[str, float]] = [{} for _ in pools]
        self.counted = np.array([not pool.is_local for pool in pools])[self.pool]
        self._cluster = np.array([not pool.is_local for pool in pools])
        self._installed = int((self.capacity * self.counted).sum())
        self._changed_s: Floats = np.zeros(len(self.capacity))
        self._accrued_s = 0.0
        #: How many times as long a node computes as it should.
        self.slowness: Floats = np.ones(len(self.capacity))
        #: Called with a leaving node that nobody holds any more.
        self.on_empty: Callable[[int], None] = lambda _node: None
        #: Changes whenever accelerators are taken, given back or break.
        self.version = 0
        self._idle: Ints = np.zeros((len(pools), _STATES), dtype=np.int64)
        self._count(np.arange(len(self.capacity)), 1)

    @property
    def busy(self) -> int:
        """Accelerators held by jobs, local pools left out."""
        return self._installed - int(self._idle[self._cluster].sum())

    @property
    def down(self) -> int:
        """Accelerators in repair or maintenance; no job holds any of such a node."""
        return int(self._idle[self._cluster, REPAIR:].sum())

    def available(self) -> Ints:
        """Accelerators that a scheduler may give out now."""
        return np.where(self.state == UP, self.free, 0)

    def take(self, now: float, nodes: Ints, counts: Ints) -> None:
        """A job takes `counts` accelerators of `nodes`."""
        self._settle(now, nodes)
        self._count(nodes, -1)
        self.free[nodes] -= counts
        self._count(nodes, 1)

    def give(self, now: float, nodes: Ints, counts: Ints) -> None:
        """A job gives them back."""
        self.take(now, nodes, -counts)
        if np.any(self.state[nodes] == LEAVING):
            for node in nodes[self.state[nodes] == LEAVING].tolist():
                if self.free[node] == self.capacity[node]:
                    self.on_empty(node)

    def all_up(self, nodes: Ints) -> bool:
        """Whether all of `nodes` are in service."""
        return bool(np.all(self.state[nodes] == UP))

    def set_state(self, now: float, node: int, state: int) -> None:
        """`node` changes its state."""
        nodes = np.array([node])
        self._settle(now, nodes)
        self._count(nodes, -1)
        self.state[node] = state
        self._count(nodes, 1)

    def set_reason(self, now: float, pool: int, reason: str) -> None:
        """From now on accelerators of `pool` that are up but idle are so for `reason`."""
        if self.reason[pool] != reason:
            self.accrue(now)
            self.reason[pool] = reason

    def spare_count(self, pool: int) -> int:
        """Nodes of `pool` kept as spares now."""
        return int(np.count_nonzero(self.state[self.members(pool)] == SPARE))

    def refill_spares(self, now: float, pool: int) -> None:
        """Keep idle nodes of `pool` as spares where spares are missing."""
        missing = int(self.spares[pool]) - self.spare_count(pool) if self.spares[pool] else 0
        if missing > 0:
            span = self.members(pool)
            idle = (self.state[span] == UP) & (self.free[span] == self.capacity[span])
            for node in np.flatnonzero(idle)[::-1][:missing]:
                self.set_state(now, int(node) + span.start, SPARE)

    def substitute(self, pool: int, count: int, but: Ints) -> int:
        """A node of `pool` outside `but` with `count` free: a spare, else the fullest; or -1."""
        span = self.members(pool)
        fits = self.free[span] >= count
        fits[but - span.start] = False
        spare = np.flatnonzero(fits & (self.state[span] == SPARE))
        if spare.size:
            return int(spare[0]) + span.start
        usable = np.flatnonzero(fits & (self.state[span] == UP))
        if not usable.size:
            return -1
        return int(usable[np.argmin(self.free[span][usable])]) + span.start

    def accrue(self, now: float) -> None:
        """Sum idle accelerator-seconds up to `now`."""
        elapsed = now - self._accrued_s
        if elapsed <= 0.0:
            return
        self._accrued_s = now
        for pool, idle in enumerate(self._idle.tolist()):
            seconds = self.idle_s[pool]
            for state, count in enumerate(idle):
                if count:
                    name = self.reason[pool] if state == UP else _IDLE_CLASS[state]
                    seconds[name] = seconds.get(name, 0.0) + count * elapsed

    def idle_until(self, now: float, pool: int) -> float:
        """Idle accelerator-seconds of `pool` in all classes up to `now`; changes nothing."""
        pending = int(self._idle[pool].sum()) * (now - self._accrued_s)
        return sum(self.idle_s[pool].values()) + pending

    def close(self, now: float) -> None:
        """Bring all sums up to `now`."""
        self._settle(now, np.arange(len(self.capacity)))

    def members(self, pool: int) -> slice:
        """The nodes of `pool`."""
        return slice(int(self.first[pool]), int(self.first[pool + 1]))

    def _settle(self, now: float, nodes: Ints) -> None:
        self.accrue(now)
        elapsed = now - self._changed_s[nodes]
        self.busy_s[nodes] += (self.capacity[nodes] - self.free[nodes]) * elapsed
        self.down_s[nodes] += (self.state[nodes] >= REPAIR) * elapsed
        self._changed_s[nodes] = now

    def _count(self, nodes: Ints, sign: int) -> None:
        """Enter the free accelerators of `nodes` into the counts by state, or take them out."""
        self.version += 1
        np.add.at(self._idle, (self.pool[nodes], self.state[nodes]), sign * self.free[nodes])

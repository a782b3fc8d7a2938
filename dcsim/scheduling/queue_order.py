"""Schedulers that go through the queue in order: first come, shortest first, first fit."""

from collections.abc import Iterable, Sequence

import numpy as np

from dcsim.scheduling.protocol import (
    ClusterView,
    Decision,
    Ints,
    Placement,
    QueuedJob,
    RunningJob,
    Start,
)


class FreeNodes:
    """Free accelerators by pool while one pass hands them out; a view stays untouched.

    While accelerators are only taken, a size that was refused stays refused.
    """

    def __init__(self, view: ClusterView) -> None:
        self._free = view.free.copy()
        self._refused: set[tuple[int, int]] = set()
        self._capacity = view.capacity
        self._pool = view.pool
        self._members: dict[int, Ints] = {}

    def copy(self) -> "FreeNodes":
        """An independent state, for asking what would be."""
        other = object.__new__(FreeNodes)
        other._free = self._free.copy()
        other._refused = self._refused.copy()
        other._capacity, other._pool = self._capacity, self._pool
        other._members = self._members
        return other

    def members(self, pool: int) -> Ints:
        """Indices of the nodes of `pool`."""
        if pool not in self._members:
            self._members[pool] = np.flatnonzero(self._pool == pool)
        return self._members[pool]

    def fit(self, job: QueuedJob, place: Placement) -> Start | None:
        """Where `job` would go, or None."""
        size = (job.pool, job.accelerators)
        if size in self._refused:
            return None
        nodes = self.members(job.pool)
        found = place(self._free[nodes], self._capacity[nodes], job.accelerators)
        if found is None:
            self._refused.add(size)
            return None
        return Start(job.job, nodes[found[0]], found[1])

    def take(self, start: Start) -> None:
        """Hand out what `start` asks for."""
        self._free[start.nodes] -= start.counts

    def give(self, nodes: Ints, counts: Ints) -> None:
        """Take back `counts` on `nodes`."""
        self._free[nodes] += counts
        self._refused.clear()


def start_heads(
    free: FreeNodes, queue: Iterable[QueuedJob], place: Placement
) -> tuple[list[Start], dict[int, QueuedJob]]:
    """Start jobs in order until each pool's head does not fit; the starts and those heads."""
    starts: list[Start] = []
    blocked: dict[int, QueuedJob] = {}
    for job in queue:
        if job.pool in blocked:
            continue
        start = free.fit(job, place)
        if start is None:
            blocked[job.pool] = job
        else:
            free.take(start)
            starts.append(start)
    return starts, blocked


def first_come(
    view: ClusterView,
    queue: Sequence[QueuedJob],
    running: Sequence[RunningJob],
    place: Placement,
) -> Decision:
    """FCFS: start the head while it fits, else stop; each pool has its own head."""
    return Decision(tuple(start_heads(FreeNodes(view), queue, place)[0]))


def shortest_first(
    view: ClusterView,
    queue: Sequence[QueuedJob],
    running: Sequence[RunningJob],
    place: Placement,
) -> Decision:
    """SJF: as `first_come` with the queue ordered by (estimate, place in the queue)."""
    return first_come(view, sorted(queue, key=lambda job: job.estimate_s), running, place)


def first_fit(
    view: ClusterView,
    queue: Sequence[QueuedJob],
    running: Sequence[RunningJob],
    place: Placement,
) -> Decision:
    """Scan the whole queue in order and start whatever fits."""
    free = FreeNodes(view)
    starts: list[Start] = []
    for job in queue:
        start = free.fit(job, place)
        if start is not None:
            free.take(start)
            starts.append(start)
    return Decision(tuple(starts))

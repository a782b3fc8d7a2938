"""How elastic jobs share a pool: everyone its least, the rest as evenly as possible."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.protocol import (
    ClusterView,
    Decision,
    Placement,
    QueuedJob,
    RunningJob,
    Start,
)

Ints = NDArray[np.int64]


@kernel("i8[::1](i8[::1], i8[::1], i8)")
def shared_evenly(least: Ints, most: Ints, capacity: int) -> Ints:
    """Accelerators of each job, shape (n,): between `least` and `most`, at most `capacity`.

    What the sum of `least` (which must fit) leaves goes one by one to the job that has
    fewest and may have more, the earlier one first: max-min fair sharing in whole numbers.
    """
    low, high = np.int64(0), max(np.int64(0), most.max())
    while low < high:
        middle = (low + high + 1) // 2
        if np.maximum(least, np.minimum(most, middle)).sum() <= capacity:
            low = middle
        else:
            high = middle - 1
    given = np.maximum(least, np.minimum(most, low))
    rest = capacity - given.sum()
    for i in range(given.size):
        if rest > 0 and given[i] == low and given[i] < most[i]:
            given[i] += 1
            rest -= 1
    return given


def elastic(
    view: ClusterView,
    queue: Sequence[QueuedJob],
    running: Sequence[RunningJob],
    place: Placement,
) -> Decision:
    """Start jobs in order while their least sizes fit; size all that run by `shared_evenly`.

    A resized job keeps what it can of what it holds; an elastic job takes accelerators of any
    node, the lowest-numbered first.
    """
    starts: list[Start] = []
    moves: list[Start] = []
    for pool in sorted({job.pool for job in queue} | {job.pool for job in running}):
        members = np.flatnonzero(view.pool == pool)
        room = view.free[members].copy()
        able = [job for job in running if job.pool == pool and job.can_stop and job.ask is not None]
        able.sort(key=_arrival)
        held = np.array([job.counts.sum() for job in able], np.int64)
        capacity = int(room.sum() + held.sum())
        asks = [job.ask for job in able if job.ask is not None]
        needed = sum(_least(ask) for ask in asks)
        for job in queue:
            if job.pool != pool:
                continue
            if needed + _least(job) > capacity:
                break
            needed += _least(job)
            asks.append(job)
        if not asks:
            continue
        least = np.array([_least(ask) for ask in asks], np.int64)
        most = np.array([min(ask.most or ask.accelerators, capacity) for ask in asks], np.int64)
        given = shared_evenly(least, np.maximum(least, most), capacity)
        kept = [
            _shrunk(room, job, members, int(size))
            for job, size in zip(able, given[: len(able)], strict=True)
        ]
        for holder, has, size in zip(able, kept, given[: len(able)], strict=True):
            if size > has.sum():
                has += _lowest(room, int(size - has.sum()))
            if size != holder.counts.sum():
                moves.append(_start(holder.job, members, has))
        for ask, size in zip(asks[len(able) :], given[len(able) :], strict=True):
            starts.append(_start(ask.job, members, _lowest(room, int(size))))
    return Decision(tuple(starts), moves=tuple(moves))


def _arrival(job: RunningJob) -> tuple[float, int]:
    return (job.ask.submit_s if job.ask is not None else 0.0), job.job


def _least(ask: QueuedJob) -> int:
    return ask.least or ask.accelerators


def _shrunk(room: Ints, job: RunningJob, members: Ints, size: int) -> Ints:
    """What `job` keeps of its nodes; the rest, fewest on a node first, goes to `room`."""
    has = np.zeros(len(members), np.int64)
    has[job.nodes - members[0]] = job.counts
    surplus = int(job.counts.sum()) - size
    for node in sorted(np.flatnonzero(has), key=lambda node: (has[node], -node)):
        given = min(max(surplus, 0), int(has[node]))
        has[node] -= given
        room[node] += given
        surplus -= given
    return has


def _lowest(room: Ints, size: int) -> Ints:
    """Take `size` accelerators of the lowest-numbered nodes that have some."""
    taken = np.clip(size - (np.cumsum(room) - room), 0, room)
    room -= taken
    return taken


def _start(job: int, members: Ints, has: Ints) -> Start:
    nodes = np.flatnonzero(has)
    return Start(job, members[nodes], has[nodes])

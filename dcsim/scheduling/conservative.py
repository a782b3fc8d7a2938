"""Conservative backfilling: every waiting job holds a reservation that nobody delays.

The plan is made anew in every pass, in the order of the queue: each job gets the earliest time
from which it fits until its estimated end, beside running jobs and the reservations before it
(Mu'alem and Feitelson, IEEE TPDS 2001). Where jobs end by their estimates this is the plan
that was made at their arrival.
"""

from collections.abc import Sequence
from math import inf

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


class _Plan:
    """What is free of one pool from each of some times on, the last without end."""

    def __init__(self, now_s: float, free: Ints) -> None:
        self.times = [now_s]
        self.free = [free]

    def change(self, from_s: float, until_s: float, nodes: Ints, counts: Ints, sign: int) -> None:
        """Give (1) or take (-1) `counts` on `nodes` between two times."""
        first = self._step(from_s)
        last = self._step(until_s) if until_s < inf else len(self.times)
        for i in range(first, last):
            self.free[i][nodes] += sign * counts

    def earliest(self, capacity: Ints, job: QueuedJob, place: Placement) -> tuple[float, Start]:
        """When and where `job` fits for as long as it says; inf when it never does."""
        for i, begin in enumerate(self.times):
            end = begin + job.estimate_s
            room = self.free[i].copy()
            for j in range(i + 1, len(self.times)):
                if self.times[j] >= end:
                    break
                np.minimum(room, self.free[j], out=room)
            found = place(room, capacity, job.accelerators)
            if found is not None:
                return begin, Start(job.job, *found)
        nothing = np.empty(0, np.int64)
        return inf, Start(job.job, nothing, nothing)

    def _step(self, at_s: float) -> int:
        """The step that begins at `at_s`, added where there is none."""
        i = int(np.searchsorted(self.times, at_s))
        if i < len(self.times) and self.times[i] == at_s:
            return i
        self.times.insert(i, at_s)
        self.free.insert(i, self.free[i - 1].copy())
        return i


def conservative(
    view: ClusterView,
    queue: Sequence[QueuedJob],
    running: Sequence[RunningJob],
    place: Placement,
) -> Decision:
    """Start the jobs whose reservation is now; ask again when the next one falls due."""
    starts: list[Start] = []
    again = inf
    for pool in sorted({job.pool for job in queue}):
        members = np.flatnonzero(view.pool == pool)
        plan = _Plan(view.now_s, view.free[members].copy())
        for job in running:
            if job.pool == pool:
                # Who outstays its estimate is expected to end any moment, but not now.
                end = max(job.expected_end_s, np.nextafter(view.now_s, inf))
                plan.change(end, inf, job.nodes - members[0], job.counts, 1)
        for waiting in queue:
            if waiting.pool != pool:
                continue
            at, start = plan.earliest(view.capacity[members], waiting, place)
            if at == inf:
                continue
            plan.change(at, at + waiting.estimate_s, start.nodes, start.counts, -1)
            if at <= view.now_s:
                starts.append(Start(waiting.job, members[start.nodes], start.counts))
            else:
                again = min(again, at)
    return Decision(tuple(starts), again_s=again)

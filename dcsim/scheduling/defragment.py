"""Migration by choice: move a running job where that makes room for one that waits."""

from collections.abc import Sequence

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


def defragment(
    view: ClusterView,
    queue: Sequence[QueuedJob],
    running: Sequence[RunningJob],
    place: Placement,
) -> Decision | None:
    """Moves after which the head of a pool's queue fits; None where none does.

    Only where enough accelerators are free, scattered as they are. One running job after
    the other, the smallest first, is placed anew on what the others leave free, the nodes
    that the head would empty last excepted; the fewest such moves are made.
    """
    for pool in sorted({job.pool for job in queue}):
        members = np.flatnonzero(view.pool == pool)
        free, capacity = view.free[members], view.capacity[members]
        head = next(job for job in queue if job.pool == pool)
        if free.sum() < head.accelerators:
            continue
        able = [job for job in running if job.pool == pool and job.can_stop]
        moves = _emptied(free, capacity, able, members, head, place)
        if moves is not None:
            starts, moved = moves
            return Decision((starts,), moves=moved)
    return None


def _emptied(
    free: Ints,
    capacity: Ints,
    running: Sequence[RunningJob],
    members: Ints,
    head: QueuedJob,
    place: Placement,
) -> tuple[Start, tuple[Start, ...]] | None:
    """The head's place and the moves that make it, clearing the emptiest nodes first."""
    room = free.copy()
    targets = np.argsort(-free, kind="stable")
    wanted = -(-head.accelerators // int(capacity.max()))
    closed = np.zeros(len(free), dtype=bool)
    moves: dict[int, Start] = {}
    for target in targets[: wanted + 1]:
        closed[target] = True
        here = [job for job in running if np.any(job.nodes == members[target])]
        for job in sorted(here, key=lambda job: (job.counts.sum(), job.job)):
            if job.job in moves:
                continue
            inside = job.nodes - members[0]
            size = int(job.counts.sum())
            found = place(np.where(closed, 0, room), capacity, size)
            if found is None:
                continue
            room[inside] += job.counts
            room[found[0]] -= found[1]
            moves[job.job] = Start(job.job, members[found[0]], found[1])
        placed = place(room, capacity, head.accelerators)
        if placed is not None:
            return Start(head.job, members[placed[0]], placed[1]), tuple(moves.values())
    return None

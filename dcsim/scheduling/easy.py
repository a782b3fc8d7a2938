"""EASY backfilling: only the blocked head holds a reservation (Lifka, JSSPP 1995)."""

from collections.abc import Sequence

from dcsim.scheduling.protocol import (
    ClusterView,
    Decision,
    Placement,
    QueuedJob,
    RunningJob,
    Start,
)
from dcsim.scheduling.queue_order import FreeNodes, start_heads


def easy(
    view: ClusterView,
    queue: Sequence[QueuedJob],
    running: Sequence[RunningJob],
    place: Placement,
) -> Decision:
    """Start heads; behind a blocked head, start what does not delay it.

    The head's shadow time is when it fits if running jobs end by their estimates. A later
    job starts if it fits now and either ends, by its estimate, no later than the shadow
    time, or leaves the head placeable at that time.
    """
    free = FreeNodes(view)
    starts, blocked = start_heads(free, queue, place)
    by_job = {job.job: job for job in queue}
    occupied = list(running) + [_running(view, by_job[start.job], start) for start in starts]
    for head in blocked.values():
        ending = [job for job in occupied if job.pool == head.pool]
        starts += _backfill(view, queue, ending, place, free, head)
    return Decision(tuple(starts))


def _backfill(
    view: ClusterView,
    queue: Sequence[QueuedJob],
    running: list[RunningJob],
    place: Placement,
    free: FreeNodes,
    head: QueuedJob,
) -> list[Start]:
    shadow, then = _shadow(running, free, head, place)
    starts: list[Start] = []
    delaying: set[int] = set()  # sizes that would delay the head as things stand
    behind = False
    for job in queue:
        if job.job == head.job:
            behind = True
        if not behind or job.pool != head.pool or job.job == head.job:
            continue
        late = view.now_s + job.estimate_s > shadow
        if late and job.accelerators in delaying:
            continue
        start = free.fit(job, place)
        if start is None:
            continue
        if late:
            after = then.copy()
            after.take(start)
            if after.fit(head, place) is None:
                delaying.add(job.accelerators)
                continue
            then = after
        free.take(start)
        starts.append(start)
        delaying.clear()
    return starts


def _shadow(
    running: list[RunningJob], free: FreeNodes, head: QueuedJob, place: Placement
) -> tuple[float, FreeNodes]:
    """When `head` fits, and what is then free; inf when nodes must come back first."""
    then = free.copy()
    ends = sorted(running, key=lambda job: job.expected_end_s)
    for position, job in enumerate(ends):
        then.give(job.nodes, job.counts)
        last_of_its_time = (
            position + 1 == len(ends) or ends[position + 1].expected_end_s > job.expected_end_s
        )
        if last_of_its_time and then.fit(head, place) is not None:
            return job.expected_end_s, then
    return float("inf"), then


def _running(view: ClusterView, job: QueuedJob, start: Start) -> RunningJob:
    return RunningJob(job.job, start.nodes, start.counts, view.now_s + job.estimate_s, job.pool)

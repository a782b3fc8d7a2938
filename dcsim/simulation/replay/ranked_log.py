"""Growing arrays of what each job held from when to when, for compiled event loops."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.ranked_state import Cluster

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

COMPLETED, PREEMPTED, MIGRATED, RESIZED = range(4)
END_REASONS = ("completed", "preempted", "migrated", "resized")


class Log(NamedTuple):
    """Segments in order of their ends; the first `size[0]` entries count.

    Segment i of `job[i]` holds `counts[k]` on `nodes[k]` for k from `offset[i]` to
    `offset[i + 1]`; `size[1]` placements are written.
    """

    size: Ints
    job: Ints
    start: Floats
    end: Floats
    reason: Ints
    offset: Ints
    nodes: Ints
    counts: Ints


@kernel()
def empty_log(segments: int, placements: int) -> Log:
    """A log with room for so many segments and placements."""
    return Log(
        np.zeros(2, np.int64),
        np.empty(segments, np.int64),
        np.empty(segments),
        np.empty(segments),
        np.empty(segments, np.int64),
        np.zeros(segments + 1, np.int64),
        np.empty(placements, np.int64),
        np.empty(placements, np.int64),
    )


@kernel()
def with_room(log: Log, placements: int) -> Log:
    """The log itself, or a copy twice as long when a segment might not fit."""
    segments, written = log.size
    if segments + 1 < log.job.size and written + placements < log.nodes.size:
        return log
    more = empty_log(2 * log.job.size, 2 * log.nodes.size + placements)
    more.size[:] = log.size
    more.job[:segments] = log.job[:segments]
    more.start[:segments] = log.start[:segments]
    more.end[:segments] = log.end[:segments]
    more.reason[:segments] = log.reason[:segments]
    more.offset[: segments + 1] = log.offset[: segments + 1]
    more.nodes[:written] = log.nodes[:written]
    more.counts[:written] = log.counts[:written]
    return more


@kernel()
def write_segment(
    log: Log, job: int, start: float, end: float, reason: int, cluster: Cluster
) -> Log:
    """Add a segment with the placement that `cluster` has for `job`; the log to go on with."""
    begin, finish = cluster.begin[job], cluster.finish[job]
    log = with_room(log, finish - begin)
    segment, written = log.size
    log.job[segment], log.start[segment], log.end[segment] = job, start, end
    log.reason[segment] = reason
    after = written + finish - begin
    log.nodes[written:after] = cluster.nodes[begin:finish]
    log.counts[written:after] = cluster.counts[begin:finish]
    log.offset[segment + 1] = after
    log.size[0], log.size[1] = segment + 1, after
    return log

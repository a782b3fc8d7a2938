"""What a replay did: start and end of each job, and its segments when it was interrupted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.replay.options import Options
from dcsim.workload.traces import Trace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Segments:
    """Uninterrupted stretches of jobs, sorted by job and then by time; shape (m,).

    `job` numbers the rows of the trace, `reason` the texts of `ranked_log.END_REASONS`, `gpus`
    what the segment held. Segment i holds `counts[k]` accelerators of `nodes[k]` for k from
    `offsets[i]` to `offsets[i + 1]`.
    """

    job: Ints
    start_s: Floats
    end_s: Floats
    reason: Ints
    gpus: Ints
    nodes: Ints
    counts: Ints
    offsets: Ints


@dataclass(frozen=True, slots=True)
class Replay:
    """What a policy did with a trace, in the trace's order.

    `trace` holds the jobs that ran (n of them, the rest counted in its `dropped`);
    `start_s` (the first, where a job was interrupted) and `end_s` have shape (n,). On nodes,
    job j holds `counts[i]` accelerators of `nodes[i]` for i from `offsets[j]` to
    `offsets[j + 1]`, in its last segment where it has several; on a pool these are None.
    `segments` is None where every job ran in one piece. Where jobs share accelerators, all
    counts are in thousandths (`unit`), and `fragmented_share` says how much of what was free
    an average job could not use.
    """

    trace: Trace
    policy: str
    n_nodes: int
    per_node: int
    start_s: Floats
    end_s: Floats
    nodes: Ints | None = None
    counts: Ints | None = None
    offsets: Ints | None = None
    segments: Segments | None = None
    options: Options | None = None
    unit: int = 1
    fragmented_share: float | None = None

    @property
    def wait_s(self) -> Floats:
        """First start minus submit, shape (n,)."""
        return self.start_s - self.trace.submit_s

    @property
    def capacity(self) -> int:
        """Accelerators of the cluster, in units."""
        return self.n_nodes * self.per_node

    def stretches(self) -> Segments:
        """The segments, one for each job where no job was interrupted."""
        if self.segments is not None:
            return self.segments
        n = len(self.trace)
        if self.nodes is None or self.counts is None or self.offsets is None:
            nodes = np.zeros(n, np.int64)
            counts, offsets = self.trace.accelerators, np.arange(n + 1)
        else:
            nodes, counts, offsets = self.nodes, self.counts, self.offsets
        return Segments(
            np.arange(n),
            self.start_s,
            self.end_s,
            np.zeros(n, np.int64),
            self.trace.accelerators,
            nodes,
            counts,
            offsets,
        )


def take_rows(flat: Ints, offsets: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Entries of `flat` that belong to `rows`, in that order, and their offsets."""
    lengths = np.diff(offsets)[rows]
    new_offsets = np.concatenate(([0], np.cumsum(lengths)))
    within = np.arange(new_offsets[-1]) - np.repeat(new_offsets[:-1], lengths)
    return flat[np.repeat(offsets[:-1][rows], lengths) + within], new_offsets

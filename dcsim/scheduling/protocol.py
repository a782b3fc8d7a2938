"""What a scheduler is shown and what it answers.

A scheduler is a pure function of the queue, the running jobs and the free accelerators;
it changes nothing. The simulation and the real worker cluster show it the same views and
carry out the same decisions. A pass happens after every completion and arrival of a
timestamp (rules R1 to R3 of the reference cases).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that waits; `job` is the caller's number for it, unique and in order of arrival.

    `estimate_s` is how long it says it will run (its wall limit), `pool` the number of
    the pool that it must run in.
    """

    job: int
    accelerators: int
    submit_s: float
    estimate_s: float
    priority: int = 0
    pool: int = 0


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that holds `counts[i]` accelerators of node `nodes[i]`; both shape (n,).

    `expected_end_s` is start plus estimate.
    """

    job: int
    nodes: Ints
    counts: Ints
    expected_end_s: float
    pool: int = 0


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster at one moment; arrays of shape (n_nodes,).

    `free` counts the accelerators of each node that may be given out now: 0 on nodes
    that are down, drained or kept as spares. `capacity` counts all of a node, `pool` is
    the number of the pool that it belongs to.
    """

    now_s: float
    free: Ints
    capacity: Ints
    pool: Ints


@dataclass(frozen=True, slots=True)
class Start:
    """Start `job` now on `counts[i]` accelerators of node `nodes[i]`; both shape (n,)."""

    job: int
    nodes: Ints
    counts: Ints


@dataclass(frozen=True, slots=True)
class Decision:
    """Jobs to start now, in order; everything else keeps waiting."""

    starts: tuple[Start, ...] = ()


class Placement(Protocol):
    """Where a job of `accelerators` goes, given free and total accelerators of nodes.

    Both arrays have shape (n_nodes,). Returns node indices and accelerators on each, or
    None when it does not fit now.
    """

    def __call__(self, free: Ints, capacity: Ints, accelerators: int) -> tuple[Ints, Ints] | None:
        """Place or refuse."""


class Scheduler(Protocol):
    """Which of `queue` (in queue order) start now."""

    def __call__(
        self,
        view: ClusterView,
        queue: Sequence[QueuedJob],
        running: Sequence[RunningJob],
        place: Placement,
    ) -> Decision:
        """Decide; nothing is changed."""

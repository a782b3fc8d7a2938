"""What a scheduler is shown and what it answers.

A scheduler is a pure function of the queue, the running jobs and the free accelerators;
it changes nothing. The simulation and the real worker cluster show it the same views and
carry out the same decisions. A pass happens after every completion and arrival of a
timestamp (rules R1 to R3 of the reference cases).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that waits; `job` is the caller's number for it, unique and in order of arrival.

    `estimate_s` is how long it says that it will still run (its wall limit, less what it
    has done), `pool` the number of the pool that it must run in. Usage is shared fairly
    among owners, a quota belongs to an account; both are numbers of the caller. A job
    that ran before was given `attained_s` accelerator-seconds; the estimate of all of it is
    `whole_s`. An elastic job takes `least`
    to `most` accelerators (0: as many as it asks for).
    """

    job: int
    accelerators: int
    submit_s: float
    estimate_s: float
    priority: int = 0
    pool: int = 0
    owner: int = 0
    account: int = 0
    attained_s: float = 0.0
    least: int = 0
    most: int = 0
    whole_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that holds `counts[i]` accelerators of node `nodes[i]`; both shape (n,).

    `expected_end_s` is start plus estimate. `ask` is the job as it stood in the queue and
    `since_s` when it got these accelerators; only a job that `can_stop` may be stopped for
    others.
    """

    job: int
    nodes: Ints
    counts: Ints
    expected_end_s: float
    pool: int = 0
    ask: QueuedJob | None = None
    since_s: float = 0.0
    can_stop: bool = False


@dataclass(frozen=True, slots=True)
class Closure:
    """Nodes `first` up to `last` (exclusive) closed from `start_s` to `end_s`.

    Closed to all but jobs of that `owner` or `account` (-1: to all, for maintenance).
    """

    first: int
    last: int
    start_s: float
    end_s: float
    owner: int = -1
    account: int = -1

    def admits(self, job: QueuedJob) -> bool:
        """Whether `job` may use the nodes all the same."""
        return job.owner == self.owner or job.account == self.account


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster at one moment; arrays of shape (n_nodes,).

    `free` counts the accelerators of each node that may be given out now: 0 on nodes
    that are down, drained or kept as spares. `capacity` counts all of a node, `pool` is
    the number of the pool that it belongs to. `usage` are the accelerator-seconds of each
    owner, fading with age (empty where nobody asks).
    """

    now_s: float
    free: Ints
    capacity: Ints
    pool: Ints
    usage: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What binds a scheduler besides the machine.

    `quota` limits what an account holds at once. A stopped job spends `restart_s` before it
    goes on. `priority_scale` is what a priority is divided by before it is weighed.
    """

    quota: Mapping[int, int] = field(default_factory=dict)
    closures: tuple[Closure, ...] = ()
    restart_s: float = 0.0
    priority_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Start:
    """Start `job` now on `counts[i]` accelerators of node `nodes[i]`; both shape (n,)."""

    job: int
    nodes: Ints
    counts: Ints


@dataclass(frozen=True, slots=True)
class Decision:
    """Jobs to start now, in order; everything else keeps waiting.

    `stops` are running jobs that must save and give back what they hold, `moves` running
    jobs that must go on elsewhere or with another number of accelerators; starts and moves may
    count on what those release. At `again_s` something changes without an event.
    """

    starts: tuple[Start, ...] = ()
    stops: tuple[int, ...] = ()
    moves: tuple[Start, ...] = ()
    again_s: float = inf


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

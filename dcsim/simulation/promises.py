"""Starts that count on accelerators which running jobs must first save and give back."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dcsim.scheduling.protocol import QueuedJob, RunningJob, Start
from dcsim.simulation.nodes import UP, Nodes

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Promise:
    """`start` will be carried out when all of it is free; `ask` is the job as it was decided.

    A job that moves is promised its new place while it still holds the old one.
    """

    start: Start
    ask: QueuedJob


@dataclass(slots=True)
class Promises:
    """What was decided and waits for jobs that are leaving.

    Schedulers are shown the cluster as if all of it had happened, so that a later pass
    builds on it: leaving jobs are gone, promised ones run.
    """

    pending: list[Promise] = field(default_factory=list)
    #: What leaving jobs still hold, by job.
    leaving: dict[int, RunningJob] = field(default_factory=dict)

    def available(self, nodes: Nodes) -> Ints:
        """Free accelerators by node once every promise is kept, shape (n_nodes,)."""
        free = nodes.available()
        for job in self.leaving.values():
            up = nodes.state[job.nodes] == UP
            free[job.nodes[up]] += job.counts[up]
        for promise in self.pending:
            free[promise.start.nodes] -= promise.start.counts
        return free

    def running(self, now_s: float) -> list[RunningJob]:
        """The promised jobs as if they had started."""
        return [
            RunningJob(
                promise.ask.job,
                promise.start.nodes,
                promise.start.counts,
                now_s + promise.ask.estimate_s,
                promise.ask.pool,
                promise.ask,
                now_s,
                can_stop=False,
            )
            for promise in self.pending
        ]

    def kept(self, nodes: Nodes) -> Promise | None:
        """Take out the first promise whose accelerators are all free now."""
        for promise in self.pending:
            start = promise.start
            if promise.ask.job in self.leaving:
                continue
            if np.all(nodes.available()[start.nodes] >= start.counts):
                self.pending.remove(promise)
                return promise
        return None

    def broken(self, nodes: Nodes) -> Promise | None:
        """Take out the first promise that cannot be kept: a node of it went away."""
        free = self.available(nodes)
        for promise in self.pending:
            here = promise.start.nodes
            if np.any(nodes.state[here] != UP) or np.any(free[here] < 0):
                self.pending.remove(promise)
                return promise
        return None

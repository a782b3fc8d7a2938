"""Pieces of work on a few worker processes, started as a scheduler of the simulator decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import wait
from time import monotonic
from types import TracebackType
from typing import Any

import numpy as np

from dcsim.scheduling.policies import placement, scheduler
from dcsim.scheduling.protocol import ClusterView, QueuedJob, RunningJob
from dcsim.workers import Worker


@dataclass(frozen=True, slots=True)
class Piece:
    """A call of a module's function, and how long it is thought to take."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    estimate_s: float


class Pool:
    """`slots` workers, each a node of one accelerator; a context manager.

    `policy` names a scheduler of `dcsim.scheduling`; `preload` is imported by every worker.
    """

    def __init__(self, slots: int, policy: str = "easy", preload: Sequence[str] = ()) -> None:
        self._decide, self._place = scheduler(policy), placement("best-fit")
        self._stack = ExitStack()
        with ExitStack() as stack:
            self._workers = [stack.enter_context(Worker(preload=preload)) for _ in range(slots)]
            self._stack = stack.pop_all()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def run(
        self, pieces: Sequence[Piece], on_done: Callable[[int, Any], None] | None = None
    ) -> list[Any]:
        """What each piece returns, in order; `on_done` hears of each as it ends.

        Raises what a piece raises, and WorkerDied when a worker is killed.
        """
        results: list[Any] = [None] * len(pieces)
        queue = [QueuedJob(i, 1, 0.0, piece.estimate_s) for i, piece in enumerate(pieces)]
        running: dict[int, tuple[int, float]] = {}
        while queue or running:
            for job, slot in self._starts(queue, running):
                queue = [queued for queued in queue if queued.job != job]
                running[job] = (slot, monotonic() + pieces[job].estimate_s)
                self._workers[slot].send(pieces[job].function, *pieces[job].arguments)
            places = {self._workers[slot].connection: job for job, (slot, _) in running.items()}
            for ready in wait(list(places)):
                job = places[ready]  # type: ignore[index]
                _, results[job] = self._workers[running.pop(job)[0]].receive()
                if on_done is not None:
                    on_done(job, results[job])
        return results

    def _starts(
        self, queue: Sequence[QueuedJob], running: dict[int, tuple[int, float]]
    ) -> list[tuple[int, int]]:
        """Jobs to start now, each with its slot."""
        ones = np.ones(len(self._workers), np.int64)
        free = ones.copy()
        free[[slot for slot, _ in running.values()]] = 0
        view = ClusterView(monotonic(), free, ones, np.zeros_like(ones))
        one = np.ones(1, np.int64)
        held = [
            RunningJob(job, np.array([slot]), one, end_s) for job, (slot, end_s) in running.items()
        ]
        decision = self._decide(view, queue, held, self._place)
        return [(start.job, int(start.nodes[0])) for start in decision.starts]

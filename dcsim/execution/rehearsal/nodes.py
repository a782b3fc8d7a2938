"""The nodes of the rehearsed cluster: worker processes that share a few processors."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from typing import Any

from dcsim.execution.rehearsal import node as node_side
from dcsim.workers import Worker

_PRELOAD = ("dcsim.execution.rehearsal.node", "dcsim.execution.rehearsal.bench")


#: What the largest of the ready jobs has in use at once.
MEMORY_BYTES = 384 << 20


def usable_processors() -> list[int]:
    """The processors that this process may run on, by number."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


class Nodes:
    """`size` workers, all bound to the same `processors`; a context manager.

    The system shares the processors evenly among those that compute, which is what the
    simulated pool does.
    """

    def __init__(self, size: int, processors: int) -> None:
        # The last ones: the first serves this process and much of what else runs.
        self.processors = usable_processors()[-processors:]
        self.workers: list[Worker] = []
        self._serial = count()
        with ExitStack() as stack, ThreadPoolExecutor(size) as pool:
            futures = [pool.submit(self._start) for _ in range(size)]
            stack.callback(self._give_up, futures)
            self.workers = [future.result() for future in futures]
            stack.pop_all()

    def __len__(self) -> int:
        return len(self.workers)

    def __enter__(self) -> Nodes:
        return self

    def __exit__(self, *problem: object) -> None:
        for worker in self.workers:
            worker.kill()

    def serial(self) -> int:
        """A number that was not given out before, for names."""
        return next(self._serial)

    def _start(self) -> Worker:
        worker = Worker(preload=_PRELOAD)
        try:
            worker.call(node_side.claim_memory, MEMORY_BYTES)
            worker.call(node_side.pin, self.processors)
        except BaseException:
            worker.kill()
            raise
        return worker

    @staticmethod
    def _give_up(futures: Sequence[Any]) -> None:
        for future in futures:
            if future.exception() is None:
                future.result().kill()

    def restart(self, node: int) -> None:
        """End a node's process, if that is not over, and start another."""
        self.workers[node].kill()
        self.workers[node] = self._start()

    def call_all(self, function: Callable[..., Any], arguments: Sequence[tuple]) -> list[Any]:
        """Run a function on the first nodes at once, each with its own arguments."""
        called = self.workers[: len(arguments)]
        for worker, own in zip(called, arguments, strict=True):
            worker.send(function, *own)
        return [worker.receive()[1] for worker in called]

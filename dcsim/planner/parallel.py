"""Many simulated runs, on as many processes as it pays to start.

The result of a run depends on its specification and seed alone, so that it does not
matter which process computed it: the number of workers changes nothing but the time.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import wait
from time import perf_counter

from dcsim.planner.finalists import RunFigures, simulate_run
from dcsim.simulation import SimulationSpec
from dcsim.workers import Worker

#: A worker takes about two seconds to start on a busy machine: it is not worth it for
#: less remaining work than this.
PAYS_AFTER_S = 5.0
#: Runs that are timed here before that is decided.
TIMED = 4
MOST_WORKERS = 7

Task = tuple[SimulationSpec, int]


def simulate_all(
    tasks: Sequence[Task], ran: Callable[[], None], workers: int | None = None
) -> list[RunFigures]:
    """The figures of every task (specification and seed), in their order.

    `ran` is called after every run. `workers` processes help this one (default: as many
    as there are further cores, if enough work remains after the first few runs).
    """
    results: dict[int, RunFigures] = {}
    began = perf_counter()
    for i, task in enumerate(tasks[:TIMED] if workers is None else ()):
        results[i] = simulate_run(*task)
        ran()
    left = len(tasks) - len(results)
    if workers is None:
        remaining_s = (perf_counter() - began) / max(len(results), 1) * left
        cores = os.cpu_count() or 1
        workers = min(cores - 1, MOST_WORKERS, left) if remaining_s > PAYS_AFTER_S else 0
    todo = iter(range(len(results), len(tasks)))
    with _started(workers) as pool:
        _share_out(tasks, todo, pool, results, ran)
    return [results[i] for i in range(len(tasks))]


@contextmanager
def _started(count: int) -> Iterator[list[Worker]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(Worker(preload=("dcsim.planner.finalists",))) for _ in range(count)
        ]


def _share_out(
    tasks: Sequence[Task],
    todo: Iterator[int],
    pool: Sequence[Worker],
    results: dict[int, RunFigures],
    ran: Callable[[], None],
) -> None:
    """Run the tasks in `todo`, one at a time on each worker and on this process."""
    busy: dict[Worker, int] = {}

    def give(worker: Worker) -> None:
        i = next(todo, None)
        if i is not None:
            busy[worker] = i
            worker.send(simulate_run, *tasks[i])

    def collect(timeout: float | None) -> None:
        ready = wait([worker.connection for worker in busy], timeout)
        for worker in [worker for worker in busy if worker.connection in ready]:
            results[busy.pop(worker)] = worker.receive()[1]
            ran()
            give(worker)

    for worker in pool:
        give(worker)
    for i in todo:
        results[i] = simulate_run(*tasks[i])
        ran()
        collect(0.0)
    while busy:
        collect(None)

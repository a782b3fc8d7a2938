"""The ring all-reduce: the sum of all rows, the same bits everywhere, and no hang on a death."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

import numpy as np
import pytest

from dcsim.workers import Worker, WorkerDied
from dcsim.workers.ring import Ring, close_ring, make_ring


def reduce_often(ring: Ring, seed: int, rounds: int) -> list[bytes]:
    """The row after each of several rounds on fresh random summands."""
    rng = np.random.default_rng([seed, ring.rank])
    found = []
    for _ in range(rounds):
        ring.mine[:] = rng.normal(size=ring.mine.shape)
        ring.all_reduce()
        found.append(ring.mine.tobytes())
    return found


def _run(stack: ExitStack, ring: list[Ring]) -> list[Worker]:
    workers = [stack.enter_context(Worker(inherit=place.descriptors)) for place in ring]
    close_ring(ring)
    return workers


@pytest.mark.parametrize(("size", "n"), [(2, 10), (3, 7), (3, 2)])
def test_every_rank_ends_with_the_same_sum(size: int, n: int) -> None:
    ring, rounds = make_ring(size, n), 20
    with ExitStack() as stack:
        workers = _run(stack, ring)
        for worker, place in zip(workers, ring, strict=True):
            worker.send(reduce_often, place, 5, rounds)
        results = [worker.receive()[1] for worker in workers]
    draws = [np.random.default_rng([5, rank]).normal(size=(rounds, n)) for rank in range(size)]
    for turn in range(rounds):
        assert len({rows[turn] for rows in results}) == 1
        total = np.frombuffer(results[0][turn])
        np.testing.assert_allclose(total, sum(draw[turn] for draw in draws), atol=1e-12)


def test_the_death_of_a_rank_reaches_its_neighbours() -> None:
    ring = make_ring(2, 4)
    with ExitStack() as stack:
        first, second = _run(stack, ring)
        first.send(reduce_often, ring[0], 1, 1)
        os.kill(second.pid, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="neighbour"):
            first.receive()

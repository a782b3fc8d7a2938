"""A ring all-reduce between workers: sums in shared memory, turns taken over pipes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.workers.process import WorkerDied
from dcsim.workers.shared import SharedArray


@dataclass(frozen=True, slots=True)
class Ring:
    """The place of one rank in a ring of `size`; made by `make_ring`, sent to its worker.

    Every rank has one row of `buffers` (size, n) and sees those of the others. A byte over a
    pipe tells the right neighbour that a part is ready (`tell_right`, `hear_left`) and the
    left one that its parts were read (`tell_left`, `hear_right`); all four are descriptors.
    """

    rank: int
    size: int
    buffers: SharedArray
    tell_right: int
    hear_left: int
    tell_left: int
    hear_right: int

    @property
    def mine(self) -> NDArray[Any]:
        """This rank's row (n,): its summand before `all_reduce`, the sum after it."""
        return self.buffers.array[self.rank]

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the worker of this rank must inherit."""
        pipes = (self.tell_right, self.hear_left, self.tell_left, self.hear_right)
        return (self.buffers.descriptor, *pipes)

    def all_reduce(self, count: int | None = None) -> None:
        """Replace every rank's row by the sum of all rows, the same bits on every rank.

        Reduce-scatter, then all-gather: 2 (size - 1) rounds of n / size values each
        (Patarasuk & Yuan 2009). With `count`, only the first values of the rows take part.
        All ranks must call it; WorkerDied when a neighbour is gone.
        """
        left = self.buffers.array[self.rank - 1][:count]
        edges = [len(left) * i // self.size for i in range(self.size + 1)]
        parts = [slice(start, stop) for start, stop in pairwise(edges)]
        for turn in range(self.size - 1):
            self._take_turn()
            part = parts[(self.rank - 1 - turn) % self.size]
            self.mine[part] += left[part]
        for turn in range(self.size - 1):
            self._take_turn()
            part = parts[(self.rank - turn) % self.size]
            self.mine[part] = left[part]
        # The right neighbour may still be reading what the caller is about to overwrite.
        _tell(self.tell_left)
        _hear(self.hear_right)

    def sum(self, array: NDArray[Any]) -> NDArray[Any]:
        """The sum of every rank's `array`, in place; larger ones go through the row in pieces.

        `array` must be contiguous and of one shape on all ranks.
        """
        flat, row = array.reshape(-1), self.mine
        for start in range(0, flat.size, row.size):
            part = flat[start : start + row.size]
            row[: part.size] = part
            self.all_reduce(part.size)
            part[...] = row[: part.size]
        return array

    def _take_turn(self) -> None:
        _tell(self.tell_right)
        _hear(self.hear_left)


def _tell(descriptor: int) -> None:
    try:
        os.write(descriptor, b".")
    except BrokenPipeError:
        raise WorkerDied("a neighbour in the ring is gone") from None


def _hear(descriptor: int) -> None:
    if not os.read(descriptor, 1):
        raise WorkerDied("a neighbour in the ring is gone")


def make_ring(size: int, n: int, dtype: Any = np.float64) -> list[Ring]:
    """A ring of `size` ranks over `n` values each; close it once the workers have started."""
    buffers = SharedArray((size, n), dtype)
    ready = [os.pipe() for _ in range(size)]  # from rank i to i + 1
    read = [os.pipe() for _ in range(size)]  # from rank i + 1 to i
    return [
        Ring(
            rank=i,
            size=size,
            buffers=buffers,
            tell_right=ready[i][1],
            hear_left=ready[i - 1][0],
            tell_left=read[i - 1][1],
            hear_right=read[i][0],
        )
        for i in range(size)
    ]


def close_ring(ring: Sequence[Ring]) -> None:
    """Give up this process's descriptors: only then does a rank's death reach the others."""
    for descriptor in {descriptor for place in ring for descriptor in place.descriptors}:
        os.close(descriptor)

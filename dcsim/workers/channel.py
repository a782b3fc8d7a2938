"""One-way traffic between two workers: slots in shared memory, a byte for each delivery."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.workers.process import WorkerDied
from dcsim.workers.shared import SharedArray


@dataclass(frozen=True, slots=True)
class Sender:
    """The end of a channel that fills its `slots` (n, values).

    A slot may be filled again once its receiver is known to have used it, which is for the
    caller to arrange. `ready` is the descriptor of the pipe that tells of a delivery.
    """

    slots: SharedArray
    ready: int

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the worker at this end must inherit."""
        return (self.slots.descriptor, self.ready)

    def send(self, slot: int, array: NDArray[Any]) -> None:
        """Fill a slot and say so; raises WorkerDied when the receiver is gone."""
        self.slots.array[slot, : array.size] = array.reshape(-1)
        try:
            os.write(self.ready, b".")
        except BrokenPipeError:
            raise WorkerDied("a neighbour in the pipeline is gone") from None


@dataclass(frozen=True, slots=True)
class Receiver:
    """The end of a channel that reads its `slots` (n, values), in the order of sending."""

    slots: SharedArray
    heard: int

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the worker at this end must inherit."""
        return (self.slots.descriptor, self.heard)

    def receive(self, slot: int, shape: Sequence[int]) -> NDArray[Any]:
        """A view of what was sent into the slot, once it is there; WorkerDied if it never will."""
        if not os.read(self.heard, 1):
            raise WorkerDied("a neighbour in the pipeline is gone")
        return self.slots.array[slot, : math.prod(shape)].reshape(tuple(shape))


def make_channel(slots: int, values: int, dtype: Any = np.float64) -> tuple[Sender, Receiver]:
    """The two ends of a channel with `slots` places of `values` each."""
    heard, ready = os.pipe()
    memory = SharedArray((slots, values), dtype)
    return Sender(memory, ready), Receiver(memory, heard)

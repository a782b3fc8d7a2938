"""The fluid network inside a SimPy environment."""

from collections.abc import Sequence

import numpy as np
import simpy
from numpy.typing import NDArray

from dcsim.simulation.fluid import FluidNetwork


class SimulatedNetwork:
    """Drives a `FluidNetwork` with one batched callback for each instant that changes it."""

    def __init__(self, environment: simpy.Environment, network: FluidNetwork) -> None:
        raise NotImplementedError

    def transfer(
        self,
        route: Sequence[int] | NDArray[np.int64],
        size_bytes: float,
        weight: float = 1.0,
    ) -> simpy.Event:
        """An event that succeeds when the last byte has arrived.

        `event.flow` is the flow's id, for `cancel`.
        """
        raise NotImplementedError

    def cancel(self, event: simpy.Event) -> float:
        """Stop a transfer; its event never fires. Bytes that were left."""
        raise NotImplementedError

    def set_capacity(self, link: int, capacity_bytes_per_s: float) -> None:
        """Degrade or repair a link from now on."""
        raise NotImplementedError

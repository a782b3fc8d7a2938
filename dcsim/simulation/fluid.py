"""Fluid flows with weighted max-min fair sharing: as a batch and inside a simulation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class FluidNetwork:
    """Links and the flows that share them, advanced from change to change.

    A flow first waits the sum of its links' latencies holding no bandwidth, then drains
    its bytes at `weight` times the common level of its bottleneck (max-min fairness by
    progressive filling; Bertsekas and Gallager, Data Networks, section 6.5.2). Only what
    a change can reach is solved again.
    """

    def __init__(self, capacity_bytes_per_s: Floats, latency_s: Floats | None = None) -> None:
        raise NotImplementedError

    def start(
        self, now: float, route: Sequence[int] | Ints, size_bytes: float, weight: float = 1.0
    ) -> int:
        """Start a flow at `now`; its id. Changes take effect at the next `advance`."""
        raise NotImplementedError

    def cancel(self, now: float, flow: int) -> float:
        """Take a flow out at `now`; the bytes that it had left."""
        raise NotImplementedError

    def set_capacity(self, now: float, link: int, capacity_bytes_per_s: float) -> None:
        """Degrade or repair a link at `now`; 0 stalls the flows on it."""
        raise NotImplementedError

    def advance(self, now: float) -> list[int]:
        """Move to `now`, apply all changes of this instant at once; the finished flows' ids."""
        raise NotImplementedError

    def next_completion(self) -> float:
        """Date at which `advance` must be called next (inf when nothing will happen)."""
        raise NotImplementedError

    def link_rates(self) -> Floats:
        """Bytes/s on every link at the date of the last `advance`, shape (n_links,)."""
        raise NotImplementedError

    def link_bytes(self) -> Floats:
        """Bytes that every link has carried so far, shape (n_links,)."""
        raise NotImplementedError


def simulate_flows(
    capacity_bytes_per_s: Floats,
    latency_s: Floats,
    routes: Sequence[Sequence[int] | Ints],
    size_bytes: Floats,
    start_s: Floats,
    weight: Floats | None = None,
) -> Floats:
    """Completion time of every flow, shape (n_flows,); links have shape (n_links,)."""
    raise NotImplementedError

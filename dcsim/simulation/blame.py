"""Which link held which job back, and for how long."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: A link whose load is this near to its capacity is full.
_FULL = 1.0 - 1e-6


class Blame:
    """Adds up, for every job, the time that a link shared with others limited its traffic.

    Under max-min fairness a flow that fills none of its own links (its NICs, the rate that
    it wants) is held back by a shared link that is full.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._flows: dict[int, tuple[str, Ints]] = {}
        self._held: list[tuple[str, int]] = []
        self._since = 0.0
        self._seconds: dict[tuple[str, int], float] = {}

    def began(self, flow: int, job: str, route: Ints) -> None:
        """A flow of `job` is under way on `route`."""
        self._flows[flow] = (job, route)

    def ended(self, flow: int) -> None:
        """It is no more."""
        self._flows.pop(flow, None)

    def observe(self, now: float, shares: Floats) -> None:
        """All links have these loads from `now` on."""
        self._settle(now)
        if len(self._flows) < 2:
            return
        shared = len(self._names)
        users = np.zeros(len(shares), dtype=np.int64)
        for _, route in self._flows.values():
            users[route] += 1
        for job, route in self._flows.values():
            full = route[shares[route] >= _FULL]
            if full.size and full.max() < shared and users[full[0]] > 1:
                self._held.append((job, int(full[0])))

    def seconds(self, now: float) -> Mapping[str, Mapping[str, float]]:
        """Time up to `now` that each link held each job back, by job and link name."""
        self._settle(now)
        found: dict[str, dict[str, float]] = {}
        for (job, link), duration in self._seconds.items():
            found.setdefault(job, {})[self._names[link]] = duration
        return found

    def _settle(self, now: float) -> None:
        for key in self._held:
            self._seconds[key] = self._seconds.get(key, 0.0) + now - self._since
        self._held.clear()
        self._since = now

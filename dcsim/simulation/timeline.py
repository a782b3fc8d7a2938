"""Time series of a run, averaged over equal intervals."""

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.nodes import Nodes
from dcsim.simulation.record import Timeline
from dcsim.simulation.traffic import TrafficLog

Floats = NDArray[np.float64]


class Marks:
    """Counts that jump: busy and broken accelerators, jobs in the queue."""

    def __init__(self) -> None:
        self.time_s: list[float] = []
        self.counts: list[tuple[int, int, int]] = []
        self._seen = (-1, -1)

    def observe(self, now: float, nodes: Nodes, queue: int) -> None:
        """Look whether anything jumped."""
        if (nodes.version, queue) != self._seen:
            self._seen = (nodes.version, queue)
            self.mark(now, (nodes.busy, nodes.down, queue))

    def mark(self, now: float, counts: tuple[int, int, int]) -> None:
        """From `now` on these counts hold."""
        if not self.counts or self.counts[-1] != counts:
            self.time_s.append(now)
            self.counts.append(counts)


def timeline(
    marks: Marks, log: TrafficLog, shared_bytes_per_s: Floats, end_s: float, points: int
) -> Timeline:
    """Means over `points` equal intervals of [0, end_s]; empty for 0 points or no time."""
    if points <= 0 or end_s <= 0.0:
        return Timeline(np.zeros(0))
    edges = np.linspace(0.0, end_s, points + 1)
    series: dict[str, Floats] = {}
    counts = np.array(marks.counts, dtype=float).reshape(-1, 3)
    times = np.array(marks.time_s)
    for column, name in enumerate(("accelerators_busy", "accelerators_down", "queue_length")):
        series[name] = _means_of_steps(times, counts[:, column], edges)
    share = link_shares(log, shared_bytes_per_s, edges)
    for link, name in enumerate(("storage_read", "storage_write")):
        exists = link < len(shared_bytes_per_s)
        carried = share[:, link] * shared_bytes_per_s[link] if exists else np.zeros(points)
        series[name] = carried
    series["network_busiest"] = share.max(axis=1) if share.size else np.zeros(points)
    return Timeline(edges[1:], series)


def link_shares(log: TrafficLog, capacity_bytes_per_s: Floats, edges: Floats) -> Floats:
    """Mean load of every shared link between the edges, shape (n_intervals, n_links)."""
    begin, end, moved = _columns(log)
    width = np.diff(edges)
    share = np.zeros((len(width), len(capacity_bytes_per_s)))
    times = np.array([time for time, _ in log.rates])
    rates = np.array([rates for _, rates in log.rates])
    for link, capacity in enumerate(capacity_bytes_per_s):
        taken = np.array([entry[3].get(link, 0.0) for entry in log.entries])
        chosen = taken > 0.0
        loads = moved[chosen] * taken[chosen]
        share[:, link] = _moved_within(begin[chosen], end[chosen], loads, edges) / width
        if len(times):
            share[:, link] += _means_of_steps(times, rates[:, link], edges)
        share[:, link] /= capacity
    return share


def _columns(log: TrafficLog) -> tuple[Floats, Floats, Floats]:
    table = np.array([entry[:3] for entry in log.entries], dtype=float).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _means_of_steps(times: Floats, values: Floats, edges: Floats) -> Floats:
    """Means of a step function (0 before its first time) between the edges."""
    if not len(times):
        return np.zeros(len(edges) - 1)
    knots = np.append(times, max(edges[-1], times[-1]))
    area = np.concatenate([[0.0], np.cumsum(values * np.diff(knots))])
    return np.diff(np.interp(edges, knots, area)) / np.diff(edges)


def _moved_within(begin: Floats, end: Floats, moved: Floats, edges: Floats) -> Floats:
    """Bytes between the edges when each entry moves evenly from its begin to its end."""
    if not len(begin):
        return np.zeros(len(edges) - 1)
    duration = np.maximum(end - begin, 1e-9 * max(edges[-1], 1.0))
    knots = np.concatenate([begin, begin + duration])
    change = np.concatenate([moved / duration, -moved / duration])
    order = np.argsort(knots, kind="stable")
    knots, rate = knots[order], np.cumsum(change[order])
    carried = np.concatenate([[0.0], np.cumsum(rate[:-1] * np.diff(knots))])
    return np.diff(np.interp(edges, knots, carried))

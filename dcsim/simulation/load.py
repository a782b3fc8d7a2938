"""How loaded every shared link and every data server was over time: the heat map."""

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.record import LoadRecords
from dcsim.simulation.servers import SERVING, Servers
from dcsim.simulation.timeline import link_shares
from dcsim.simulation.traffic import Traffic

Floats = NDArray[np.float64]


def load(traffic: Traffic, servers: Servers, end_s: float, points: int) -> LoadRecords | None:
    """Means over `points` equal intervals of [0, end_s]; None for 0 points or no time.

    A server's load is the larger of reading and writing at its drives. It carries the load
    of the storage over those that serve, so servers differ only where some were lost.
    """
    if points <= 0 or end_s <= 0.0:
        return None
    edges = np.linspace(0.0, end_s, points + 1)
    share = link_shares(traffic.log, traffic.links.capacity, edges)
    drives = share[:, [traffic.links.place("read"), traffic.links.place("write")]].max(axis=1)
    marks = servers.marks
    count = len(marks[0][1])
    if len(marks) == 1:
        names: tuple[str, ...] = (f"each of {count} servers" if count > 1 else "server 0",)
        own = drives[:, np.newaxis]
    else:
        names = tuple(f"server {number}" for number in range(count))
        own = drives[:, np.newaxis] * _parts(servers, edges)
    return LoadRecords((*traffic.names, *names), edges[1:], np.hstack([share, own]))


def _parts(servers: Servers, edges: Floats) -> Floats:
    """What each server carries of the whole, times their number; shape (n, n_servers)."""
    times = np.array([time for time, _ in servers.marks])
    serving = np.array([state == SERVING for _, state in servers.marks], dtype=float)
    parts = serving * serving.shape[1] / serving.sum(axis=1, keepdims=True)
    knots = np.append(times, max(float(edges[-1]), float(times[-1])))
    spans = np.diff(knots)[:, np.newaxis]
    area = np.vstack([np.zeros(serving.shape[1]), np.cumsum(parts * spans, axis=0)])
    means = [np.diff(np.interp(edges, knots, column)) for column in area.T]
    return np.array(means).T / np.diff(edges)[:, np.newaxis]

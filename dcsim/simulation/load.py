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
    lost = np.array([state != SERVING for _, state in servers.marks]).any(axis=0)
    apart = np.flatnonzero(lost).tolist()
    alike = np.flatnonzero(~lost).tolist()
    names = [f"server {number}" for number in apart]
    if alike:
        # One of them stands for all that were never lost.
        others = f"each of {len(alike)} servers" if len(alike) > 1 else f"server {alike[0]}"
        names.append(others)
    own = drives[:, np.newaxis] * _parts(servers, edges)[:, apart + alike[:1]]
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

"""Who beats whom on time and money."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto(time_s: ArrayLike, cost_usd: ArrayLike) -> NDArray[np.bool_]:
    """Which points no other point dominates, shape (n,).

    A point dominates another when it is no worse on both axes and better on one; equal
    points therefore share the frontier. O(n log n): after sorting by time and then by
    cost, a point survives if it is cheaper than everything faster than itself.
    """
    time = np.asarray(time_s, dtype=float)
    cost = np.asarray(cost_usd, dtype=float)
    if time.size == 0:
        return np.zeros(0, dtype=bool)
    order = np.lexsort((cost, time))
    sorted_time, sorted_cost = time[order], cost[order]
    starts = np.flatnonzero(np.r_[True, np.diff(sorted_time) > 0.0])
    group = np.repeat(np.arange(starts.size), np.diff(np.r_[starts, time.size]))
    best_of_group = sorted_cost[starts]
    best_before = np.r_[np.inf, np.minimum.accumulate(best_of_group)[:-1]]
    survives = (best_of_group < best_before)[group] & (sorted_cost == best_of_group[group])
    keep = np.zeros(time.size, dtype=bool)
    keep[order] = survives
    return keep


def dominates(
    time_s: ArrayLike, cost_usd: ArrayLike, point: tuple[float, float]
) -> NDArray[np.bool_]:
    """Which points dominate `point` = (time, cost), shape (n,)."""
    time = np.asarray(time_s, dtype=float)
    cost = np.asarray(cost_usd, dtype=float)
    no_worse = (time <= point[0]) & (cost <= point[1])
    return no_worse & ((time < point[0]) | (cost < point[1]))

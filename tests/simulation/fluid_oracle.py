"""Max-min fair flows by the textbook, slow and without any state kept between changes."""

import numpy as np


def fair_rates(capacity, routes, weight):
    """Rates by progressive filling (Bertsekas and Gallager, section 6.5.2)."""
    rate = np.zeros(len(routes))
    free = set(range(len(routes)))
    room = np.array(capacity, dtype=float)
    while free:
        best, where = np.inf, -1
        for link in range(len(room)):
            load = sum(weight[f] * routes[f].count(link) for f in free)
            if load > 0 and max(room[link], 0.0) / load < best:
                best, where = max(room[link], 0.0) / load, link
        held = [f for f in free if where in routes[f]]
        for f in held:
            rate[f] = weight[f] * best
            for link in routes[f]:
                room[link] -= rate[f]
        free -= set(held)
    return rate


def completion_times(capacity, latency, routes, size, start, weight):
    """Run the flows from change to change, solving everything each time."""
    flows = range(len(routes))
    enter = [start[f] + sum(latency[link] for link in routes[f]) for f in flows]
    left = [float(s) for s in size]
    done = [np.inf] * len(routes)
    waiting, active = set(flows), set()
    now = 0.0
    while waiting or active:
        order = sorted(active)
        rate = fair_rates(capacity, [routes[f] for f in order], [weight[f] for f in order])
        ends = [
            now + left[f] / r if r > 0 else (now if left[f] == 0 else np.inf)
            for f, r in zip(order, rate, strict=True)
        ]
        following = min([enter[f] for f in waiting] + ends)
        for f, r, end in zip(order, rate, ends, strict=True):
            left[f] = 0.0 if end <= following * (1 + 1e-13) else left[f] - r * (following - now)
            if left[f] <= 0.0:
                done[f] = following
                active.discard(f)
        now = following
        for f in [f for f in waiting if enter[f] <= now]:
            waiting.discard(f)
            active.add(f)
    return np.array(done)

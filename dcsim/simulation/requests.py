"""Requests that a deployed model answers: waiting times by Lindley's recursion."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Share of the requests that come while the queue is still filling up; they are left out.
WARM_UP = 0.2


def waiting_times(gaps_s: Floats, service_s: Floats) -> Floats:
    """Waiting time of each request at one server that takes them in order, shape (n,).

    Lindley (1952): W_{i+1} = max(W_i + S_i − A_{i+1}, 0), here without a loop as the
    running sum less its running minimum. `gaps_s` are the gaps before each request; the
    first finds an empty server.
    """
    steps = np.concatenate([[0.0], service_s[:-1] - gaps_s[1:]])
    walk = np.cumsum(steps)
    return walk - np.minimum.accumulate(walk)


def answered(
    rate_per_s: float, service_s: tuple[float, ...], count: int, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Waiting and latency of `count` requests at one replica, those of the warm-up left out.

    Poisson arrivals at `rate_per_s`; each takes a service time drawn from `service_s`.
    """
    total = int(np.ceil(count / (1.0 - WARM_UP)))
    gaps = random.exponential(1.0 / rate_per_s, total)
    services = random.choice(np.asarray(service_s), total)
    waits = waiting_times(gaps, services)
    first = total - count
    return waits[first:], waits[first:] + services[first:]


def mean_wait_s(rate_per_s: float, service_s: Floats) -> float:
    """Mean wait in a steady M/G/1 queue: λ·E[S²] / (2·(1 − ρ)) (Pollaczek and Khinchine).

    Infinite where requests come faster than they are answered.
    """
    load = rate_per_s * float(np.mean(service_s))
    if load >= 1.0:
        return float("inf")
    return rate_per_s * float(np.mean(np.square(service_s))) / (2.0 * (1.0 - load))

"""A shape of jobs from statistics as papers print them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.records import InputError
from dcsim.workload.traces.arrivals import DAY_HOURS, WEEK_HOURS, Arrivals, with_mean
from dcsim.workload.traces.generate import JobClass, Shape

Floats = NDArray[np.float64]

#: Points at which a distribution given by median and mean is written down.
POINTS = 20_001
#: Halvings of the range of a lognormal's spread.
_TURNS = 60
_WIDEST = 20.0


def published(statistics: Mapping[str, Any]) -> Shape:
    """A shape from statistics as papers print them.

    Keys: `jobs_per_day`; `run`: {median, mean} in seconds, and `longest`; `sizes`: {accelerators:
    weight}; optional `estimate_factors` (a list, all equally likely), `users`: {name: weight},
    and `status`: {name: weight}, or {name: {weight, median, mean, longest}} for endings with run
    times of their own. The cycle is `hour_of_day` (24 weights from midnight) and `day_of_week`
    (7 weights), or `day_peak` and `weekend` (intensity at 15:00 and on days 6 and 7 relative to
    the mean, 1 by default). Run times are lognormal with that median and mean, none beyond
    `longest`. Raises `InputError` that names the missing or wrong key.
    """
    rate = _positive(statistics, "jobs_per_day")
    sizes = _weights(statistics, "sizes")
    for size in sizes:
        if not (size.isdigit() and int(size) > 0):
            raise InputError(f"sizes: {size!r} is not a whole number of accelerators")
    factors = np.sort(np.array(statistics.get("estimate_factors", []), float))
    if factors.size and factors[0] < 1:
        raise InputError("estimate_factors: an estimate below the run time would end the job")
    users = _weights(statistics, "users") if "users" in statistics else {"": 1.0}
    endings = _endings(statistics)
    owners = tuple((user, "", end) for end in endings for user in users)
    classes = []
    for number, (share, runs) in enumerate(endings.values()):
        est = runs * np.resize(factors, runs.size) if factors.size else None
        at = np.searchsorted(np.cumsum(list(users.values())), _spread(runs.size), side="right")
        owner = number * len(users) + np.minimum(at, len(users) - 1)
        classes += [
            JobClass(int(size), share * weight, runs, est, owner) for size, weight in sizes.items()
        ]
    return Shape(
        Arrivals(86400.0 / rate, _stated_cycle(statistics), np.empty(0)), tuple(classes), owners
    )


def _spread(count: int) -> Floats:
    """`count` numbers between 0 and 1 whose every stretch is even: multiples of the golden ratio.

    Labels given by them to sorted run times are independent of the run time.
    """
    return np.asarray((np.arange(count) * 0.6180339887498949) % 1.0)


def _endings(statistics: Mapping[str, Any]) -> dict[str, tuple[float, Floats]]:
    """Share and sorted run times of the jobs that end in each way."""
    given = statistics.get("status", {"": 1.0})
    if not isinstance(given, Mapping) or not given:
        raise InputError("published statistics need status as weights by name")
    weights = {
        str(name): _positive(value, "weight") if isinstance(value, Mapping)
        else _positive(given, name)
        for name, value in given.items()
    }  # fmt: skip
    total = sum(weights.values())
    found = {}
    for name, value in given.items():
        own = isinstance(value, Mapping) and "median" in value
        run = value if own else statistics.get("run")
        if not isinstance(run, Mapping):
            raise InputError("published statistics need run: {median: ..., mean: ...} in seconds")
        runs = _lognormal(_positive(run, "median"), _positive(run, "mean"), run.get("longest"))
        found[str(name)] = (weights[str(name)] / total, runs)
    return found


def _stated_cycle(statistics: Mapping[str, Any]) -> Floats:
    """Hours by `hour_of_day` or a cosine that peaks at 15:00; days likewise."""
    peak = float(statistics.get("day_peak", 1.0))
    weekend = float(statistics.get("weekend", 1.0))
    if not (1 <= peak < 2 and 0 < weekend <= 3.5):
        raise InputError("day_peak must be from 1 to 2 and weekend above 0, both relative to 1")
    if weekend >= 3.5:
        raise InputError("weekend: so busy that nothing is left for the other days")
    hour = 1 + (peak - 1) * np.cos((np.arange(DAY_HOURS) + 0.5 - 15) * 2 * np.pi / DAY_HOURS)
    day = np.array([(7 - 2 * weekend) / 5] * 5 + [weekend] * 2)
    hour = _listed(statistics, "hour_of_day", DAY_HOURS, hour)
    day = _listed(statistics, "day_of_week", 7, day)
    cycle = np.outer(day, hour).reshape(WEEK_HOURS)
    return np.asarray(cycle / cycle.mean())


def _listed(statistics: Mapping[str, Any], key: str, count: int, otherwise: Floats) -> Floats:
    if key not in statistics:
        return otherwise
    try:
        values = np.array(statistics[key], float)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (count,) or not (values > 0).all() or not np.isfinite(values).all():
        raise InputError(f"{key}: {count} positive weights are needed")
    return values


def _lognormal(median: float, mean: float, longest: Any) -> Floats:
    """Sorted quantiles of a lognormal distribution, cut at `longest`, with that median and mean."""
    from scipy.special import ndtri

    if mean < median:
        raise InputError("run: a lognormal mean is not below its median")
    normal = ndtri((np.arange(POINTS) + 0.5) / POINTS)
    if longest is None:
        return with_mean(median * np.exp(np.sqrt(2 * np.log(mean / median)) * normal), mean)
    most = float(longest)
    low, high = 0.0, _WIDEST
    for _ in range(_TURNS):
        middle = (low + high) / 2
        if np.minimum(median * np.exp(middle * normal), most).mean() < mean:
            low = middle
        else:
            high = middle
    if most < median or high >= _WIDEST:
        raise InputError(
            f"run: no lognormal run times up to {most:g} s have the median {median:g} s and "
            f"the mean {mean:g} s"
        )
    return np.minimum(median * np.exp(high * normal), most)


def _positive(statistics: Mapping[str, Any], key: str) -> float:
    value = statistics.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
        raise InputError(f"published statistics need {key} as a positive number, not {value!r}")
    return float(value)


def _weights(statistics: Mapping[str, Any], key: str) -> dict[str, float]:
    """Weights by name, scaled to sum to 1."""
    given = statistics.get(key)
    if not isinstance(given, Mapping) or not given:
        raise InputError(f"published statistics need {key} as weights by name")
    weights = {str(name): _positive(given, name) for name in given}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}

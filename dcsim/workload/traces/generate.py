"""Job traces drawn from the shape of another trace, or from published statistics.

A shape has arrivals with a daily and weekly cycle, sizes, and for each size run times,
estimates, endings and owners. Draws are stratified, so that means and medians of a generated
trace keep to the shape's even where run times have heavy tails.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.records import InputError
from dcsim.workload.traces.trace import Trace, prepared

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOUR_S, WEEK_HOURS, DAY_HOURS = 3600.0, 168, 24
#: Whole weeks (days) of arrivals that a weekly (daily) cycle is told from.
LEAST_CYCLES = 2
#: Gaps that every hour of a cycle needs on average.
LEAST_GAPS = 20
#: Arrivals are drawn up to so often, until mean and median gap are within this share.
MOST_DRAWS, GOOD_DRAW = 20, 0.02
#: Points at which a distribution given by median and mean is written down.
POINTS = 20_001


@dataclass(frozen=True, slots=True)
class SizeClass:
    """Jobs of one size: its share of all jobs, sorted run times in seconds and their mean.

    `est_s` has the estimates of the same jobs in that order, or None where there are none.
    """

    accelerators: int
    share: float
    run_s: Floats
    mean_run_s: float
    est_s: Floats | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What a generated trace looks like.

    Either `gaps_by_hour` has the times from a submission to the next, in seconds, for each
    hour of the day or week (or one entry for all); or arrivals are a Poisson process of mean
    gap `mean_gap_s` whose intensity in each hour of the week is `cycle` (168,), mean 1.
    The first submission is at `origin_s`, which fixes the hour of the day. `owners` are
    triples (user, group, status) with the shares `owner_share`. `whole_seconds` rounds times.
    """

    mean_gap_s: float
    gaps_by_hour: tuple[Floats, ...]
    cycle: Floats
    sizes: tuple[SizeClass, ...]
    owners: tuple[tuple[str, str, str], ...]
    owner_share: Floats
    whole_seconds: bool = False
    origin_s: float = 0.0


def fit(trace: Trace) -> Shape:
    """The shape of the jobs of `trace` that can run; InputError when there are fewer than two."""
    jobs = prepared(trace, np.iinfo(np.int64).max)
    if len(jobs) < 2:
        raise InputError("a shape needs at least two jobs that can run")
    submit = np.sort(jobs.submit_s)
    span = float(submit[-1] - submit[0])
    if span <= 0:
        raise InputError("a shape needs jobs submitted at different times")
    triples = np.stack([jobs.user.astype(str), jobs.group.astype(str), jobs.status.astype(str)], 1)
    owners, counts = np.unique(triples, axis=0, return_counts=True)
    has_estimates = bool((jobs.est_s > jobs.run_s).any())
    sizes = tuple(
        _size_class(jobs, size, has_estimates) for size in np.unique(jobs.accelerators).tolist()
    )
    times = np.concatenate([jobs.submit_s, jobs.run_s])
    return Shape(
        span / (len(jobs) - 1),
        _gaps_by_hour(submit),
        np.ones(WEEK_HOURS),
        sizes,
        tuple((str(user), str(group), str(status)) for user, group, status in owners),
        counts / counts.sum(),
        bool((times == np.floor(times)).all()),
        float(submit[0]),
    )


def published(statistics: Mapping[str, Any]) -> Shape:
    """A shape from statistics as papers print them.

    Keys: `jobs_per_day`; `run`: {median, mean} in seconds, and `longest`; `sizes`: {accelerators:
    weight}; optional `estimate_factors` (a list, all equally likely), `status`: {name: weight},
    `users`: {name: weight}, `day_peak` and `weekend` (intensity at 15:00 and on days 6 and 7
    relative to the mean, 1 by default). Run times are lognormal with that median and mean
    (before the longest are cut). Raises `InputError` that names the missing or wrong key.
    """
    rate = _positive(statistics, "jobs_per_day")
    sizes = _weights(statistics, "sizes")
    run = statistics.get("run")
    if not isinstance(run, Mapping):
        raise InputError("published statistics need run: {median: ..., mean: ...} in seconds")
    runs = _lognormal(_positive(run, "median"), _positive(run, "mean"), run.get("longest"))
    factors = np.sort(np.array(statistics.get("estimate_factors", []), float))
    if factors.size and factors[0] < 1:
        raise InputError("estimate_factors: an estimate below the run time would end the job")
    est = runs * np.resize(factors, runs.size) if factors.size else None
    users = _weights(statistics, "users") if "users" in statistics else {"": 1.0}
    status = _weights(statistics, "status") if "status" in statistics else {"": 1.0}
    owners = [(user, "", end, a * b) for user, a in users.items() for end, b in status.items()]
    return Shape(
        86400.0 / rate,
        (),
        _stated_cycle(statistics),
        tuple(
            SizeClass(int(size), share, runs, float(runs.mean()), est)
            for size, share in sizes.items()
        ),
        tuple((user, group, end) for user, group, end, _ in owners),
        np.array([share for *_, share in owners]),
    )


def generate(shape: Shape, jobs: int, rng: np.random.Generator) -> Trace:
    """A trace of `jobs` jobs of that shape, sorted by submission."""
    if jobs < 1:
        raise InputError("a generated trace needs at least one job")
    submit = _arrivals(shape, jobs, rng)
    chosen = _allotted(np.array([size.share for size in shape.sizes]), jobs, rng)
    run, est = np.empty(jobs), np.full(jobs, np.nan)
    for i, size in enumerate(shape.sizes):
        here = np.flatnonzero(chosen == i)
        if here.size:
            run[here], est[here] = _runs(size, here.size, rng)
    if shape.whole_seconds:
        submit, run, est = np.floor(submit), np.maximum(np.rint(run), 1.0), np.ceil(est)
    owner = _allotted(shape.owner_share, jobs, rng)
    user, group, status = (
        np.array([triple[part] for triple in shape.owners], dtype=object)[owner]
        for part in range(3)
    )
    return Trace(
        job_id=np.array([f"g{i}" for i in range(jobs)], dtype=object),
        submit_s=submit,
        run_s=run,
        accelerators=np.array([size.accelerators for size in shape.sizes], np.int64)[chosen],
        est_s=np.maximum(est, run),
        user=user,
        group=group,
        status=status,
        wait_s=np.full(jobs, np.nan),
        source_format="generated",
    )


def _size_class(jobs: Trace, size: int, has_estimates: bool) -> SizeClass:
    mine = np.flatnonzero(jobs.accelerators == size)
    mine = mine[np.argsort(jobs.run_s[mine], kind="stable")]
    run = jobs.run_s[mine]
    est = jobs.est_s[mine] if has_estimates else None
    return SizeClass(size, mine.size / len(jobs), run, float(run.mean()), est)


def _runs(size: SizeClass, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Run times and estimates (NaN where there are none) of `count` jobs.

    A job takes the run time from between two neighbours of the sorted sample and the estimate
    of the nearer one, so that who runs long also asks for long.
    """
    at = _places(size.run_s.size, count, rng)
    run = _with_mean(np.interp(at, np.arange(size.run_s.size), size.run_s), size.mean_run_s)
    if size.est_s is None:
        return run, np.full(count, np.nan)
    nearest = np.clip(np.rint(at), 0, size.est_s.size - 1).astype(np.int64)
    return run, np.maximum(size.est_s[nearest], run)


def _places(sample: int, count: int, rng: np.random.Generator) -> Floats:
    """`count` places in a sorted sample, one in each of as many equal parts, shuffled."""
    return rng.permutation((np.arange(count) + rng.random(count)) / count * sample - 0.5)


def _with_mean(values: Floats, mean: float) -> Floats:
    """`values` with those above the median scaled until the mean is `mean`.

    The few largest of a heavy tail decide the mean, so that even stratified draws miss it.
    """
    above = values > np.median(values)
    tail = float(values[above].sum())
    if not tail:
        return values
    factor = (mean * values.size - float(values[~above].sum())) / tail
    return np.where(above, values * np.clip(factor, 0.5, 2.0), values)


def _allotted(share: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Which class each of `count` jobs belongs to, in numbers as near to `share` as can be."""
    bounds = np.cumsum(share) / share.sum()
    at = (np.arange(count) + rng.random()) / count
    return rng.permutation(np.minimum(np.searchsorted(bounds, at, side="right"), share.size - 1))


def _gaps_by_hour(submit: Floats) -> tuple[Floats, ...]:
    """Times to the next submission by the hour of the week, of the day, or all together.

    The finest division is taken that the trace covers often enough and that leaves every hour
    enough gaps; an hour without any takes those of all.
    """
    gaps = np.diff(submit)
    for period in (WEEK_HOURS, DAY_HOURS):
        hour = np.floor(submit[:-1] / HOUR_S).astype(np.int64) % period
        covered = submit[-1] - submit[0] >= LEAST_CYCLES * period * HOUR_S
        if covered and gaps.size >= LEAST_GAPS * period:
            by_hour = (gaps[hour == h] for h in range(period))
            return tuple(mine if mine.size else gaps for mine in by_hour)
    return (gaps,)


def _cycle_time(at_s: Floats, cycle: Floats) -> Floats:
    """The clock on which arrivals have no cycle: the integral of the intensity, seconds."""
    hour = np.floor(at_s / HOUR_S)
    before = np.concatenate(([0.0], np.cumsum(cycle)))
    weeks, within = np.divmod(hour.astype(np.int64), WEEK_HOURS)
    whole = weeks * float(cycle.sum()) + before[within]
    return (whole + cycle[within] * (at_s / HOUR_S - hour)) * HOUR_S


def _arrivals(shape: Shape, jobs: int, rng: np.random.Generator) -> Floats:
    """Submission times, sorted, shape (jobs,)."""
    if shape.gaps_by_hour:
        return _nearest_resample(shape, jobs, rng)
    gaps = -np.log1p(-(_places(jobs, jobs, rng)[1:] + 0.5) / jobs)
    clock = np.concatenate(([0.0], np.cumsum(gaps * shape.mean_gap_s)))
    hours = np.arange(int(clock[-1] / HOUR_S) + 2 * WEEK_HOURS, dtype=float)
    return np.interp(clock, _cycle_time(hours * HOUR_S, shape.cycle), hours * HOUR_S)


def _nearest_resample(shape: Shape, jobs: int, rng: np.random.Generator) -> Floats:
    """Of several draws the first whose mean and median gap keep to the shape's, or the nearest.

    A short draw from bursty arrivals would else often miss them by a tenth.
    """
    wanted = np.median(np.concatenate(shape.gaps_by_hour))
    best, least = np.full(jobs, shape.origin_s), np.inf
    for _ in range(MOST_DRAWS if jobs > 2 else 1):
        times = _resampled(shape.gaps_by_hour, shape.origin_s, jobs, rng)
        gaps = np.diff(times) if jobs > 1 else np.array([shape.mean_gap_s])
        # a second more on top: the median of bursts may be 0
        errors = (
            abs(gaps.mean() / shape.mean_gap_s - 1),
            abs((np.median(gaps) + 1) / (wanted + 1) - 1),
        )
        if max(errors) < least:
            best, least = times, max(errors)
        if least < GOOD_DRAW:
            break
    return best


def _resampled(
    by_hour: tuple[Floats, ...], origin_s: float, jobs: int, rng: np.random.Generator
) -> Floats:
    """Each gap is one of those that began in the same hour, none again before all were used."""
    left: list[list[float]] = [[] for _ in by_hour]
    at, times = origin_s, []
    for _ in range(jobs):
        times.append(at)
        hour = int(at // HOUR_S) % len(by_hour)
        if not left[hour]:
            left[hour] = rng.permutation(by_hour[hour]).tolist()
        at += left[hour].pop()
    return np.array(times)


def _stated_cycle(statistics: Mapping[str, Any]) -> Floats:
    """A cosine over the day that peaks at 15:00, and two days of the week with less."""
    peak = float(statistics.get("day_peak", 1.0))
    weekend = float(statistics.get("weekend", 1.0))
    if not (1 <= peak < 2 and 0 < weekend <= 3.5):
        raise InputError("day_peak must be from 1 to 2 and weekend above 0, both relative to 1")
    hour = np.arange(WEEK_HOURS)
    day = 1 + (peak - 1) * np.cos((hour % 24 + 0.5 - 15) * 2 * np.pi / 24)
    weekday = (7 - 2 * weekend) / 5
    if weekday <= 0:
        raise InputError("weekend: so busy that nothing is left for the other days")
    cycle = day * np.where(hour // 24 >= 5, weekend, weekday)
    return np.asarray(cycle / cycle.mean())


def _lognormal(median: float, mean: float, longest: Any) -> Floats:
    """Sorted quantiles of a lognormal distribution with that median and mean."""
    from scipy.special import ndtri

    if mean < median:
        raise InputError("run: a lognormal mean is not below its median")
    sigma = np.sqrt(2 * np.log(mean / median))
    values = median * np.exp(sigma * ndtri((np.arange(POINTS) + 0.5) / POINTS))
    if longest is None:
        return _with_mean(values, mean)
    return np.minimum(values, float(longest))


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

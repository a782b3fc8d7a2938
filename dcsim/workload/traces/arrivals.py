"""When jobs are submitted: a bursty stream under a cycle of hours and days.

On a clock that runs as fast as the hour and the day are busy, submissions have no cycle left.
Gaps on that clock are drawn from the trace's own, in runs of neighbours so that bursts stay
bursts, and are put back under the cycle.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOUR_S, WEEK_HOURS, DAY_HOURS = 3600.0, 168, 24
#: Whole days (weeks) of arrivals that a daily (weekly) cycle is told from.
LEAST_CYCLES = 2
#: Neighbouring gaps that are drawn together.
RUN_OF_GAPS = 16
#: Draws that are made at most, until median gap, hours and days are within this share.
MOST_DRAWS, GOOD_DRAW = 20, 0.02
_TURNS = 30
_LEAST_INTENSITY = 1e-3
#: How strongly a median that is off bends the gaps of the next draw.
_POWER_STEP = 0.3
#: Hours and days with fewer expected arrivals are too few to be held to a share.
_LEAST_COUNT = 20.0


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A stream of submissions: its first at `origin_s`, its mean gap, cycle and gaps.

    `cycle` (168,) is the intensity in each hour of the week, relative to the mean. `gaps` are
    those of a trace in order, on the clock without a cycle and with mean 1; none stands for a
    Poisson process. `median_gap_s` is what the trace had, NaN where there is none.
    """

    mean_gap_s: float
    cycle: Floats
    gaps: Floats
    median_gap_s: float = np.nan
    origin_s: float = 0.0


def fit_arrivals(submit_s: Floats) -> Arrivals:
    """The stream of sorted submissions, at least two of them and not all at one time."""
    span = float(submit_s[-1] - submit_s[0])
    cycle = _fitted_cycle(submit_s)
    gaps = np.diff(_cycle_time(submit_s, cycle))
    return Arrivals(
        span / (submit_s.size - 1),
        cycle,
        gaps / gaps.mean(),
        float(np.median(np.diff(submit_s))),
        float(submit_s[0]),
    )


def draw_arrivals(arrivals: Arrivals, jobs: int, rng: np.random.Generator) -> Floats:
    """Submission times, sorted, shape (jobs,): of several draws the one nearest to the stream.

    The mean gap is met exactly. Where the median gap is not, the next draw's gaps are raised
    to a power: a short stretch of the cycle is busier or calmer than the whole.
    """
    best, least = np.full(jobs, arrivals.origin_s), np.inf
    power = 1.0
    for _ in range(MOST_DRAWS if jobs > 2 else 1):
        times, error = _drawn(arrivals, jobs, power, rng)
        if jobs > 2 and np.isfinite(arrivals.median_gap_s):
            # a second more on top: the median of bursts may be 0
            off = (float(np.median(np.diff(times))) + 1) / (arrivals.median_gap_s + 1)
            error = max(error, abs(off - 1))
            power *= off**_POWER_STEP
        if error < least:
            best, least = times, error
        if least < GOOD_DRAW:
            break
    return best


def stratified(sample: int, count: int, rng: np.random.Generator) -> Floats:
    """`count` ascending places in a sorted sample, one in each of as many equal parts."""
    return np.asarray((np.arange(count) + rng.random(count)) / count * sample - 0.5)


def with_mean(values: Floats, mean: float) -> Floats:
    """`values` with those above the median scaled until the mean is `mean`.

    The few largest of a heavy tail decide the mean, so that even stratified draws miss it.
    """
    above = values > np.median(values)
    tail = float(values[above].sum())
    if not tail:
        return values
    factor = (mean * values.size - float(values[~above].sum())) / tail
    return np.where(above, values * np.clip(factor, 0.5, 2.0), values)


def _drawn(
    arrivals: Arrivals, jobs: int, power: float, rng: np.random.Generator
) -> tuple[Floats, float]:
    """One draw, gaps raised to `power`, and its largest error by hour and day, as a share.

    The intensities are bent until hours and days have their shares, since bursts are lumps.
    """
    if jobs == 1:
        return np.full(1, arrivals.origin_s), 0.0
    clock = np.concatenate(([0.0], np.cumsum(_gaps(arrivals.gaps, jobs - 1, rng) ** power)))
    clock /= clock[-1]
    until = arrivals.origin_s + (jobs - 1) * arrivals.mean_gap_s
    exposure = _exposure(arrivals.origin_s, until)
    wanted = arrivals.cycle * exposure
    wanted *= jobs / wanted.sum()
    cycle, best, least = arrivals.cycle, np.empty(0), np.inf
    for _ in range(_TURNS):
        times = _placed(clock, arrivals.origin_s, until, cycle)
        found = np.bincount(_hour_of_week(times), minlength=WEEK_HOURS).astype(float)
        by_hour, by_day = _ratio(wanted, found, 0), _ratio(wanted, found, 1)
        error = max(float(np.abs(by_hour - 1).max()), float(np.abs(by_day - 1).max()))
        if error < least:
            best, least = times, error
        if least < GOOD_DRAW / 2:
            break
        cycle = cycle * np.tile(by_hour, 7) ** 0.5 * np.repeat(by_day, DAY_HOURS) ** 0.5
    return best, least


def _gaps(sample: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Gaps of the sample's distribution in the order of runs of neighbours drawn from it."""
    if not sample.size:
        return -np.log1p(-(rng.permutation(stratified(count, count, rng)) + 0.5) / count)
    begin = rng.integers(0, sample.size, -(-count // RUN_OF_GAPS))
    at = (begin[:, None] + np.arange(RUN_OF_GAPS)).ravel()[:count] % sample.size
    order = np.lexsort((rng.random(count), sample[at]))
    places = stratified(sample.size, count, rng)
    values = np.interp(places, np.arange(sample.size), np.sort(sample))
    gaps = np.empty(count)
    gaps[order] = with_mean(values, float(sample.mean()))
    return gaps if gaps.sum() > 0 else np.ones(count)


def _placed(clock: Floats, origin_s: float, until_s: float, cycle: Floats) -> Floats:
    """Times of `clock` (0 to 1) between origin and end, as fast as the cycle is busy."""
    hours = np.arange(np.floor(origin_s / HOUR_S), np.ceil(until_s / HOUR_S) + 1) * HOUR_S
    ends = _cycle_time(np.array([origin_s, until_s]), cycle)
    at = ends[0] + clock * (ends[1] - ends[0])
    return np.clip(np.interp(at, _cycle_time(hours, cycle), hours), origin_s, until_s)


def _ratio(wanted: Floats, found: Floats, axis: int) -> Floats:
    """Wanted ÷ found by hour of the day (axis 0) or day of the week (1); 1 where too few."""
    want = wanted.reshape(7, DAY_HOURS).sum(axis=axis)
    have = found.reshape(7, DAY_HOURS).sum(axis=axis)
    return np.where(want >= _LEAST_COUNT, want / np.maximum(have, 0.5), 1.0)


def _hour_of_week(at_s: Floats) -> Ints:
    return np.asarray(np.floor(at_s / HOUR_S).astype(np.int64) % WEEK_HOURS)


def _exposure(from_s: float, until_s: float) -> Floats:
    """Hours that an interval spends in each hour of the week, shape (168,)."""
    hours = np.arange(np.floor(from_s / HOUR_S), np.ceil(until_s / HOUR_S))
    inside = np.minimum(until_s / HOUR_S, hours + 1) - np.maximum(from_s / HOUR_S, hours)
    of_week = hours.astype(np.int64) % WEEK_HOURS
    return np.asarray(np.bincount(of_week, inside, WEEK_HOURS), float)


def _fitted_cycle(submit_s: Floats) -> Floats:
    """Intensity by hour of the day times intensity by day of the week, by alternating fits.

    A cycle that the trace does not cover twice is taken as none.
    """
    days = (submit_s[-1] - submit_s[0]) / 86400.0
    exposure = _exposure(float(submit_s[0]), float(submit_s[-1])).reshape(7, DAY_HOURS)
    found = np.bincount(_hour_of_week(submit_s), minlength=WEEK_HOURS).astype(float)
    table = found.reshape(7, DAY_HOURS)
    hour, day = np.ones(DAY_HOURS), np.ones(7)
    for _ in range(_TURNS):
        if days >= LEAST_CYCLES:
            hour = table.sum(axis=0) / np.maximum((exposure * day[:, None]).sum(axis=0), 1e-9)
        if days >= LEAST_CYCLES * 7:
            day = table.sum(axis=1) / np.maximum((exposure * hour).sum(axis=1), 1e-9)
            day /= day.mean()
    cycle = np.outer(day, hour).ravel()
    return np.maximum(cycle / cycle.mean(), _LEAST_INTENSITY)


def _cycle_time(at_s: Floats, cycle: Floats) -> Floats:
    """The clock on which arrivals have no cycle: the integral of the intensity, seconds."""
    hour = np.floor(at_s / HOUR_S)
    before = np.concatenate(([0.0], np.cumsum(cycle)))
    weeks, within = np.divmod(hour.astype(np.int64), WEEK_HOURS)
    whole = weeks * float(cycle.sum()) + before[within]
    return np.asarray((whole + cycle[within] * (at_s / HOUR_S - hour)) * HOUR_S)

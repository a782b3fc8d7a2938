"""Run time under failures and checkpoints: closed form, best interval and simulation.

Daly, A higher order estimate of the optimum checkpoint interval for restart dumps, FGCS
22(3), 2006, complete model: failures are Poisson with mean time `mtbf_s` and may strike
while computing, writing and restarting alike.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcsim.records import InputError
from dcsim.units import format_quantity

Floats = NDArray[np.float64]

#: A rest of work below this share of an interval is rounding, not one more segment.
_ROUNDING = 1e-9

#: Standard error of a simulated mean, as a share of it, below which no more runs are made.
STANDARD_ERROR = 0.002
RUNS_AT_ONCE = 4096
MOST_RUNS = 2**20

#: A run that is expected to fail more often than this is not simulated.
MOST_FAILURES = 20_000

#: Newton's method doubles the digits in each turn; it starts with at least one.
_NEWTON_TURNS = 60


def segment_count(work_s: ArrayLike, interval_s: ArrayLike) -> Floats:
    """Segments of at most `interval_s` that `work_s` is cut into, broadcast."""
    ratio = np.asarray(work_s, dtype=float) / np.asarray(interval_s, dtype=float)
    return np.maximum(np.ceil(ratio - _ROUNDING), 1.0)


def expected_runtime(
    work_s: ArrayLike,
    interval_s: ArrayLike,
    write_s: ArrayLike,
    restart_s: ArrayLike,
    mtbf_s: ArrayLike,
) -> Floats:
    """Expected wall time of `work_s` of computing, broadcast over all arguments.

    Work is cut into segments of `interval_s`, the last one shorter where it does not
    divide, each followed by a blocking write of `write_s`. With n whole segments of
    length tau, write d, restart R and mean time between failures M the exact expectation
    is n M e^(R/M) (e^((tau + d)/M) - 1). Infinite `mtbf_s` means no failures; the result
    is inf where the segments are too long to ever finish in a float's range.
    """
    arguments = (work_s, interval_s, write_s, restart_s, mtbf_s)
    work, interval, write, restart, mtbf = np.broadcast_arrays(
        *(np.asarray(argument, dtype=float) for argument in arguments)
    )
    count = segment_count(work, interval)
    last = work - (count - 1.0) * interval
    whole = np.where(count > 1.0, _segment_runtime(interval + write, restart, mtbf), 0.0)
    return (count - 1.0) * whole + _segment_runtime(last + write, restart, mtbf)


def _segment_runtime(segment_s: Floats, restart_s: Floats, mtbf_s: Floats) -> Floats:
    """M e^(R/M) (e^(s/M) - 1): expected time to get through one stretch of length s."""
    failing = np.isfinite(mtbf_s)
    mean = np.where(failing, mtbf_s, 1.0)
    with np.errstate(over="ignore"):
        expected = mean * np.exp(restart_s / mean) * np.expm1(segment_s / mean)
    return np.where(failing, expected, segment_s)


def best_interval(write_s: ArrayLike, mtbf_s: ArrayLike) -> Floats:
    """Computing time between checkpoints that minimises the expected run time.

    tau = M (1 + W0(-e^(-d/M - 1))), W0 the principal branch of Lambert's function: the
    root of the derivative of the closed form, whatever the restart time. Solved as
    -u - log(1 - u) = d/M for u = tau/M by Newton's method: the left side is convex and
    both starting values lie above the root, so it descends to it. Without a write the
    best interval is 0, without failures it is inf.
    """
    write, mtbf = np.broadcast_arrays(
        np.asarray(write_s, dtype=float), np.asarray(mtbf_s, dtype=float)
    )
    failing = np.isfinite(mtbf)
    ratio = np.where(failing, write / np.where(failing, mtbf, 1.0), 1.0)
    safe = np.maximum(ratio, np.finfo(float).tiny)
    share = np.minimum(np.sqrt(2.0 * safe), -np.expm1(-1.0 - safe))
    below_one = 1.0 - np.finfo(float).epsneg
    share = np.minimum(share, below_one)
    for _ in range(_NEWTON_TURNS):
        step = (-share - np.log1p(-share) - safe) * (1.0 - share) / share
        share = np.minimum(share - step, below_one)
        if np.all(np.abs(step) <= 1e-15 * share):
            break
    return np.where(failing, np.where(ratio > 0.0, share * mtbf, 0.0), np.inf)


@dataclass(frozen=True, slots=True)
class GoodputSample:
    """Simulated run times and failures of many independent runs, shape (runs,)."""

    runtime_s: Floats
    failures: NDArray[np.int64]

    @property
    def mean_s(self) -> float:
        """Mean run time."""
        return float(np.mean(self.runtime_s))

    @property
    def standard_error_s(self) -> float:
        """Standard error of the mean; 0 for a single run."""
        runs = len(self.runtime_s)
        return float(np.std(self.runtime_s, ddof=1) / np.sqrt(runs)) if runs > 1 else 0.0


def simulate_goodput(
    work_s: float,
    interval_s: float,
    write_s: float,
    restart_s: float,
    mtbf_s: float,
    runs: int,
    generator: np.random.Generator,
) -> GoodputSample:
    """Simulate `runs` runs of the process that `expected_runtime` describes.

    All runs advance together, one failure a turn: a time to the next failure is drawn,
    the restart is taken out of it, and as many whole segments as fit into the rest are
    kept. The expected number of turns is the largest number of failures of a run; about
    e^((interval + write + restart)/mtbf) of them fall on each segment.
    """
    segments = float(segment_count(work_s, interval_s))
    last_s = work_s - (segments - 1.0) * interval_s + write_s
    whole_s = interval_s + write_s
    runtime = np.zeros(runs)
    failures = np.zeros(runs, dtype=np.int64)
    done = np.zeros(runs)
    active = np.arange(runs)
    restart = 0.0
    while active.size:
        until_failure = generator.exponential(mtbf_s, active.size)
        needed = restart + (segments - 1.0 - done[active]) * whole_s + last_s
        finished = until_failure >= needed
        runtime[active] += np.where(finished, needed, until_failure)
        failures[active] += ~finished
        kept = np.floor(np.maximum(until_failure - restart, 0.0) / whole_s)
        done[active] = np.minimum(done[active] + kept, segments - 1.0)
        active = active[~finished]
        restart = restart_s
    return GoodputSample(runtime, failures)


@dataclass(frozen=True, slots=True)
class Goodput:
    """Run time under failures, simulated and in closed form; `low_s` to `high_s` hold 90 %
    of the runs, `simulated_s` is their mean and `standard_error_s` its error.

    `minute_less_restart_s` is what the expected run time loses (closed form, same interval)
    when a restart takes a minute less, or no time where it took less than a minute.
    """

    simulated_s: float
    low_s: float
    high_s: float
    standard_error_s: float
    runs: int
    closed_form_s: float
    ettr: float
    expected_failures: float
    best_interval_s: float
    interval_s: float
    minute_less_restart_s: float

    def to_json(self) -> dict[str, Any]:
        """The document that `dcsim goodput --json` prints."""
        return {
            "simulated_s": {
                "value": self.simulated_s,
                "low": self.low_s,
                "high": self.high_s,
                "standard_error": self.standard_error_s,
            },
            "closed_form_s": self.closed_form_s,
            "ettr": self.ettr,
            "expected_failures": self.expected_failures,
            "best_interval_s": self.best_interval_s,
            "minute_less_restart_s": self.minute_less_restart_s,
        }


def goodput(
    work_s: float,
    interval_s: float | None,
    write_s: float,
    restart_s: float,
    mtbf_s: float,
    seed: int,
    runs: int | None = None,
) -> Goodput:
    """Simulate the run and set it beside the closed form.

    `interval_s` None takes the best one, `runs` None as many as bring the standard error
    below `STANDARD_ERROR`. ETTR is work over mean time; failures are expected at rate
    1/mtbf over the whole run (Wald). Raises InputError for times that cannot be, and
    where a run would fail so often that it hardly ever ends.
    """
    if not (work_s > 0.0 and mtbf_s > 0.0 and min(write_s, restart_s) >= 0.0):
        raise InputError("work and MTBF must lie above 0 and no time below it")
    best = float(best_interval(write_s, mtbf_s))
    if interval_s is None:
        interval_s = min(best, work_s) if best > 0.0 else work_s
    if not interval_s > 0.0:
        raise InputError("the checkpoint interval must lie above 0")
    if runs is not None and runs < 2:
        raise InputError("at least 2 runs are needed for a standard error")
    expected = float(expected_runtime(work_s, interval_s, write_s, restart_s, mtbf_s))
    if expected > MOST_FAILURES * mtbf_s:
        raise InputError(
            f"a run would fail about {expected / mtbf_s:.0f} times before it ends; "
            f"a checkpoint every {format_quantity(best, 'time')} is best"
        )
    quicker_s = max(restart_s - 60.0, 0.0)
    quicker = float(expected_runtime(work_s, interval_s, write_s, quicker_s, mtbf_s))
    sample = _sample(work_s, interval_s, write_s, restart_s, mtbf_s, seed, runs)
    low, high = np.percentile(sample.runtime_s, [5.0, 95.0])
    return Goodput(
        simulated_s=sample.mean_s,
        low_s=float(low),
        high_s=float(high),
        standard_error_s=sample.standard_error_s,
        runs=len(sample.runtime_s),
        closed_form_s=expected,
        ettr=work_s / sample.mean_s,
        expected_failures=expected / mtbf_s,
        best_interval_s=best,
        interval_s=interval_s,
        minute_less_restart_s=expected - quicker,
    )


def _sample(
    work_s: float,
    interval_s: float,
    write_s: float,
    restart_s: float,
    mtbf_s: float,
    seed: int,
    runs: int | None,
) -> GoodputSample:
    """`runs` runs, or batches of runs until the mean is known well enough."""
    generator = np.random.default_rng(np.random.SeedSequence([seed, 0x600D]))

    def batch(count: int) -> GoodputSample:
        return simulate_goodput(work_s, interval_s, write_s, restart_s, mtbf_s, count, generator)

    sample = batch(RUNS_AT_ONCE if runs is None else runs)
    while (
        runs is None
        and sample.standard_error_s > STANDARD_ERROR * sample.mean_s
        and len(sample.runtime_s) < MOST_RUNS
    ):
        more = batch(len(sample.runtime_s))
        sample = GoodputSample(
            np.concatenate([sample.runtime_s, more.runtime_s]),
            np.concatenate([sample.failures, more.failures]),
        )
    return sample

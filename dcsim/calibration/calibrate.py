"""The whole calibration of a machine: time calls, fit curves, carry them into steps, test."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.cases import cases
from dcsim.calibration.fit import fit_operators
from dcsim.calibration.models import StepSpec, fit_specs, held_out_specs
from dcsim.calibration.step_timing import time_step
from dcsim.calibration.steps import Z90, step_times
from dcsim.calibration.timing import noise_of, time_round, undisturbed
from dcsim.calibration.update import StepObservation, observe_steps
from dcsim.records.operators import OperatorCall
from dcsim.records.profile import HeldOutRow, HostProfile
from dcsim.workers import Worker, machine_identity

Array = NDArray[np.float64]

#: What is believed of the two figures that carry curves into a step before any step is
#: seen, with standard deviations of their logarithms.
OVERHEAD_FACTOR, REUSE_SHARE = 1.2, 0.15
CONTEXT_UNCERTAINTY = {"overhead_factor": 0.3, "reuse_share": 1.0}
#: Before any residual is known, a step is taken to be predicted this well.
STEP_SD = 0.08
FOLDS = 5
LONG_STEP_S = 0.3


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a calibration times.

    At most `cycles` cycles, fewer (but `LEAST_CYCLES`) when another would not end within
    `limit_s` of the first one's beginning; `rounds` of all cases in each; about `step_s`
    for a visit to a step.
    """

    cycles: int
    limit_s: float
    rounds: int
    step_s: float


QUICK = Effort(cycles=5, limit_s=34.0, rounds=1, step_s=0.06)
FULL = Effort(cycles=6, limit_s=400.0, rounds=2, step_s=0.2)
LEAST_CYCLES = 2


@dataclass(frozen=True, slots=True)
class Measurements:
    """Raw timings: cases (cases, rounds), fitted and held-out steps (specs, 2, cycles).

    `validation_s` is the part of the time that went into held-out steps.
    """

    cases: Array
    fitted: Array
    held_out: Array
    validation_s: float


class Progress(Protocol):
    """What is told of the stages of a calibration."""

    def start(self, stage: str, what: str, total: int | None = None) -> None:
        """A stage begins; `total` is what `advance` will reach."""

    def advance(self, done: int) -> None:
        """`done` of the stage's total."""

    def finish(self, note: str = "") -> None:
        """The stage is over."""


def calibrate_host(quick: bool, progress: Progress) -> HostProfile:
    """Measure and fit this machine; the profile carries its held-out steps.

    Takes two or three minutes and the validation on top, with `quick` 40 s in all. Runs
    in processes of its own; WorkerDied when one of them ends early.
    """
    start = perf_counter()
    measured = measure(quick, progress)
    host = fit_host(quick, measured, progress)
    host = replace(host, measured_in_s=perf_counter() - start - measured.validation_s)
    return validate(host, quick, measured)


def measure(quick: bool, progress: Progress) -> Measurements:
    """Time cases, steps to fit and steps to hold out, in turns.

    Each cycle does some of everything: when the machine is slower for a minute, operators
    and steps are slower together, and each keeps its undisturbed cycles.
    """
    effort = QUICK if quick else FULL
    to_fit, to_hold = fit_specs(quick), held_out_specs(quick)
    rounds: list[Array] = []
    fitted: list[Array] = []
    held_out: list[Array] = []
    validation_s, start = 0.0, perf_counter()
    units = 2 + effort.rounds
    progress.start("measure", "operators and training steps, in turns", effort.cycles * units)
    with Worker() as first, Worker() as second:
        for cycle in range(effort.cycles):
            spent = perf_counter() - start
            if cycle >= LEAST_CYCLES and spent * (1.0 + 1.0 / cycle) > effort.limit_s:
                break
            for turn in range(effort.rounds):
                rounds.append(first.call(time_round, quick, cycle * effort.rounds + turn))
                progress.advance(cycle * units + turn + 1)
            fitted.append(_visit(to_fit, (first, second), effort.step_s, fitted))
            progress.advance(cycle * units + effort.rounds + 1)
            began = perf_counter()
            held_out.append(_visit(to_hold, (first, second), effort.step_s, held_out))
            validation_s += perf_counter() - began
            progress.advance((cycle + 1) * units)
    progress.advance(effort.cycles * units)
    progress.finish(f"{len(rounds)} rounds")
    return Measurements(
        cases=np.stack(rounds, axis=1),
        fitted=np.stack(fitted, axis=2),
        held_out=np.stack(held_out, axis=2),
        validation_s=validation_s,
    )


def _visit(
    specs: Sequence[StepSpec], workers: Sequence[Worker], step_s: float, earlier: Sequence[Array]
) -> Array:
    """Seconds of a step, shape (specs, workers), the workers taking turns.

    A step that took longer than `LONG_STEP_S` in two visits before gets no third: it
    averages over disturbances by itself. It enters as infinite, which no minimum takes.
    """
    seconds = np.full((len(specs), len(workers)), np.inf)
    for row, spec in enumerate(specs):
        if len(earlier) >= 2 and earlier[0][row].min() > LONG_STEP_S:
            continue
        for place, worker in enumerate(workers):
            seconds[row, place] = worker.call(time_step, spec, step_s)
    return seconds


def fit_host(quick: bool, measured: Measurements, progress: Progress) -> HostProfile:
    """Operator curves from the cases, carried into steps by the fitted networks."""
    progress.start("fit", "operator curves, then whole steps")
    operators = fit_operators(cases(quick), undisturbed(measured.cases))
    host = HostProfile(
        machine=machine_identity(),
        operators=operators,
        noise=noise_of(measured.cases),
        step_spread=STEP_SD,
        overhead_factor=OVERHEAD_FACTOR,
        reuse_share=REUSE_SHARE,
        uncertainty=CONTEXT_UNCERTAINTY,
    )
    seconds = measured.fitted.min(axis=(1, 2))
    calls = [tuple(spec.build().operators(spec.batch)) for spec in fit_specs(quick)]
    observations = [
        StepObservation(float(s), c, STEP_SD) for s, c in zip(seconds, calls, strict=True)
    ]
    model, disturbance = left_out_spread(host, observations), step_noise(measured.fitted)
    spread = float(np.hypot(model, disturbance))
    progress.finish(f"steps left out: spread {model:.1%}, repeated: {disturbance:.1%}")
    return replace(observe_steps(host, observations), step_spread=spread)


def left_out_spread(host: HostProfile, observations: Sequence[StepObservation]) -> float:
    """Standard deviation of log(measured / predicted) of steps left out of the update.

    Every `FOLDS`-th observation is predicted by a host that has seen the others; the
    spread is widened by the small number of observations (Student's t at 95 %).
    """
    from scipy.stats import t

    errors = np.zeros(len(observations))
    for fold in range(FOLDS):
        seen = [obs for i, obs in enumerate(observations) if i % FOLDS != fold]
        left = [i for i in range(len(observations)) if i % FOLDS == fold]
        if not left or not seen:
            continue
        updated = observe_steps(host, seen)
        predicted = step_times([observations[i].operators for i in left], updated)
        errors[left] = np.log([observations[i].seconds for i in left] / predicted)
    widen = float(t.ppf(0.95, max(len(observations) - 1, 1))) / Z90
    return float(np.sqrt(np.mean(errors**2))) * widen


def step_noise(seconds: Array) -> float:
    """How far a step measured again lies off, as a root mean square of logarithms.

    `seconds` is (specs, workers, cycles); the earlier half of the cycles is compared with
    the later one. What a machine does to large steps, which no visit of fractions of a
    millisecond shows, belongs into the interval of a prediction.
    """
    half = seconds.shape[2] // 2
    if half == 0:
        return 0.0
    earlier, later = seconds[:, :, :half].min(axis=(1, 2)), seconds[:, :, half:].min(axis=(1, 2))
    ratio = np.log(later[np.isfinite(later)] / earlier[np.isfinite(later)])
    return float(np.sqrt(np.mean(ratio**2))) if ratio.size else 0.0


def validate(host: HostProfile, quick: bool, measured: Measurements) -> HostProfile:
    """`host` with its held-out rows: what it predicts for networks that it has not seen."""
    specs = held_out_specs(quick)
    calls: list[list[OperatorCall]] = [spec.build().operators(spec.batch) for spec in specs]
    predicted = step_times(calls, host)
    rows = held_out_rows(
        [spec.name for spec in specs], measured.held_out.min(axis=2), predicted, host.step_spread
    )
    return replace(host, held_out=rows)


def held_out_rows(
    names: Sequence[str], measured: Array, predicted: Array, spread: float
) -> tuple[HeldOutRow, ...]:
    """Rows from two measurements each, `measured` (n, 2), and `predicted` (n,) seconds."""
    factor = float(np.exp(Z90 * spread))
    return tuple(
        HeldOutRow(
            name=name,
            measured_s=float(np.sqrt(first * second)),
            predicted_s=float(value),
            low_s=float(value / factor),
            high_s=float(value * factor),
            repeat=float(second / first - 1.0),
        )
        for name, (first, second), value in zip(names, measured, predicted, strict=True)
    )


def held_out_report(rows: Sequence[HeldOutRow]) -> dict[str, float | int]:
    """Errors over held-out rows, as fractions: error = predicted ÷ measured − 1.

    `median_error` and `p90_error` are of the absolute error, `bias` its mean with sign,
    `coverage90` the share of measurements inside the 90 % interval, `repeat_median` and
    `repeat_p90` of the absolute difference between the two measurements.
    """
    if not rows:
        return {"n": 0}
    error = np.array([row.predicted_s / row.measured_s - 1.0 for row in rows])
    repeat = np.abs([row.repeat for row in rows])
    covered = [row.low_s <= row.measured_s <= row.high_s for row in rows]
    return {
        "n": len(rows),
        "median_error": float(np.median(np.abs(error))),
        "p90_error": float(np.quantile(np.abs(error), 0.9)),
        "bias": float(np.mean(error)),
        "coverage90": float(np.mean(covered)),
        "repeat_median": float(np.median(repeat)),
        "repeat_p90": float(np.quantile(repeat, 0.9)),
    }

"""The whole calibration of a machine: time calls, fit curves, carry them into steps, test."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.cases import cases
from dcsim.calibration.fit import fit_operators
from dcsim.calibration.models import StepSpec, all_fit_specs, all_held_out_specs
from dcsim.calibration.operands import PLAIN, Setting
from dcsim.calibration.step_timing import time_step
from dcsim.calibration.steps import Z90, step_times
from dcsim.calibration.timing import busy_share, noise_of, time_round, undisturbed
from dcsim.calibration.update import StepObservation, observe_steps
from dcsim.records.operators import OperatorCall
from dcsim.records.profile import HeldOutRow, HostProfile
from dcsim.workers import Worker, machine_identity

Array = NDArray[np.float64]
Workers = Mapping[Setting, tuple[Worker, ...]]

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

    At most `cycles` cycles, fewer when another would not end within `limit_s` of the first
    one's beginning, but `LEAST_CYCLES`; `rounds` of all cases in each; about `step_s` for a
    visit to a step. `counts_validation` says whether held-out steps count in that limit.
    """

    cycles: int
    limit_s: float
    rounds: int
    step_s: float
    counts_validation: bool


QUICK = Effort(cycles=5, limit_s=31.0, rounds=1, step_s=0.04, counts_validation=True)
FULL = Effort(cycles=6, limit_s=150.0, rounds=2, step_s=0.2, counts_validation=False)
LEAST_CYCLES = 2
#: With less of the cores granted, timings of all cores at once say nothing of the machine.
LEAST_GRANTED = 0.85


@dataclass(frozen=True, slots=True)
class Measurements:
    """Raw timings: cases (cases, rounds), fitted and held-out steps (specs, 2, cycles).

    `cores` is how many threads were timed besides one: all cores, or 1 where other work
    left too little of them. `validation_s` is the time that went into held-out steps.
    """

    cores: int
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
    rounds: list[Array] = []
    fitted: list[Array] = []
    held_out: list[Array] = []
    validation_s, start = 0.0, perf_counter()
    units = 2 + effort.rounds
    progress.start("measure", "operators and training steps, in turns", effort.cycles * units)
    with ExitStack() as stack:
        workers = _start_workers(stack)
        cores = max(setting.threads for setting in workers)
        to_fit, to_hold = all_fit_specs(quick, cores), all_held_out_specs(quick, cores)
        for cycle in range(effort.cycles):
            spent = perf_counter() - start
            spent -= 0.0 if effort.counts_validation else validation_s
            if cycle >= LEAST_CYCLES and spent * (1.0 + 1.0 / cycle) > effort.limit_s:
                break
            for turn in range(effort.rounds):
                rounds.append(_round(quick, cores, workers, cycle * effort.rounds + turn))
                progress.advance(cycle * units + turn + 1)
            fitted.append(_visit(to_fit, workers, effort.step_s, fitted))
            progress.advance(cycle * units + effort.rounds + 1)
            began = perf_counter()
            held_out.append(_visit(to_hold, workers, effort.step_s, held_out))
            validation_s += perf_counter() - began
            progress.advance((cycle + 1) * units)
    progress.advance(effort.cycles * units)
    alone = "" if cores > 1 else ", one thread only"
    progress.finish(f"{len(rounds)} rounds{alone}")
    return Measurements(
        cores=cores,
        cases=np.stack(rounds, axis=1),
        fitted=np.stack(fitted, axis=2),
        held_out=np.stack(held_out, axis=2),
        validation_s=validation_s,
    )


def _start_workers(stack: ExitStack) -> Workers:
    """Two processes of each setting, which end with `stack`.

    All cores at once are left out where there is one, or where others use them.
    """
    settings, cores = [PLAIN, Setting(keeps_memory=False)], machine_identity().cores
    workers = {setting: _start_pair(stack, setting) for setting in settings}
    if cores > 1 and _granted(workers) >= LEAST_GRANTED:
        workers[Setting(cores)] = _start_pair(stack, Setting(cores))
    return workers


def _start_pair(stack: ExitStack, setting: Setting) -> tuple[Worker, ...]:
    threads, keeps_memory = setting.threads, setting.keeps_memory
    pair = (Worker(threads=threads, keeps_memory=keeps_memory) for _ in range(2))
    return tuple(stack.enter_context(worker) for worker in pair)


def _granted(workers: Workers) -> float:
    """The least share of a processor that one of all workers gets while all compute."""
    everyone = [worker for pair in workers.values() for worker in pair]
    computing = everyone[: machine_identity().cores]
    for worker in computing:
        worker.send(busy_share)
    return min(float(worker.receive()[1]) for worker in computing)


def _round(quick: bool, cores: int, workers: Workers, turn: int) -> Array:
    """Seconds of one call of each case, timed in a process of its setting; shape (cases,)."""
    places = [case.setting for case in cases(quick, cores)]
    seconds = np.empty(len(places))
    for setting, (first, _) in workers.items():
        own = [index for index, place in enumerate(places) if place == setting]
        seconds[own] = first.call(time_round, quick, cores, setting, turn)
    return seconds


def _visit(
    specs: Sequence[StepSpec], workers: Workers, step_s: float, earlier: Sequence[Array]
) -> Array:
    """Seconds of a step, shape (specs, 2), both processes of its setting taking turns.

    A step that took longer than `LONG_STEP_S` in two visits before gets no third: it
    averages over disturbances by itself. It enters as infinite, which no minimum takes.
    """
    seconds = np.full((len(specs), 2), np.inf)
    for row, spec in enumerate(specs):
        if len(earlier) >= 2 and earlier[0][row].min() > LONG_STEP_S:
            continue
        for place, worker in enumerate(workers[spec.setting]):
            seconds[row, place] = worker.call(time_step, spec, step_s)
    return seconds


def fit_host(quick: bool, measured: Measurements, progress: Progress) -> HostProfile:
    """Operator curves from the cases, carried into steps by the fitted networks."""
    progress.start("fit", "operator curves, then whole steps")
    operators = fit_operators(cases(quick, measured.cores), undisturbed(measured.cases))
    host = HostProfile(
        machine=machine_identity(),
        operators=operators,
        noise=noise_of(measured.cases),
        step_spread=STEP_SD,
        overhead_factor=OVERHEAD_FACTOR,
        reuse_share=REUSE_SHARE,
        uncertainty=CONTEXT_UNCERTAINTY,
    )
    specs = all_fit_specs(quick, measured.cores)
    spreads: dict[str, float] = {}
    for setting in dict.fromkeys(spec.setting for spec in specs):
        rows = [row for row, spec in enumerate(specs) if spec.setting == setting]
        host, spreads[setting.name] = _carry_into_steps(
            host, [specs[row] for row in rows], measured.fitted[rows]
        )
    progress.finish(f"steps left out: spread {spreads['']:.1%}")
    return replace(host, step_spread=spreads.pop(""), other_spread=spreads)


def _carry_into_steps(
    host: HostProfile, specs: Sequence[StepSpec], measured: Array
) -> tuple[HostProfile, float]:
    """`host` after it has seen steps of one setting, and the spread around them.

    `measured` is (specs, 2, cycles). Other settings than the plain one move only what they
    alone use.
    """
    name = specs[0].setting.name
    may_move = {"": lambda key: True, "fresh": _is_fresh, "threads": _is_threaded}[name]
    observations = [
        StepObservation(float(seconds), tuple(spec.calls()), STEP_SD)
        for seconds, spec in zip(measured.min(axis=(1, 2)), specs, strict=True)
    ]
    # The errors of steps left out hold the noise of their own timing already.
    spread = max(left_out_spread(host, observations, may_move), step_noise(measured))
    return observe_steps(host, observations, may_move), spread


def _is_fresh(name: str) -> bool:
    return name.startswith("fresh.")


def _is_threaded(name: str) -> bool:
    return ".t" in name and name.rpartition(".t")[2].isdigit()


def left_out_spread(
    host: HostProfile,
    observations: Sequence[StepObservation],
    may_move: Callable[[str], bool] = lambda name: True,
) -> float:
    """Spread of log(measured / predicted) of steps left out of the update.

    Every `FOLDS`-th observation is predicted by a host that has seen the others. The spread
    is that of a normal distribution whose 90 % interval holds the errors at the level of
    split conformal prediction, (1 − α)(1 + 1/n) (Lei et al. 2018): some steps are missed by
    much, and a standard deviation would widen the intervals of all others for them.
    """
    errors = np.zeros(len(observations))
    for fold in range(FOLDS):
        seen = [obs for i, obs in enumerate(observations) if i % FOLDS != fold]
        left = [i for i in range(len(observations)) if i % FOLDS == fold]
        if not left or not seen:
            continue
        updated = observe_steps(host, seen, may_move)
        predicted = step_times([observations[i].operators for i in left], updated)
        errors[left] = np.log([observations[i].seconds for i in left] / predicted)
    level = min(0.9 * (1.0 + 1.0 / len(errors)), 1.0)
    return float(np.quantile(np.abs(errors), level, method="higher")) / Z90


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
    specs = all_held_out_specs(quick, measured.cores)
    calls: list[list[OperatorCall]] = [spec.calls() for spec in specs]
    predicted = step_times(calls, host)
    spreads = [host.other_spread.get(spec.setting.name, host.step_spread) for spec in specs]
    names = [spec.name for spec in specs]
    rows = held_out_rows(names, measured.held_out.min(axis=2), predicted, np.array(spreads))
    return replace(host, held_out=rows)


def held_out_rows(
    names: Sequence[str], measured: Array, predicted: Array, spread: Array
) -> tuple[HeldOutRow, ...]:
    """Rows from two measurements each, `measured` (n, 2), and `predicted` (n,) seconds.

    `spread` (n,) is the standard deviation of the logarithm of each prediction's error.
    """
    factors = np.exp(Z90 * spread)
    return tuple(
        HeldOutRow(
            name=name,
            measured_s=float(np.sqrt(first * second)),
            predicted_s=float(value),
            low_s=float(value / factor),
            high_s=float(value * factor),
            repeat=float(second / first - 1.0),
        )
        for name, (first, second), value, factor in zip(
            names, measured, predicted, factors, strict=True
        )
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

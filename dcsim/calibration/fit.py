"""Fits the parameters of each operator class to its timings.

Unknowns are logarithms, residuals are log(measured / predicted) under a soft-L1 loss, so
that a microsecond counts as much as a second and a disturbed timing does not pull the
curve. Wide priors keep a parameter that the timings do not reach (the memory bandwidth of
a class that is bound by arithmetic) near the machine's general value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.classes import FIXED_COST_KINDS, PRODUCTS, operator_class, work_of
from dcsim.calibration.operands import Case
from dcsim.cost.operators import Work, operator_time
from dcsim.records.profile import OperatorParameters

Array = NDArray[np.float64]

#: The classes whose timings show the memory hierarchy most clearly.
MEMORY_CLASSES = ("elementwise.arithmetic.c.f4", "elementwise.arithmetic.c.f8")
#: Starting points and their priors' standard deviations, all logarithmic.
START_BANDWIDTH = (150e9, 80e9, 40e9, 10e9)
START_LEVELS = (32e3, 1e6, 24e6)
PRIOR_SD = {"overhead_s": 2.0, "peak_flops": 2.0, "bandwidth_bytes_per_s": 0.5, "shape_knee": 1.5}
#: Products keep the machine's bandwidth: short dimensions and slow memory cost alike, and
#: the knee, which carries over to accelerators, should not hide in a fitted bandwidth.
PRODUCT_BANDWIDTH_SD = 0.1
#: No fit of a smooth curve to a stepped reality is better known than this.
LEAST_UNCERTAINTY = 0.03
LOSS_SCALE = 0.15


@dataclass(frozen=True, slots=True)
class Timings:
    """Measured calls of one class: their work and `seconds` of one call, shape (n,)."""

    work: Work
    seconds: Array


@dataclass(frozen=True, slots=True)
class Memory:
    """The machine's memory hierarchy: bandwidth of each level, working set at each edge."""

    bandwidth_bytes_per_s: tuple[float, ...]
    level_bytes: tuple[float, ...]


def fit_operators(cases: Sequence[Case], seconds: Array) -> dict[str, OperatorParameters]:
    """Parameters of every class among `cases`, whose undisturbed times are `seconds` (n,)."""
    groups: dict[str, list[int]] = {}
    for index, case in enumerate(cases):
        groups.setdefault(operator_class(case.call), []).append(index)
    timings = {name: _timings(cases, seconds, rows) for name, rows in sorted(groups.items())}
    memory = fit_memory([timings[name] for name in MEMORY_CLASSES if name in timings])
    return {name: fit_class(name, data, memory) for name, data in timings.items()}


def _timings(cases: Sequence[Case], seconds: Array, rows: Sequence[int]) -> Timings:
    calls = [cases[row].call for row in rows]
    elsewhere = np.array([cases[row].elsewhere_bytes for row in rows])
    batch = np.array([max(call.batch, 1) for call in calls], dtype=float)
    return Timings(work_of(calls, elsewhere), seconds[list(rows)] / batch)


def fit_memory(timings: Sequence[Timings]) -> Memory:
    """The hierarchy from classes bound by memory, each with its own overhead and peak."""
    count = len(START_BANDWIDTH)
    start = np.log([*START_BANDWIDTH, *START_LEVELS, *([1e-6, 2e10] * len(timings))])
    prior = np.array([0.7] * count + [0.7] * len(START_LEVELS) + [2.0, 2.0] * len(timings))

    def residuals(x: Array) -> Array:
        values = np.exp(x)
        rates = np.minimum.accumulate(values[:count])
        levels = np.maximum.accumulate(values[count : 2 * count - 1])
        rest = values[2 * count - 1 :].reshape(-1, 2)
        parts = [
            _log_error(data, OperatorParameters("", lead, peak, tuple(rates), tuple(levels)))
            for data, (lead, peak) in zip(timings, rest, strict=True)
        ]
        return np.concatenate([*parts, LOSS_SCALE * (x - start) / prior])

    values = np.exp(_solve(residuals, start))
    return Memory(
        tuple(float(v) for v in np.minimum.accumulate(values[:count])),
        tuple(float(v) for v in np.maximum.accumulate(values[count : 2 * count - 1])),
    )


def fit_class(name: str, timings: Timings, memory: Memory) -> OperatorParameters:
    """Overhead, peak, bandwidth scale and the knees that matter for this class."""
    kind = name.partition(".")[0]
    if kind in FIXED_COST_KINDS:
        return _fixed_cost(name, timings, memory)
    axes = _axes(kind, timings.work)
    fields = ["overhead_s", "peak_flops", "bandwidth_bytes_per_s", *(["shape_knee"] * len(axes))]
    start = np.log([np.min(timings.seconds), _peak_guess(timings), 1.0, *([3.0] * len(axes))])
    prior = np.array([PRIOR_SD[field] for field in fields])
    if kind in PRODUCTS:
        prior[2] = PRODUCT_BANDWIDTH_SD

    def build(x: Array) -> OperatorParameters:
        values = np.exp(x)
        knee = [0.0, 0.0, 0.0]
        for axis, value in zip(axes, values[3:], strict=True):
            knee[axis] = float(value)
        return OperatorParameters(
            name=name,
            overhead_s=float(values[0]),
            peak_flops=float(values[1]),
            bandwidth_bytes_per_s=tuple(float(v * values[2]) for v in memory.bandwidth_bytes_per_s),
            level_bytes=memory.level_bytes,
            shape_knee=(knee[0], knee[1], knee[2]),
        )

    def residuals(x: Array) -> Array:
        return np.concatenate([_log_error(timings, build(x)), LOSS_SCALE * (x - start) / prior])

    solution = _solve(residuals, start)
    error = _log_error(timings, build(solution))
    spread = float(1.4826 * np.median(np.abs(error)))
    return _with_errors(build(solution), error, _uncertainty(residuals, solution, spread, fields))


def _axes(kind: str, work: Work) -> tuple[int, ...]:
    """The dimensions whose shortness this class's timings can show."""
    if kind in PRODUCTS:
        return (0, 1, 2)
    return (2,) if np.isfinite(np.asarray(work.k)).any() else ()


def _peak_guess(timings: Timings) -> float:
    flop = np.asarray(timings.work.flop, dtype=float)
    return float(max(np.max(flop / timings.seconds), 1e6))


def _fixed_cost(name: str, timings: Timings, memory: Memory) -> OperatorParameters:
    overhead = float(np.median(timings.seconds))
    parameters = OperatorParameters(
        name, overhead, 1e9, memory.bandwidth_bytes_per_s, memory.level_bytes
    )
    error = _log_error(timings, parameters)
    return _with_errors(parameters, error, {"overhead_s": 0.2})


def _with_errors(
    parameters: OperatorParameters, error: Array, uncertainty: Mapping[str, float]
) -> OperatorParameters:
    return replace(
        parameters,
        median_error=float(np.median(np.abs(np.expm1(-error)))),
        spread=float(np.sqrt(np.mean(np.clip(error, -1.0, 1.0) ** 2))),
        uncertainty=uncertainty,
    )


def _log_error(timings: Timings, parameters: OperatorParameters) -> Array:
    """log(measured / predicted) of every timing."""
    return np.log(timings.seconds / operator_time(timings.work, parameters))


def _solve(residuals: Callable[[Array], Array], start: Array) -> Array:
    from scipy.optimize import least_squares

    found = least_squares(
        residuals, start, loss="soft_l1", f_scale=LOSS_SCALE, max_nfev=60, x_scale=1.0
    )
    return np.asarray(found.x)


def _uncertainty(
    residuals: Callable[[Array], Array], at: Array, spread: float, fields: Sequence[str]
) -> dict[str, float]:
    """Standard deviation of the logarithm of each field: s² (JᵀJ)⁻¹ at the solution.

    Several knees share a field; the widest speaks for it.
    """
    from scipy.optimize import approx_fprime

    slope = np.atleast_2d(approx_fprime(at, residuals, 1e-5))
    covariance = np.linalg.pinv(slope.T @ slope) * max(spread, LEAST_UNCERTAINTY) ** 2
    deviations = np.sqrt(np.maximum(np.diag(covariance), LEAST_UNCERTAINTY**2))
    out: dict[str, float] = {}
    for field, deviation in zip(fields, deviations, strict=True):
        out[field] = max(out.get(field, 0.0), float(min(deviation, PRIOR_SD[field])))
    return out

"""New observations of whole steps move the operator parameters of a profile.

The parameters keep a Gaussian belief: the logarithm of each fitted field has a mean (its
value) and a standard deviation (`OperatorParameters.uncertainty`). A measured step is a
noisy reading of the sum over its calls. Mean and deviation after the reading follow from
the iterated extended Kalman filter (Bell and Cathey, IEEE Trans. Automatic Control 38(2),
1993), which for one batch of readings is Gauss-Newton on the posterior.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.classes import operator_class, parameters_of
from dcsim.calibration.steps import call_times
from dcsim.records.operators import OperatorCall
from dcsim.records.profile import HostProfile, OperatorParameters, Profile
from dcsim.records.real_run import RealRun

Array = NDArray[np.float64]

#: Fields that observations may move, in the order of the state vector.
FIELDS = ("overhead_s", "peak_flops", "bandwidth_bytes_per_s", "shape_knee")
ITERATIONS = 6
STEP = 1e-4


@dataclass(frozen=True, slots=True)
class StepObservation:
    """A training step measured as `seconds` (> 0) that makes the calls `operators`.

    `sd` is the standard deviation of log(measured / model) that the reading deserves.
    """

    seconds: float
    operators: tuple[OperatorCall, ...]
    sd: float


def update_with_runs(profile: Profile, runs: Sequence[RealRun]) -> Profile:
    """The profile after seeing the measured steps of real jobs.

    A run gives one observation, the median of its steps (the first tenth, which warms
    caches and allocator, left out); its weight is the spread that whole steps have around
    the model. Same profile and runs give the same result bit by bit, whatever the order
    of the runs; no runs give `profile` back unchanged.
    """
    observations = [
        StepObservation(
            seconds=float(np.median(run.step_s[len(run.step_s) // 10 :])),
            operators=run.operators,
            sd=max(profile.host.step_spread, profile.host.noise, 1e-3),
        )
        for run in sorted(runs, key=lambda run: (run.job, run.name, run.step_s))
        if run.step_s and run.operators
    ]
    if not observations:
        return profile
    names = ", ".join(sorted({run.job for run in runs}))
    return replace(
        profile,
        host=observe_steps(profile.host, observations),
        sources={**profile.sources, "host updated with": f"measured steps of {names}"},
    )


def observe_steps(host: HostProfile, observations: Sequence[StepObservation]) -> HostProfile:
    """`host` with the operator parameters that best explain prior and observations."""
    keys = _state(host.operators, observations)
    if not keys or not observations:
        return host
    prior = np.array([host.operators[name].uncertainty[field] ** 2 for name, field in keys])
    noise = np.diag([obs.sd**2 for obs in observations])
    measured = np.log([obs.seconds for obs in observations])
    state = np.zeros(len(keys))
    for _ in range(ITERATIONS):
        predicted, slope = _linearise(host, keys, state, observations)
        innovation = measured - predicted + slope @ state
        inner = slope * prior @ slope.T + noise
        state = prior * slope.T @ np.linalg.solve(inner, innovation)
    _, slope = _linearise(host, keys, state, observations)
    inner = slope * prior @ slope.T + noise
    shrink = np.einsum("ij,ij->j", slope, np.linalg.solve(inner, slope)) * prior
    left = np.sqrt(np.maximum(prior * (1.0 - shrink), 0.0))
    moved = _moved(host.operators, keys, state)
    for (name, field), sd in zip(keys, left, strict=True):
        uncertainty = {**moved[name].uncertainty, field: float(sd)}
        moved[name] = replace(moved[name], uncertainty=uncertainty)
    return replace(host, operators=moved)


def _state(
    operators: Mapping[str, OperatorParameters], observations: Sequence[StepObservation]
) -> list[tuple[str, str]]:
    """(class, field) of every uncertain parameter that some observation depends on."""
    calls = {call for obs in observations for call in obs.operators}
    used = {parameters_of(operator_class(call), operators).name for call in calls}
    return [
        (name, field)
        for name in sorted(used)
        for field in FIELDS
        if operators[name].uncertainty.get(field, 0.0) > 0.0
    ]


def _linearise(
    host: HostProfile,
    keys: Sequence[tuple[str, str]],
    state: Array,
    observations: Sequence[StepObservation],
) -> tuple[Array, Array]:
    """log of the predicted steps, shape (n,), and its slope in the state, (n, n_keys)."""

    def predict(at: Array) -> Array:
        moved = replace(host, operators=_moved(host.operators, keys, at))
        return np.log([call_times(obs.operators, moved).sum() for obs in observations])

    centre = predict(state)
    slope = np.empty((len(observations), len(keys)))
    for i in range(len(keys)):
        ahead = state.copy()
        ahead[i] += STEP
        slope[:, i] = (predict(ahead) - centre) / STEP
    return centre, slope


def _moved(
    operators: Mapping[str, OperatorParameters],
    keys: Sequence[tuple[str, str]],
    state: Array,
) -> dict[str, OperatorParameters]:
    """The operators with the logarithm of each field in `keys` shifted by `state`."""
    moved = dict(operators)
    for (name, field), shift in zip(keys, state, strict=True):
        factor = float(np.exp(shift))
        value = getattr(moved[name], field)
        scaled = tuple(v * factor for v in value) if isinstance(value, tuple) else value * factor
        change: dict[str, Any] = {field: scaled}
        moved[name] = replace(moved[name], **change)
    return moved

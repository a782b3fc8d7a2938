"""New observations of whole steps move the operator parameters of a profile.

The parameters keep a Gaussian belief: the logarithm of each fitted field has a mean (its
value) and a standard deviation (`OperatorParameters.uncertainty`). A measured step is a
noisy reading of the sum over its calls. Mean and deviation after the reading follow from
the iterated extended Kalman filter (Bell and Cathey, IEEE Trans. Automatic Control 38(2),
1993), which for one batch of readings is Gauss-Newton on the posterior.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.classes import parameters_of
from dcsim.calibration.steps import CallGroup, group_calls, group_times, step_times
from dcsim.calibration.transfer import carried_over
from dcsim.records.operators import OperatorCall
from dcsim.records.profile import HostProfile, MachineIdentity, Profile
from dcsim.records.real_run import RealRun
from dcsim.workers import machine_identity

Array = NDArray[np.float64]

#: Fields that observations may move, in the order of the state vector.
FIELDS = ("overhead_s", "peak_flops", "bandwidth_bytes_per_s", "shape_knee")
HOST_FIELDS = ("overhead_factor", "reuse_share")
#: Stands in for a class name in the state vector: the fields of the host itself.
HOST = ""
#: How far the logarithms of two machines' speeds lie apart.
PACE_SD = 0.7
ITERATIONS = 8
STEP = 1e-4
#: Degrees of freedom of the Student-t errors of a reading: beyond a few standard
#: deviations it counts less and less, for it was disturbed or the form does not fit.
FREEDOM = 4.0


@dataclass(frozen=True, slots=True)
class StepObservation:
    """A training step measured as `seconds` (> 0) that makes the calls `operators`.

    `sd` is the standard deviation of log(measured / model) that the reading deserves.
    """

    seconds: float
    operators: tuple[OperatorCall, ...]
    sd: float


def update_with_runs(
    profile: Profile, runs: Sequence[RealRun], machine: MachineIdentity | None = None
) -> Profile:
    """The profile after seeing the measured steps of real jobs.

    A run gives one observation, the median of its steps (the first tenth, which warms
    caches and allocator, left out); its weight is the spread that whole steps have around
    the model. Where the knees of matrix products move, the accelerators' follow a little
    (`dcsim.calibration.transfer`). Same profile and runs give the same result bit by bit,
    whatever the order of the runs; no runs give `profile` back unchanged.

    `machine` is where the runs were measured, this one unless given: when the profile
    speaks of another, all its operators first take on the pace that the runs show.
    """
    known = profile.host
    observations = [
        StepObservation(
            seconds=float(np.median(run.step_s[len(run.step_s) // 10 :])),
            operators=run.operators,
            sd=max(known.step_spread, known.noise, 1e-3),
        )
        for run in sorted(runs, key=lambda run: (run.job, run.name, run.step_s))
        if run.step_s and run.operators
    ]
    if not observations:
        return profile
    if known.machine.differences(machine or machine_identity()):
        known = _at_pace(known, observations)
    names = ", ".join(sorted({run.job for run in runs}))
    host = observe_steps(known, observations)
    return replace(
        profile,
        host=host,
        training=carried_over(profile.training, profile.host, host),
        sources={**profile.sources, "host updated with": f"measured steps of {names}"},
    )


def _at_pace(host: HostProfile, observations: Sequence[StepObservation]) -> HostProfile:
    """`host` as a guess about another machine: every operator faster or slower alike.

    The logarithm of the pace is normal with `PACE_SD` before, and the median over the
    observations of log(measured / predicted) is a reading of it.
    """
    predicted = step_times([obs.operators for obs in observations], host)
    off = np.median(np.log([obs.seconds for obs in observations] / predicted))
    trust = PACE_SD**2 / (PACE_SD**2 + host.step_spread**2 / len(observations))
    keys = [
        (name, field)
        for name in sorted(host.operators)
        for field in ("overhead_s", "peak_flops", "bandwidth_bytes_per_s")
    ]
    slower = float(off * trust)
    shifts = [slower if field == "overhead_s" else -slower for _, field in keys]
    return _moved(host, keys, np.array(shifts))


def observe_steps(
    host: HostProfile,
    observations: Sequence[StepObservation],
    may_move: Callable[[str], bool] = lambda name: True,
) -> HostProfile:
    """`host` with the parameters that best explain prior and observations.

    Everything that the profile is uncertain of and some observation depends on may move:
    fields of operator classes and the two that carry curves into a step. `may_move` names
    the classes, `HOST` among them, to which that is restricted.
    """
    if not observations:
        return host
    groups = group_calls([obs.operators for obs in observations])
    keys = [key for key in _state(host, groups) if may_move(key[0])]
    prior = np.array([_deviation(host, key) ** 2 for key in keys])
    measured = np.log([obs.seconds for obs in observations])
    variance = np.array([obs.sd**2 for obs in observations])
    state, weight = np.zeros(len(keys)), np.ones(len(observations))
    for _ in range(ITERATIONS):
        predicted, slope = _linearise(host, groups, keys, state, len(observations))
        weight = (FREEDOM + 1.0) / (FREEDOM + (measured - predicted) ** 2 / variance)
        inner = slope * prior @ slope.T + np.diag(variance / weight)
        innovation = measured - predicted + slope @ state
        state = prior * (slope.T @ np.linalg.solve(inner, innovation))
    _, slope = _linearise(host, groups, keys, state, len(observations))
    inner = slope * prior @ slope.T + np.diag(variance / weight)
    shrink = np.einsum("ij,ij->j", slope, np.linalg.solve(inner, slope)) * prior
    return _settled(_moved(host, keys, state), keys, np.sqrt(prior * np.maximum(1.0 - shrink, 0.0)))


def _state(host: HostProfile, groups: dict[str, CallGroup]) -> list[tuple[str, str]]:
    """(class, field) of every uncertain parameter that some observation depends on."""
    used = {parameters_of(name, host.operators).name for name in groups}
    keys = [(HOST, field) for field in HOST_FIELDS]
    keys += [(name, field) for name in sorted(used) for field in FIELDS]
    return [key for key in keys if _deviation(host, key) > 0.0]


def _deviation(host: HostProfile, key: tuple[str, str]) -> float:
    name, field = key
    belief = host.uncertainty if name == HOST else host.operators[name].uncertainty
    return belief.get(field, 0.0)


def _linearise(
    host: HostProfile,
    groups: dict[str, CallGroup],
    keys: Sequence[tuple[str, str]],
    state: Array,
    count: int,
) -> tuple[Array, Array]:
    """log of the predicted steps, shape (count,), and its slope in the state, (count, keys).

    A parameter of one class moves only that class's share of a step, so only that share
    is computed again for its derivative.
    """
    centre = _moved(host, keys, state)
    owners = {name: parameters_of(name, host.operators).name for name in groups}

    def share(name: str, moved: HostProfile) -> Array:
        times = group_times(groups[name], moved.operators[owners[name]], moved)
        return np.bincount(groups[name].step, times, minlength=count).astype(float)

    shares = {name: share(name, centre) for name in groups}
    total = np.sum(list(shares.values()), axis=0)
    slope = np.empty((count, len(keys)))
    for i, key in enumerate(keys):
        ahead = _moved(centre, [key], np.array([STEP]))
        touched = [name for name in groups if key[0] in (HOST, owners[name])]
        change = np.sum([share(name, ahead) - shares[name] for name in touched], axis=0)
        slope[:, i] = change / (STEP * total)
    return np.log(total), slope


def _moved(host: HostProfile, keys: Sequence[tuple[str, str]], state: Array) -> HostProfile:
    """`host` with the logarithm of each field in `keys` shifted by `state`."""
    operators = dict(host.operators)
    own: dict[str, Any] = {}
    for (name, field), shift in zip(keys, state, strict=True):
        factor = float(np.exp(shift))
        value = getattr(host if name == HOST else operators[name], field)
        scaled = tuple(v * factor for v in value) if isinstance(value, tuple) else value * factor
        if name == HOST:
            own[field] = scaled
        else:
            change: dict[str, Any] = {field: scaled}
            operators[name] = replace(operators[name], **change)
    return replace(host, operators=operators, **own)


def _settled(host: HostProfile, keys: Sequence[tuple[str, str]], left: Array) -> HostProfile:
    """`host` with the standard deviations that are `left` after the observations."""
    operators = dict(host.operators)
    own = dict(host.uncertainty)
    for (name, field), deviation in zip(keys, left, strict=True):
        if name == HOST:
            own[field] = float(deviation)
        else:
            belief = {**operators[name].uncertainty, field: float(deviation)}
            operators[name] = replace(operators[name], uncertainty=belief)
    return replace(host, operators=operators, uncertainty=own)

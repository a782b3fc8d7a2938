"""The time of a whole NumPy training step from its operator calls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.classes import (
    operator_class,
    parameters_of,
    repeats_of,
    touched_bytes,
    work_of,
)
from dcsim.cost.operators import Work, operator_time
from dcsim.records.interval import Interval
from dcsim.records.operators import OperatorCall
from dcsim.records.profile import HostProfile, OperatorParameters

Array = NDArray[np.float64]

#: Standard normal quantile of a two-sided 90 % interval.
Z90 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class CallGroup:
    """All calls of one operator class among some steps; arrays of shape (calls,).

    `repeats` is how often each call's work is done, `step` the step it belongs to, `entry`
    its place among that step's calls, `traffic_bytes` what the whole step moves.
    """

    work: Work
    repeats: Array
    step: NDArray[np.intp]
    entry: NDArray[np.intp]
    traffic_bytes: Array


def group_calls(steps: Sequence[Sequence[OperatorCall]]) -> dict[str, CallGroup]:
    """The calls of several steps by operator class, ready to be timed together."""
    members: dict[str, list[tuple[int, int, OperatorCall]]] = {}
    traffic = np.zeros(len(steps))
    for index, calls in enumerate(steps):
        for entry, call in enumerate(calls):
            members.setdefault(operator_class(call), []).append((index, entry, call))
            traffic[index] += touched_bytes(call) * call.count
    groups = {}
    for name in sorted(members):
        step = np.array([index for index, _, _ in members[name]], dtype=np.intp)
        places = np.array([place for _, place, _ in members[name]], dtype=np.intp)
        calls = [call for _, _, call in members[name]]
        groups[name] = CallGroup(work_of(calls), repeats_of(calls), step, places, traffic[step])
    return groups


def group_times(group: CallGroup, parameters: OperatorParameters, host: HostProfile) -> Array:
    """Seconds of each call of the group within its step, repeats included; shape (calls,)."""
    elsewhere = host.reuse_share * group.traffic_bytes
    work = replace(
        group.work, working_set_bytes=np.asarray(group.work.working_set_bytes) + elsewhere
    )
    in_context = replace(parameters, overhead_s=parameters.overhead_s * host.overhead_factor)
    return group.repeats * operator_time(work, in_context)


def step_times(steps: Sequence[Sequence[OperatorCall]], host: HostProfile) -> Array:
    """Seconds of each of several training steps, shape (len(steps),)."""
    total = np.zeros(len(steps))
    for name, group in group_calls(steps).items():
        times = group_times(group, parameters_of(name, host.operators), host)
        total += np.bincount(group.step, times, minlength=len(steps))
    return total


def call_times(calls: Sequence[OperatorCall], host: HostProfile) -> Array:
    """Seconds of each entry of one step's `calls`, times its `count`; shape (len(calls),)."""
    times = np.zeros(len(calls))
    for name, group in group_calls([calls]).items():
        times[group.entry] = group_times(group, parameters_of(name, host.operators), host)
    return times


def host_step_time(operators: Sequence[OperatorCall], host: HostProfile) -> Interval:
    """Seconds of one training step that makes the calls `operators` on `host`.

    The value is the sum over calls of the operator form; `low` and `high` bound a 90 %
    prediction interval, log-normal with the residual spread of whole training steps.
    """
    value = float(call_times(operators, host).sum())
    factor = float(np.exp(Z90 * host.step_spread))
    return Interval(value, value / factor, value * factor, "s")

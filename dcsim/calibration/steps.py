"""The time of a whole NumPy training step from its operator calls."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.classes import operator_class, parameters_of, work_of
from dcsim.cost.operators import operator_time
from dcsim.records.interval import Interval
from dcsim.records.operators import OperatorCall
from dcsim.records.profile import HostProfile

#: Standard normal quantile of a two-sided 90 % interval.
Z90 = 1.6448536269514722


def call_times(calls: Sequence[OperatorCall], host: HostProfile) -> NDArray[np.float64]:
    """Seconds of each entry of `calls`, times its `count`; shape (len(calls),)."""
    times = np.zeros(len(calls))
    names = [operator_class(call) for call in calls]
    for name in sorted(set(names)):
        rows = [i for i, other in enumerate(names) if other == name]
        chosen = [calls[i] for i in rows]
        counts = np.array([call.count for call in chosen], dtype=float)
        times[rows] = counts * operator_time(work_of(chosen), parameters_of(name, host.operators))
    return times


def host_step_time(operators: Sequence[OperatorCall], host: HostProfile) -> Interval:
    """Seconds of one training step that makes the calls `operators` on `host`.

    The value is the sum over calls of the operator form; `low` and `high` bound a 90 %
    prediction interval, log-normal with the residual spread of the held-out steps.
    """
    value = float(call_times(operators, host).sum())
    factor = float(np.exp(Z90 * host.step_spread))
    return Interval(value, value / factor, value * factor, "s")

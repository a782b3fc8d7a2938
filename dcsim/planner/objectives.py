"""Whether a candidate meets an objective, and how surely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.records import Fault, InputError, Interval
from dcsim.scenario.resolved import Objective

#: Values of metrics (`base.finish`, `total.cost`) over the runs, arrays of shape (runs,).
Samples = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """An objective as one candidate fares.

    `confidence` is the share of runs that meet the bound and `met` says whether it
    reaches what was asked. `shortfall` is by how much, relative to the target, the
    quantile that the asked confidence looks at misses it; 0 when met.
    """

    objective: Objective
    value: Interval
    confidence: float
    met: bool
    shortfall: float

    def to_json(self) -> dict[str, object]:
        """The form in which `plan --json` writes an objective."""
        return {
            "name": self.objective.name,
            "metric": self.objective.metric,
            "target": self.objective.target,
            "unit": self.objective.unit,
            "hard": self.objective.hard,
            "value": self.value.value,
            "low": self.value.low,
            "high": self.value.high,
            "confidence_asked": self.objective.confidence,
            "confidence": self.confidence,
            "met": self.met,
        }


def judge(objective: Objective, samples: Samples) -> Verdict:
    """How `objective` fares over the runs in `samples`.

    Raises InputError when its metric is not among them.
    """
    if objective.metric not in samples:
        known = ", ".join(sorted(samples))
        raise InputError(
            Fault(
                f"there is no metric {objective.metric!r}; this scenario has {known}",
                field=f"objectives.{objective.name}",
            )
        )
    values = samples[objective.metric]
    good = (
        values <= objective.target if objective.sense == "at_most" else values >= objective.target
    )
    confidence = float(np.mean(good))
    met = confidence >= objective.confidence
    return Verdict(
        objective=objective,
        value=Interval.from_samples(values, objective.unit),
        confidence=confidence,
        met=met,
        shortfall=0.0 if met else _shortfall(objective, values),
    )


def judge_all(objectives: Sequence[Objective], samples: Samples) -> tuple[Verdict, ...]:
    """A verdict on every objective, in their order."""
    return tuple(judge(objective, samples) for objective in objectives)


def _shortfall(objective: Objective, values: NDArray[np.float64]) -> float:
    """Relative distance of the asked quantile from the target.

    The order statistic is the one that must lie on the right side for the share of runs
    to reach the asked confidence, so that it is positive exactly when that is missed.
    """
    needed = max(int(np.ceil(objective.confidence * values.size - 1e-9)), 1)
    ordered = np.sort(values)
    if objective.sense == "at_most":
        miss = float(ordered[needed - 1]) - objective.target
    else:
        miss = objective.target - float(ordered[values.size - needed])
    return miss / abs(objective.target) if objective.target else miss

"""How far a prediction of a rehearsal was off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, median

from dcsim.execution.rehearsal.plan import Times


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figures of one prediction against one run; errors are fractions, times seconds."""

    makespan_measured_s: float
    makespan_predicted_s: float
    wait_measured_s: float
    wait_predicted_s: float
    median_completion_error: float
    kendall_tau: float

    @property
    def makespan_error(self) -> float:
        """Predicted ÷ measured − 1."""
        return self.makespan_predicted_s / self.makespan_measured_s - 1.0

    @property
    def wait_error(self) -> float:
        """Predicted ÷ measured − 1 of the mean wait; inf when nobody waited in truth only."""
        if self.wait_measured_s == 0.0:
            return 0.0 if self.wait_predicted_s == 0.0 else float("inf")
        return self.wait_predicted_s / self.wait_measured_s - 1.0


def compare(measured: Sequence[Times], predicted: Sequence[Times]) -> Outcome:
    """The figures of `predicted` against `measured`, job by job in the same order.

    A job's completion is end − submission; its error is |predicted ÷ measured − 1|.
    """
    from scipy.stats import kendalltau

    starts = [[t.start_s for t in times] for times in (measured, predicted)]
    tau = float(kendalltau(*starts).statistic) if len(measured) > 1 else 1.0
    return Outcome(
        makespan_measured_s=max(t.end_s for t in measured),
        makespan_predicted_s=max(t.end_s for t in predicted),
        wait_measured_s=mean(t.start_s - t.submit_s for t in measured),
        wait_predicted_s=mean(t.start_s - t.submit_s for t in predicted),
        median_completion_error=median(
            abs((p.end_s - p.submit_s) / (m.end_s - m.submit_s) - 1.0)
            for m, p in zip(measured, predicted, strict=True)
        ),
        kendall_tau=tau,
    )


def median_outcome(outcomes: Sequence[Outcome]) -> Outcome:
    """Each figure's median over runs.

    Makespan and wait are those of the run whose error is the median in size: medians of
    measured and predicted values apart would let errors of opposite sign cancel.
    """
    longest = _middle(outcomes, lambda one: abs(one.makespan_error))
    waiting = _middle(outcomes, lambda one: abs(one.wait_error))
    return Outcome(
        makespan_measured_s=longest.makespan_measured_s,
        makespan_predicted_s=longest.makespan_predicted_s,
        wait_measured_s=waiting.wait_measured_s,
        wait_predicted_s=waiting.wait_predicted_s,
        median_completion_error=median(one.median_completion_error for one in outcomes),
        kendall_tau=median(one.kendall_tau for one in outcomes),
    )


def _middle(outcomes: Sequence[Outcome], key: Callable[[Outcome], float]) -> Outcome:
    return sorted(outcomes, key=key)[len(outcomes) // 2]


def median_times(runs: Sequence[Sequence[Times]]) -> list[Times]:
    """Each job's median times over runs, in the order of the jobs."""
    return [
        Times(
            *(
                median(getattr(t, name) for t in job)
                for name in ("submit_s", "start_s", "end_s", "step_s")
            )
        )
        for job in zip(*runs, strict=True)
    ]

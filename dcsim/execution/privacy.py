"""What differential privacy costs a real job: the job plain and private, side by side."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

from dcsim.execution.measure import measure_job
from dcsim.protection.privacy import epsilon, noise_for
from dcsim.records import RealRun
from dcsim.training.jobs import Job, load_data
from dcsim.training.loop import Progress


@dataclass(frozen=True, slots=True)
class Budget:
    """A private training: its job, and the privacy that all of its steps spend.

    `epsilon` is None where nothing bounds it: no noise, or batches that are shuffled.
    """

    job: Job
    epsilon: float | None
    delta: float


@dataclass(frozen=True, slots=True)
class Cost:
    """One line of the comparison: privacy, quality on test data and median seconds a step.

    `slowdown` is step time over that of the plain job; epsilon None means unbounded.
    """

    epsilon: float | None
    delta: float | None
    noise: float
    clip: float
    metric: str
    quality: float
    step_s: float
    slowdown: float


def planned_steps(job: Job) -> tuple[int, float]:
    """Steps of the whole job, and the share of the training examples in each."""
    n = len(load_data(job).train)
    batch = min(job.batch_size, n)
    steps = job.epochs * math.ceil(n / job.batch_size)
    return min(steps, job.max_steps or steps), batch / n


def spends(job: Job, delta: float) -> Budget:
    """The privacy that a private job spends by the end, were it not to stop early."""
    steps, share = planned_steps(job)
    if job.sampling != "poisson" or not job.noise:
        return Budget(job, None, delta)
    return Budget(job, epsilon(job.noise, share, steps, delta), delta)


def within(job: Job, target: float, delta: float) -> Budget:
    """The job with the least noise that spends at most epsilon `target` at `delta`."""
    steps, share = planned_steps(job)
    noisy = replace(job, noise=noise_for(target, share, steps, delta), sampling="poisson")
    return spends(noisy, delta)


def compare(
    plain: Job,
    budgets: Sequence[Budget],
    last: RealRun,
    on_progress: Callable[[str, Progress], None],
) -> list[Cost]:
    """Train the plain job and all private ones but the last, which has run: a line each.

    The first line is the job without privacy. `on_progress` hears what is trained. Raises
    as `measure_job` does.
    """
    base = measure_job(plain, on_progress=lambda at: on_progress("without privacy", at))
    base_s = median(base.step_s)
    rows = [_cost(base, None, plain, base_s)]
    for budget in budgets[:-1]:
        name = name_of(budget)
        run = measure_job(budget.job, on_progress=lambda at, n=name: on_progress(n, at))  # type: ignore[misc]
        rows.append(_cost(run, budget, budget.job, base_s))
    return [*rows, _cost(last, budgets[-1], budgets[-1].job, base_s)]


def name_of(budget: Budget) -> str:
    """The budget in words."""
    return "without a bound" if budget.epsilon is None else f"epsilon {budget.epsilon:.3g}"


def _cost(run: RealRun, budget: Budget | None, job: Job, base_s: float) -> Cost:
    step_s = median(run.step_s)
    return Cost(
        epsilon=budget.epsilon if budget else None,
        delta=budget.delta if budget else None,
        noise=job.noise,
        clip=job.clip,
        metric=run.metric_name,
        quality=run.metrics[f"test_{run.metric_name}"],
        step_s=step_s,
        slowdown=step_s / base_s,
    )


def document(rows: Sequence[Cost]) -> dict[str, Any]:
    """The comparison for JSON; the first line is the job without privacy."""
    return {
        "privacy": [asdict(row) for row in rows],
        "accountant": "privacy loss distributions, add or remove one example, dp-accounting",
    }


def picture(rows: Sequence[Cost]) -> bytes:
    """An SVG of quality and step time against epsilon, with the plain job as a line."""
    import matplotlib
    from matplotlib.figure import Figure

    plain, bounded = rows[0], [row for row in rows if row.epsilon is not None]
    figure = Figure(figsize=(6.0, 2.8), layout="constrained")
    quality, slowdown = figure.subplots(1, 2)
    x = [row.epsilon for row in bounded]
    quality.plot(x, [row.quality for row in bounded], "o-", color="#0072b2", markersize=4)
    quality.axhline(plain.quality, color="#777777", linewidth=0.8)
    quality.annotate(
        "without privacy",
        (0.02, plain.quality),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=7,
        color="#555555",
    )
    quality.set_ylabel(f"{plain.metric.replace('_', ' ')} on test data")
    slowdown.plot(x, [row.slowdown for row in bounded], "s-", color="#d55e00", markersize=4)
    slowdown.set_ylim(0.0, 1.15 * max(row.slowdown for row in rows))
    slowdown.set_ylabel("step time, times the plain job's")
    for axes in (quality, slowdown):
        axes.set_xscale("log")
        axes.set_xticks(x, [f"{value:.3g}" for value in x])
        axes.minorticks_off()
        axes.set_xlabel(f"epsilon at delta {bounded[0].delta:g}")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "dcsim"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()

"""Half-widths of prediction intervals from residuals of held-out runs."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.training_fit import Runs, group_weights
from dcsim.cost.intervals import conditions
from dcsim.records.profile import TrainingFit

Floats = NDArray[np.float64]

#: Share of runs that an interval should hold.
COVERAGE = 0.9


def spread_of(
    runs: Runs,
    parameters: Mapping[str, float],
    outside: Floats,
    without_chip: Floats,
    without_generation: Floats,
) -> dict[str, float]:
    """Half-widths (logarithms) that hold 90 % of held-out runs, by condition.

    `outside` are log predictions with the run's group held out, `without_chip` with its
    accelerator and `without_generation` with its chip generation held out. The base comes
    from runs without any condition, each addition (in squares) from the runs that meet
    it, so that widths grow only where residuals do.
    """
    weights = group_weights(runs.group)
    measured = np.log(runs.measured_s)
    squares = (outside - measured) ** 2
    masks = _row_masks(runs, TrainingFit(parameters))
    plain = ~np.any([mask for mask, _ in masks], axis=0)
    spread = {"base": float(np.sqrt(_quantile(squares[plain], weights[plain])))}
    variance = np.full(len(runs), spread["base"] ** 2)
    for mask, name in masks:
        extra = _beyond(squares, variance, weights, mask)
        variance = variance + extra * mask
        spread[name] = float(np.sqrt(extra))
    for name, logs in (
        ("unknown accelerator", without_chip),
        ("unknown generation", without_generation),
    ):
        everywhere = np.isfinite(logs)
        extra = _beyond((logs - measured) ** 2, variance, weights, everywhere)
        variance = variance + extra
        spread[name] = float(np.sqrt(extra))
    # A generation of software nobody has measured is as far off as a held-out group.
    spread["unknown software"] = spread["base"]
    return spread


def _beyond(squares: Floats, variance: Floats, weights: Floats, rows: NDArray[np.bool_]) -> float:
    """What `variance` lacks to hold 90 % of the `squares` in `rows`, 0 when nothing."""
    if not rows.any():
        return 0.0
    return max(_quantile((squares - variance)[rows], weights[rows]), 0.0)


def _row_masks(runs: Runs, fit: TrainingFit) -> list[tuple[NDArray[np.bool_], str]]:
    """`conditions` of each run instead of each configuration."""
    out = []
    for mask, name in conditions(runs.table, fit):
        shaped = np.broadcast_to(mask, (runs.table.count,)).astype(float)
        out.append((np.bincount(runs.owner, shaped, minlength=len(runs)) > 0, name))
    return out


def _quantile(values: Floats, weights: Floats) -> float:
    """The weighted quantile at `COVERAGE`."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    index = int(np.searchsorted(total, COVERAGE * total[-1]))
    return float(values[order][min(index, len(values) - 1)])

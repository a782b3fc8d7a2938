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
    runs: Runs, parameters: Mapping[str, float], outside: Floats, without_chip: Floats
) -> dict[str, float]:
    """Half-widths (logarithms) that hold 90 % of held-out runs, by condition.

    `outside` are log predictions with the run's group held out, `without_chip` with its
    accelerator held out. The base comes from runs without any condition, each addition
    (in squares) from the runs that meet it, so that widths grow only where residuals do.
    """
    weights = group_weights(runs.group)
    squares = (outside - np.log(runs.measured_s)) ** 2
    masks = _row_masks(runs, TrainingFit(parameters))
    known = np.isfinite(squares)
    plain = known & ~np.any([mask for mask, _ in masks], axis=0)
    spread = {"base": float(np.sqrt(_quantile(squares[plain], weights[plain])))}
    variance = np.full(len(runs), spread["base"] ** 2)
    for mask, name in masks:
        rows = known & mask
        extra = 0.0
        if rows.any():
            extra = max(_quantile((squares - variance)[rows], weights[rows]), 0.0)
        variance = variance + extra * mask
        spread[name] = float(np.sqrt(extra))
    chip = (without_chip - np.log(runs.measured_s)) ** 2
    rows = np.isfinite(chip)
    extra = max(_quantile((chip - variance)[rows], weights[rows]), 0.0)
    spread["unknown accelerator"] = float(np.sqrt(extra))
    spread["unknown generation"] = float(np.sqrt(extra))
    spread["unknown software"] = spread["base"]
    return spread


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

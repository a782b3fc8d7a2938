"""Prediction intervals of training times from cross-validated residuals."""

import numpy as np
from numpy.typing import NDArray

from dcsim.cost.parameters import generation_of
from dcsim.records.profile import TrainingFit
from dcsim.workload.table import PRECISION_BITS, TrainingTable

Floats = NDArray[np.float64]

#: Half-width of an interval, as a logarithm, before any run was held out.
UNFITTED = 0.5


def prediction_interval(
    table: TrainingTable, predicted_s: Floats, fit: TrainingFit
) -> tuple[Floats, Floats]:
    """The bounds of a 90 % interval around `predicted_s`; arrays of shape (n,).

    Half-widths are logarithms, kept in `fit.spread`: a `base` for known accelerators,
    software and layouts, and additions (root sum of squares) for what the fit has not
    seen: `mixture` of experts, `long` sequences, narrow `8` and `4` bit products, an
    accelerator or software without runs.
    """
    width = np.asarray(half_width(table, fit))
    shape = predicted_s.shape
    factor = np.exp(np.broadcast_to(width, shape))
    return predicted_s / factor, predicted_s * factor


def half_width(table: TrainingTable, fit: TrainingFit) -> Floats:
    """Logarithmic half-widths of the rows, of shape (n,) or (1,)."""
    spread = fit.spread
    square: Floats = np.full(1, spread.get("base", UNFITTED) ** 2)
    for mask, name in conditions(table, fit):
        square = square + np.where(mask, spread.get(name, 0.0) ** 2, 0.0)
    return np.sqrt(square)


def conditions(table: TrainingTable, fit: TrainingFit) -> list[tuple[NDArray[np.bool_], str]]:
    """Masks of rows that widen the interval, with the name of the addition."""
    bits = np.asarray(PRECISION_BITS)[table.precision]
    known = fit.parameters
    chips = [f"pace.accelerator.{name}" in known for name in table.accelerator_names]
    relatives = [
        f"traffic.share.{generation_of(name)}" in known for name in table.accelerator_names
    ]
    tools = [f"pace.software.{name}" in known for name in table.software_names]
    return [
        (table.experts > 0, "mixture"),
        (table.seq_len > 8192, "long"),
        (bits == 8, "8-bit"),
        (bits == 4, "4-bit"),
        (~np.asarray(chips)[table.accelerator], "unknown accelerator"),
        (~np.asarray(relatives)[table.accelerator], "unknown generation"),
        (~np.asarray(tools)[table.software], "unknown software"),
    ]

"""How well the training-step model predicts runs that it was not fitted to."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.training_fit import Runs, fit_parameters, log_predictions

Floats = NDArray[np.float64]

#: Runs that are copies of one another under two names, by row: a fold that holds out one
#: also leaves the other out of the fit.
COPIES: tuple[tuple[str, str], ...] = (("C0266", "C0273"), ("C0317", "C0318"))


def held_out(
    runs: Runs,
    folds: Sequence[NDArray[np.bool_]],
    start: Mapping[str, float] | None = None,
    iterations: int = 6,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """log of predicted seconds with each fold predicted by a fit to all other runs.

    `folds` are masks of shape (rows,); rows in no fold are NaN. `start` only shortens the
    search: the mode of each fit does not depend on it.
    """
    out = np.full(len(runs), np.nan)
    for number, fold in enumerate(folds):
        rest = ~(fold | copies_of(runs, fold))
        fitted = fit_parameters(runs.take(rest), iterations=iterations, start=start)
        out[fold] = log_predictions(runs.take(fold), fitted)
        if progress:
            progress(number + 1, len(folds))
    return out


def copies_of(runs: Runs, fold: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows outside `fold` that repeat a row inside it under another name."""
    inside = set(runs.row_ids[fold].tolist())
    twins = {b for a, b in COPIES if a in inside} | {a for a, b in COPIES if b in inside}
    return np.isin(runs.row_ids, sorted(twins))


def folds_by(labels: NDArray) -> list[NDArray[np.bool_]]:
    """One fold for each distinct label, in sorted order; rows labelled '' are in none."""
    return [labels == label for label in np.unique(labels) if label != ""]


def summary(errors: Floats) -> dict[str, float]:
    """Figures of relative errors predicted / measured − 1."""
    size = np.abs(errors)
    return {
        "n": len(errors),
        "median": float(np.median(size)),
        "p90": float(np.quantile(size, 0.9)),
        "bias": float(np.mean(errors)),
    }


def removed_blocks(runs: Runs, folds: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Rows whose accelerator or precision is nowhere outside their own fold."""
    out = np.zeros(len(runs), dtype=bool)
    for labels in (runs.accelerators(), runs.precisions()):
        for fold in folds:
            outside = np.unique(labels[~fold])
            out |= fold & ~np.isin(labels, outside)
    return out

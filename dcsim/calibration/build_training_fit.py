"""Fits the training-step model to the shipped published runs and writes the shipped file.

    python -m dcsim.calibration.build_training_fit [--out FILE]

Deterministic; minutes, since every group of runs is held out once for the intervals.
"""

import argparse
import csv
import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.training_fit import Runs, fit_parameters, log_predictions, runs_of
from dcsim.calibration.training_spread import spread_of
from dcsim.calibration.training_validation import folds_by, held_out, summary
from dcsim.cost.parameters import generation_of

#: Published runs that ship with the package.
RUN_FILES = ("training_runs.csv", "training_runs_small.csv")

#: Significant digits of a parameter in the file: far below what the data can tell.
_DIGITS = 6


def published_rows() -> list[dict[str, str]]:
    """The shipped published runs, large ones first."""
    rows: list[dict[str, str]] = []
    for name in RUN_FILES:
        text = files("dcsim.calibration").joinpath("data", name).read_text(encoding="utf-8")
        rows += csv.DictReader(text.splitlines())
    return rows


def build(rows: list[dict[str, str]]) -> dict[str, Any]:
    """The document of the shipped fit: parameters, spread and fit report."""
    runs = runs_of(rows)
    parameters = fit_parameters(runs)
    inside = log_predictions(runs, parameters)
    outside = held_out(runs, folds_by(runs.group), start=parameters, progress=_progress)
    without_chip = held_out(
        runs, folds_by(runs.accelerators()), start=parameters, progress=_progress
    )
    generations = np.array([generation_of(name) for name in runs.accelerators().tolist()])
    without_generation = held_out(runs, folds_by(generations), start=parameters, progress=_progress)
    spread = spread_of(runs, parameters, outside, without_chip, without_generation)
    return {
        "parameters": {k: float(f"{v:.{_DIGITS}g}") for k, v in sorted(parameters.items())},
        "spread": {k: float(f"{v:.{_DIGITS}g}") for k, v in spread.items()},
        "fit_report": {
            "source": "published runs in dcsim/calibration/data (source columns kept)",
            "rows": len(runs),
            "groups": len(np.unique(runs.group)),
            "in_sample": _report(runs, inside),
            "group_held_out": _report(runs, outside),
            "accelerator_held_out": _report(runs, without_chip),
            "generation_held_out": _report(runs, without_generation),
        },
    }


def _report(runs: Runs, log_s: NDArray[np.float64]) -> dict[str, float]:
    errors = np.exp(log_s) / runs.measured_s - 1.0
    return {k: round(v, 4) for k, v in summary(errors[np.isfinite(errors)]).items()}


def _progress(done: int, total: int) -> None:
    print(f"\rheld out {done}/{total}", end="", file=sys.stderr, flush=True)


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parent.parent / "cost" / "data" / "training-fit.json"
    parser.add_argument("--out", type=Path, default=default)
    out = parser.parse_args().out
    document = build(published_rows())
    out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document["fit_report"], indent=1))


if __name__ == "__main__":
    main()

"""How far to trust the figures: predicted against measured, here and in publications."""

import csv
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from dcsim.cost.parameters import shipped_fit
from dcsim.cost.row_estimates import estimate_rows
from dcsim.records.profile import HeldOutRow, Profile

Rows = list[dict[str, Any]]


def published_rows(profile: Profile) -> Rows:
    """The table `published`: published training runs as the profile predicts them.

    The shipped fit has seen these runs; its held-out errors are in `fit_report`. Rows
    without a measured time or a prediction are left out.
    """
    fit = profile.training if profile.training.parameters else shipped_fit()
    text = files("dcsim.calibration").joinpath("data/training_runs.csv").read_text("utf-8")
    runs = list(csv.DictReader(text.splitlines()))
    estimates = estimate_rows(runs, fit)
    return [
        _row(run, estimate, block)
        for run, estimate, block in zip(runs, estimates.rows, estimates.blocks, strict=True)
        if run["iteration_s"] and estimate["predicted_iteration_s"] is not None
    ]


def _row(run: Mapping[str, str], estimate: Mapping[str, Any], block: str) -> dict[str, Any]:
    return {
        "row_id": run["row_id"],
        "block": block,
        "accelerator": run["accelerator"],
        "measured_s": float(run["iteration_s"]),
        "predicted_s": estimate["predicted_iteration_s"],
        "low_s": estimate["low_s"],
        "high_s": estimate["high_s"],
        "quality": run["quality"],
    }


def heldout_rows(held_out: tuple[HeldOutRow, ...]) -> Rows:
    """The table `host_heldout`: training steps that the profile's machine measured."""
    return [
        {
            "name": row.name,
            "measured_s": row.measured_s,
            "predicted_s": row.predicted_s,
            "low_s": row.low_s,
            "high_s": row.high_s,
        }
        for row in held_out
    ]

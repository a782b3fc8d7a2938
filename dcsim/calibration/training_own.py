"""A user's own measured runs move the shipped training fit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.training_fit import Runs, fit_parameters, log_predictions, runs_of
from dcsim.calibration.training_validation import summary
from dcsim.records import InputError
from dcsim.records.profile import TrainingFit

#: How much narrower beliefs are after the published runs than before them.
CONFIDENCE = 2.0

#: Runs are held out in at most so many parts.
MOST_FOLDS = 10

#: Fewest runs that say anything about a fit to the others.
FEWEST_RUNS = 2


def fit_own_runs(rows: Sequence[Mapping[str, str]], shipped: TrainingFit) -> TrainingFit:
    """`shipped` after seeing `rows` (columns of `training_runs.csv`, `iteration_s` given).

    Priors are centred on the shipped parameters. The fit report compares the errors of
    the shipped fit with those of fits that had not seen the run in question
    (`own_before`, `own_held_out`); intervals become as wide as those held-out errors ask,
    never wider than shipped. InputError when no row can be used.
    """
    try:
        runs = runs_of(rows)
    except ValueError as error:
        raise InputError(
            "no row has a measured iteration_s and a configuration that can be predicted"
        ) from error
    before = _errors(runs, log_predictions(runs, shipped.parameters))
    moved = _fit(runs, shipped)
    report = dict(shipped.fit_report) | {"own_runs": len(runs), "own_before": summary(before)}
    spread = dict(shipped.spread)
    if len(runs) >= FEWEST_RUNS:
        logs = np.full(len(runs), np.nan)
        for fold in _folds(len(runs)):
            fitted = dict(shipped.parameters) | _fit(runs.take(~fold), shipped)
            logs[fold] = log_predictions(runs.take(fold), fitted)
        held_out = _errors(runs, logs)
        report["own_held_out"] = summary(held_out)
        ratio = np.quantile(np.abs(np.log1p(held_out)), 0.9) / max(spread.get("base", 1.0), 1e-9)
        shrink = _shrunk(float(ratio), len(runs))
        spread = {name: value * shrink for name, value in spread.items()}
    return TrainingFit(dict(shipped.parameters) | moved, spread, report)


def _fit(runs: Runs, shipped: TrainingFit) -> dict[str, float]:
    known = shipped.parameters
    return fit_parameters(
        runs, iterations=8, start=known, prior_overrides=known, confidence=CONFIDENCE
    )


def _shrunk(ratio: float, count: int) -> float:
    """The factor on interval widths: towards `ratio` as runs become many, at most 1."""
    trust = count / (count + float(MOST_FOLDS))
    return min(1.0, 1.0 - trust + trust * ratio)


def _folds(count: int) -> list[NDArray[np.bool_]]:
    parts = min(count, MOST_FOLDS)
    return [np.arange(count) % parts == part for part in range(parts)]


def _errors(runs: Runs, logs: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(logs) / runs.measured_s - 1.0)


#: Parameters that moved by less are not worth a line.
_WORTH_SAYING = 0.02


def own_runs_json(fit: TrainingFit, shipped: TrainingFit) -> dict[str, Any]:
    """The document of `dcsim calibrate --runs --json`; errors are fractions.

    `before` is the shipped fit on the user's runs, `held_out` the fits that had not seen
    the run in question (null for a single run), `interval_factor` the factor on the widths
    of intervals, `moved` every parameter with its value before and after.
    """
    report = fit.fit_report
    known = shipped.parameters
    return {
        "own_runs": report["own_runs"],
        "before": report["own_before"],
        "held_out": report.get("own_held_out"),
        "interval_factor": fit.spread["base"] / shipped.spread["base"] if shipped.spread else 1.0,
        "moved": [
            {"name": name, "before": known.get(name), "after": value}
            for name, value in sorted(fit.parameters.items())
            if known.get(name) != value
        ],
    }


def own_runs_text(fit: TrainingFit, shipped: TrainingFit) -> str:
    """The same for a terminal, at most 80 columns: errors, then what moved most."""
    document = own_runs_json(fit, shipped)
    lines = [f"{document['own_runs']} measured runs", ""]
    lines.append(f"{'error of iteration time':32s} {'median':>8s} {'p90':>8s} {'bias':>8s}")
    for label, name in (("before (published runs only)", "before"), ("held out", "held_out")):
        figures = document[name]
        if figures:
            cells = " ".join(
                f"{100 * figures[key]:{sign}7.1f}%"
                for key, sign in (("median", ""), ("p90", ""), ("bias", "+"))
            )
            lines.append(f"{label:32s} {cells}")
    if document["held_out"] is None:
        lines.append("held out: needs at least two runs")
    lines.append(f"intervals are {document['interval_factor']:.2f} times as wide as shipped")
    moved = [m for m in document["moved"] if _change(m) > _WORTH_SAYING]
    if moved:
        lines += ["", f"{'parameter':46s} {'before':>10s} {'after':>10s}"]
    for entry in sorted(moved, key=_change, reverse=True)[:10]:
        before = "prior" if entry["before"] is None else f"{entry['before']:.4g}"
        lines.append(f"{entry['name']:46s} {before:>10s} {entry['after']:10.4g}")
    return "\n".join(lines)


def _change(entry: Mapping[str, Any]) -> float:
    before = entry["before"]
    return 1.0 if before is None else abs(float(np.log(entry["after"] / before)))

"""What `dcsim train` leaves behind: the steps, the evaluations, a summary and a picture."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from dcsim._version import __version__
from dcsim.execution.pictures import interpretation_picture
from dcsim.records import RealRun
from dcsim.training.checkpoint import write_atomically

#: Share of the steps that the smoothed loss curve looks back over.
_SMOOTHING = 0.02


def write_history(run: RealRun, directory: Path) -> None:
    """Write `history.csv` (a row a step), `evaluations.csv` (a row an epoch), `summary.json`,
    `learning-curve.svg` and, where the run has one, `interpretation.svg` into `directory`,
    each whole or not at all.
    """
    steps = zip(run.epochs, run.losses, run.step_s, strict=True)
    rows = [f"{i},{epoch},{loss!r},{step_s!r}" for i, (epoch, loss, step_s) in enumerate(steps, 1)]
    _write(directory / "history.csv", ["step,epoch,loss,step_s", *rows])
    if run.evaluations:
        names = list(run.evaluations[0])
        head = [name if name in ("step", "epoch") else f"validation_{name}" for name in names]
        lines = [",".join(repr(entry[name]) for name in names) for entry in run.evaluations]
        _write(directory / "evaluations.csv", [",".join(head), *lines])
    _write(directory / "summary.json", [json.dumps(summary(run), indent=1)])
    write_atomically(directory / "learning-curve.svg", learning_curve(run))
    if run.interpretation:
        picture = interpretation_picture(run.interpretation)
        write_atomically(directory / "interpretation.svg", picture)


def _write(path: Path, lines: list[str]) -> None:
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def summary(run: RealRun) -> dict[str, Any]:
    """The run in one JSON document; figures that are not finite are null."""
    low, median, high = np.percentile(run.step_s, [5.0, 50.0, 95.0])
    flop = sum(call.count * call.flop for call in run.operators)
    return {
        "job": run.job,
        "version": __version__,
        "parameters": dict(run.parameters),
        "data": run.data_source,
        "training_samples": run.training_samples,
        "parameter_count": run.parameter_count,
        "steps": len(run.step_s),
        "epochs": run.epochs[-1] + 1,
        "stopped": run.stopped,
        "loss": {
            "name": run.loss_name,
            "first": _finite(run.losses[0]),
            "last": _finite(run.losses[-1]),
        },
        "metrics": {name: _finite(value) for name, value in run.metrics.items()},
        "step_s": {"median": float(median), "p5": float(low), "p95": float(high)},
        "step_flop": flop,
        "startup_s": run.startup_s,
        "load_s": run.load_s,
        "evaluation_s": run.evaluation_s,
        "checkpoint_bytes": run.checkpoint_bytes,
        "checkpoint_s": run.checkpoint_s,
        "interpretation": dict(run.interpretation),
        "machine": run.machine,
        "measured_at": run.measured_at,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def learning_curve(run: RealRun) -> bytes:
    """An SVG of the loss of each step, smoothed, and of each epoch's validation loss."""
    import matplotlib
    from matplotlib.figure import Figure

    losses = np.array(run.losses)
    losses = losses[np.isfinite(losses)]  # a run that diverged ends in one that is not
    window = max(int(_SMOOTHING * len(losses)), 1)
    ends = np.cumsum(np.concatenate([[0.0], losses]))
    smooth = (ends[window:] - ends[:-window]) / window
    figure = Figure(figsize=(6.0, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.plot(np.arange(1, len(losses) + 1), losses, color="#bbbbbb", linewidth=0.6)
    axes.plot(np.arange(window, len(losses) + 1), smooth, color="#0072b2", linewidth=1.4)
    labels = [("training", len(losses), float(smooth[-1]), "#0072b2")]
    if run.evaluations:
        steps = [entry["step"] for entry in run.evaluations]
        values = [entry["loss"] for entry in run.evaluations]
        axes.plot(steps, values, "o-", color="#d55e00", markersize=3, linewidth=1.0)
        labels.append(("validation", int(steps[-1]), values[-1], "#d55e00"))
    labels.sort(key=lambda label: label[2])
    for shift, (text, x, y, color) in zip((-9, 4), labels, strict=False):
        axes.annotate(
            text, (x, y), xytext=(3, shift), textcoords="offset points", color=color, fontsize=8
        )
    axes.set_xlabel("step")
    axes.set_ylabel(f"{run.loss_name} (nats)" if "entropy" in run.loss_name else run.loss_name)
    axes.set_xlim(0, 1.15 * len(losses))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "dcsim"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()

"""The work behind `dcsim rehearse`: running it and telling the result in 80 columns."""

from __future__ import annotations

import json
import math
from pathlib import Path

from dcsim.cli.progress import reporting
from dcsim.execution.rehearsal.figures import Outcome
from dcsim.execution.rehearsal.rehearse import RehearsalResult, rehearsal_json, rehearse
from dcsim.scenario import load_scenario


def run(path: Path, quick: bool, out: Path | None, as_json: bool) -> None:
    """Rehearse, keep the result beside the predictions and print it."""
    scenario = load_scenario(path)
    directory = out or Path("reports") / f"rehearse-{scenario.name}"
    with reporting() as progress:
        result = rehearse(scenario, quick, directory, progress)
    document = json.dumps(rehearsal_json(result), indent=1)
    (directory / "result.json").write_text(document + "\n", encoding="utf-8")
    print(document if as_json else "\n".join(_told(scenario.name, result, directory)))


def _told(name: str, result: RehearsalResult, directory: Path) -> list[str]:
    runs = len(result.runs)
    granted = [run.pace.granted for run in result.runs]
    kills = sum(run.kills for one in result.runs for run in one.details)
    return [
        f" {name}: {len(result.names)} real jobs on {result.nodes} workers that share "
        f"{_count(result.processors, 'processor')}",
        f" {'median of ' if runs > 1 else ''}{_count(runs, 'run')}, offered load "
        f"{result.load:.2f}, {_count(kills, 'worker')} killed, compute {result.compute_share:.0%} "
        "of makespan",
        *([_disturbed(min(granted))] if min(granted) < 0.95 else []),
        "",
        *_jobs(result),
        "",
        f" {'':<26} {'measured':>10} {'predicted':>10} {'error':>8}   {'constant step':>13}",
        *_figures(result.outcome, result.null),
        "",
        *[f" {run.path}  SHA-256 {run.sha256[:32]}" for run in result.runs],
        f" {directory / 'result.json'}",
    ]


def _disturbed(granted: float) -> str:
    return (
        f" other work on this machine left {granted:.0%} of the processors when it was timed; "
        "expect larger errors"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _jobs(result: RehearsalResult) -> list[str]:
    """One line a job: measured and predicted start, end and step."""
    measured, predicted = result.times()
    lines = [
        f" {'':<18} {'submit':>7} {'start':>15} {'end':>15} {'step':>17}",
        f" {'job':<18} {'s':>7} {'meas.':>7} {'pred.':>7} {'meas.':>7} {'pred.':>7}"
        f" {'meas.':>8} {'pred.':>8}",
    ]
    for name, m, p in zip(result.names, measured, predicted, strict=True):
        lines.append(
            f" {name[:18]:<18} {m.submit_s:>7.2f} {m.start_s:>7.2f} {p.start_s:>7.2f}"
            f" {m.end_s:>7.2f} {p.end_s:>7.2f} {_step(m.step_s):>8} {_step(p.step_s):>8}"
        )
    return lines


def _step(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"


def _figures(ours: Outcome, null: Outcome) -> list[str]:
    return [
        _line(
            "makespan",
            f"{ours.makespan_measured_s:.2f} s",
            f"{ours.makespan_predicted_s:.2f} s",
            _error(ours.makespan_error),
            _error(null.makespan_error),
        ),
        _line(
            "mean wait",
            f"{ours.wait_measured_s:.2f} s",
            f"{ours.wait_predicted_s:.2f} s",
            _error(ours.wait_error),
            _error(null.wait_error),
        ),
        _line(
            "completion, median error",
            "",
            "",
            f"{ours.median_completion_error:.1%}",
            f"{null.median_completion_error:.1%}",
        ),
        _line("order of starts, tau", "", "", f"{ours.kendall_tau:.2f}", f"{null.kendall_tau:.2f}"),
    ]


def _line(what: str, measured: str, predicted: str, error: str, null: str) -> str:
    return f" {what:<26} {measured:>10} {predicted:>10} {error:>8}   {null:>13}"


def _error(error: float) -> str:
    return f"{error:+.1%}" if math.isfinite(error) else "-"

"""`dcsim check`: whether a scenario is right, or whether stored results still add up."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from dcsim.records import Fault
    from dcsim.scenario.resolved import Scenario

_WIDTH = 80
_EXIT_WRONG_INPUT = 2


def command(
    path: Path | None = typer.Argument(None, help="A scenario file or a results directory."),
    schema: bool = typer.Option(False, "--schema", help="Print the JSON Schema of a scenario."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Validate a scenario, or verify a results directory."""
    import json

    if schema:
        from dcsim.scenario import json_schema

        typer.echo(json.dumps(json_schema(), indent=2))
        if path is None:
            return
    if path is None:
        raise typer.BadParameter("name a scenario file or a results directory", param_hint="PATH")
    document, lines, faults = _results(path) if path.is_dir() else _scenario(path)
    if as_json:
        typer.echo(json.dumps({**document, "faults": [_fault(f) for f in faults]}, indent=2))
    elif faults:
        from dcsim.records import InputError

        raise InputError(faults)
    elif not schema:
        typer.echo("\n".join(lines))
    if faults:
        raise typer.Exit(_EXIT_WRONG_INPUT)


def _results(path: Path) -> tuple[dict[str, Any], list[str], list["Fault"]]:
    from dcsim.store import verify

    faults = verify(path)
    lines = [f"{path}  ok: hashes and totals agree"]
    return {"path": str(path), "kind": "results", "ok": not faults}, lines, list(faults)


def _scenario(path: Path) -> tuple[dict[str, Any], list[str], list["Fault"]]:
    from dcsim.records import InputError
    from dcsim.scenario import load_scenario

    try:
        scenario = load_scenario(path)
    except InputError as error:
        return {"path": str(path), "kind": "scenario", "ok": False}, [], list(error.faults)
    defaults = [{"field": d.field, "value": d.value, "reason": d.reason} for d in scenario.defaults]
    document = {"path": str(path), "kind": "scenario", "ok": True, "name": scenario.name}
    return {**document, "defaults": defaults}, _summary(path, scenario), []


def _fault(fault: "Fault") -> dict[str, Any]:
    return {
        "file": fault.file,
        "line": fault.line,
        "column": fault.column,
        "field": fault.field,
        "message": fault.message,
    }


def _summary(path: Path, scenario: "Scenario") -> list[str]:
    """What was understood, and every default with its reason, in 80 columns."""
    nodes = ", ".join(f"{g.count} × {g.node.name}" for g in scenario.cluster.groups)
    jobs = ", ".join(work.name for work in scenario.workload)
    lines = [
        f"{path}  ok",
        "",
        *_wrapped("scenario", scenario.title),
        *_wrapped("nodes", nodes or "this machine only"),
        *_wrapped("jobs", jobs),
        *(line for o in scenario.objectives for line in _wrapped("objective", _objective(o))),
    ]
    if scenario.defaults:
        lines += ["", f" {len(scenario.defaults)} values were left open and filled in:", ""]
    for default in scenario.defaults:
        lines += _default(default.field, default.value, default.reason)
    return lines


def _objective(objective: Any) -> str:
    hard = ", hard" if objective.hard else ""
    return f"{objective.text} ({objective.confidence:.0%} sure{hard})"


def _wrapped(head: str, text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(
        text, _WIDTH, initial_indent=f" {head:<10} ", subsequent_indent=" " * 12
    ) or [f" {head}"]


def _default(field: str, value: str, reason: str) -> list[str]:
    """Field and value on one line where they fit, the reason indented below."""
    import textwrap

    head = f" {field}: {value}"
    lines = textwrap.wrap(head, _WIDTH, initial_indent=" ", subsequent_indent="     ")
    return lines + textwrap.wrap(reason, _WIDTH, initial_indent="     ", subsequent_indent="     ")

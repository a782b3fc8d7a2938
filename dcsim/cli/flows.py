"""`dcsim flows`: completion times of given flows on given links."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dcsim.simulation.fluid_file import FlowScenario


def command(
    file: Annotated[
        Path, typer.Argument(help="Links and flows, dcsim-netflows/1.", metavar="FILE.json")
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Write the times to this CSV.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say when each of the given flows completes, sharing links max-min fairly."""
    from dcsim.simulation.fluid_file import read_flow_scenarios

    rows: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for scenario in read_flow_scenarios(file):
        times = scenario.completion_s()
        for flow, time in zip(scenario.flows, times.tolist(), strict=True):
            rows.append({"scenario": scenario.name, "flow": flow, "completion_s": time})
        error = _worst(scenario, times)
        if error is not None:
            errors.append(error)
    if out is not None:
        _save(rows, out)
    if as_json:
        typer.echo(json.dumps({"rows": rows, "errors": errors}, indent=1, allow_nan=False))
    elif out is None:
        _write(rows, sys.stdout)
    if errors:
        worst = max(errors, key=lambda error: error["worst"])
        typer.echo(
            f"worst error against the file's completion times: {worst['worst']:.2e} of the "
            f"flow's duration ({worst['scenario']}, {worst['flow']}; {worst['n']} flows there)",
            err=True,
        )


def _save(rows: list[dict[str, Any]], out: Path) -> None:
    from dcsim.records.errors import Fault, InputError

    # A device is written to as it is; a file is whole or not there.
    device = out.exists() and not out.is_file()
    partial = out if device else out.with_name(f".{out.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            _write(rows, stream)
        if partial is not out:
            partial.replace(out)
    except OSError as error:
        raise InputError(Fault(f"cannot write the times ({error.strerror})", str(out))) from error


def _worst(scenario: "FlowScenario", times: Any) -> dict[str, Any] | None:
    """The flow that is furthest from its published completion time, if any has one."""
    import numpy as np

    error = scenario.errors(times)
    known = ~np.isnan(scenario.published_s)
    if not known.any():
        return None
    at = int(np.argmax(np.where(known, error, -1.0)))
    return {
        "scenario": scenario.name,
        "flow": scenario.flows[at],
        "n": int(known.sum()),
        "worst": float(error[at]),
    }


def _write(rows: list[dict[str, Any]], stream: Any) -> None:
    import csv

    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("scenario", "flow", "completion_s"))
    writer.writerows((row["scenario"], row["flow"], repr(row["completion_s"])) for row in rows)

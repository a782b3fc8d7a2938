"""`dcsim plan`: search, simulate the finalists, recommend."""

import time
from pathlib import Path
from typing import Annotated

import typer


def command(
    scenario: Annotated[Path, typer.Argument(help="The scenario file.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory for the results (reports/NAME).")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON document.")
    ] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Replace the scenario's seed.")] = None,
    profile: Annotated[
        Path | None, typer.Option(help="A profile that `dcsim calibrate` wrote.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure the real jobs again.")
    ] = False,
) -> None:
    """Search the scenario's candidates, simulate the finalists and recommend one."""
    from dcsim import api
    from dcsim.cli._results import deliver, read_profile
    from dcsim.cli.progress import reporting

    began = time.monotonic()
    loaded = api.load_scenario(scenario)
    used = read_profile(profile)
    with reporting() as progress:
        result = api.plan(loaded, seed=seed, profile=used, measure=measure, progress=progress)
    deliver(result, loaded, out, as_json, time.monotonic() - began)

"""`dcsim run`: simulate the scenario as it is given."""

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
    audit: Annotated[
        bool, typer.Option("--audit", help="Re-check every invariant after each event.")
    ] = False,
) -> None:
    """Simulate the scenario as given; an open layout is the fastest that fits."""
    from dcsim import api
    from dcsim.cli._results import deliver, read_profile
    from dcsim.cli.progress import reporting

    began = time.monotonic()
    loaded = api.load_scenario(scenario)
    used = read_profile(profile)
    with reporting() as progress:
        result = api.run(
            loaded, seed=seed, profile=used, measure=measure, audit=audit, progress=progress
        )
    deliver(result, loaded, out, as_json, time.monotonic() - began)

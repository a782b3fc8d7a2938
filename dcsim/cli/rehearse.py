"""`dcsim rehearse`: the real jobs of a scenario on a real cluster, beside their simulation."""

from pathlib import Path

import typer


def command(
    scenario: Path = typer.Argument(help="A scenario with jobs of kind real."),
    quick: bool = typer.Option(False, "--quick", help="One run of shorter jobs, not five."),
    out: Path | None = typer.Option(
        None, "--out", help="Directory for the predictions [reports/rehearse-NAME]."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Run real NumPy jobs under the real scheduler, and print predicted against measured.

    Worker processes of this machine are the nodes. Each prediction is written, and its
    hash shown, before the first job starts.
    """
    from dcsim.cli import _rehearse

    _rehearse.run(scenario, quick, out, as_json)

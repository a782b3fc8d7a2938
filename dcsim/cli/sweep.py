"""`dcsim sweep`: a grid or a list of what-ifs, on all cores, resumable."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    scenario: Annotated[Path, typer.Argument(help="The scenario file.")],
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="KEY=V1,V2", help="A key and its values; repeatable."),
    ] = None,
    listed: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE.csv", help="Points, one a row; keys in the head."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Plan every point instead of running it.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes (as many as cores).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory (reports/NAME-sweep).")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON document.")
    ] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Replace the scenario's seed.")] = None,
    profile: Annotated[
        Path | None, typer.Option(help="A profile that `dcsim calibrate` wrote.")
    ] = None,
) -> None:
    """Run a grid or a list of what-ifs; a sweep that was stopped goes on where it was."""
    import shutil
    import sys

    from dcsim import api, store
    from dcsim.cli._results import REPORTS
    from dcsim.cli._sweep import combinations
    from dcsim.cli.progress import reporting
    from dcsim.report.terminal_sweep import sweep_text

    directory = out or REPORTS / f"{api.load_scenario(scenario).name}-sweep"
    with reporting() as progress:
        document = api.sweep(
            scenario,
            combinations(vary or [], listed),
            out=directory,
            kind="plan" if plan else "run",
            workers=workers,
            seed=seed,
            profile=profile,
            progress=progress,
        )
    if as_json:
        typer.echo(store.canonical_json(document), nl=False)
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 80
    typer.echo("\n" + sweep_text(document, directory, max(width, 40)) + "\n")

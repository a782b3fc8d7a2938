"""What `plan` and `run` do with a result: store it, report it, print it."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from dcsim.records import Result
    from dcsim.scenario.resolved import Scenario

#: Where results go unless `--out` says otherwise.
REPORTS = Path("reports")


def deliver(
    result: "Result",
    scenario: "Scenario",
    out: Path | None,
    as_json: bool,
    wall_time_s: float,
) -> None:
    """Write the results directory with its report, print the answer, exit accordingly."""
    from dcsim import store
    from dcsim.planner import exit_code
    from dcsim.report import write_pdf

    directory = store.write(result, out or REPORTS / scenario.name, wall_time_s=wall_time_s)
    write_pdf(directory)
    typer.echo(store.canonical_json(result.summary) if as_json else _summary(result, directory))
    raise typer.Exit(exit_code(result.summary))


def _summary(result: "Result", directory: Path) -> str:
    import shutil
    import sys

    from dcsim.report import terminal_summary
    from dcsim.report.terminal import colour_wanted

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 80
    colour = colour_wanted(sys.stdout)
    return "\n" + terminal_summary(result, width, directory=directory, colour=colour) + "\n"

"""What `plan` and `run` do with a result: store it, report it, print it."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from dcsim.records import Result
    from dcsim.records.profile import Profile
    from dcsim.scenario.resolved import Scenario

#: Where results go unless `--out` says otherwise.
REPORTS = Path("reports")


def read_profile(path: Path | None) -> "Profile | None":
    """The profile that the user names, with a warning where it is another machine's.

    None without a name; the one that ships is read then, and is nobody's machine.
    """
    if path is None:
        return None
    from dcsim.calibration import load_profile
    from dcsim.calibration.identity import machine_warnings

    profile = load_profile(path)
    for warning in machine_warnings(profile):
        typer.echo(f"{path}: {warning}", err=True)
    return profile


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

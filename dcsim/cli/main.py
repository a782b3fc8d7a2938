"""The `dcsim` command: registers the commands and turns errors into exit codes."""

import sys
from importlib import import_module

import typer

from dcsim._version import __version__
from dcsim.records.errors import InputError

app = typer.Typer(
    name="dcsim",
    help="Plan and simulate clusters that train and serve large AI models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MOST_FAULTS_SHOWN = 20

#: Modules of this package with one function `command` each; the module name, with
#: underscores as hyphens, is the command's name. Keep them cheap to import.
COMMANDS: tuple[str, ...] = ()


def _version(value: bool) -> None:
    if value:
        typer.echo(f"dcsim {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    """Plan and simulate clusters that train and serve large AI models."""


def _register() -> None:
    for module in COMMANDS:
        function = import_module(f"dcsim.cli.{module}").command
        app.command(name=module.replace("_", "-"))(function)


_register()


def main() -> None:
    """Run the command line; exit 2 with one sentence a fault, 130 when interrupted."""
    try:
        app()
    except InputError as error:
        for fault in error.faults[:MOST_FAULTS_SHOWN]:
            print(fault, file=sys.stderr)
        hidden = len(error.faults) - MOST_FAULTS_SHOWN
        if hidden > 0:
            print(f"and {hidden} more", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted; finished work is kept", file=sys.stderr)
        raise SystemExit(130) from None

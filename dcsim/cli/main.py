"""The `dcsim` command: registers the commands and turns errors into exit codes."""

import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

import typer

from dcsim._version import __version__
from dcsim.records.errors import InputError

app = typer.Typer(
    name="dcsim",
    help="Plan and simulate clusters that train and serve large AI models.",
    no_args_is_help=True,
    # Help in plain text: drawing boxes would load rich and double the time to answer.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MOST_FAULTS_SHOWN = 20
EXIT_WRONG_INPUT = 2
EXIT_INTERRUPTED = 130

#: Modules of this package with one function `command` each; the module name, with
#: underscores as hyphens, is the command's name. Keep them cheap to import.
COMMANDS: tuple[str, ...] = (
    "init",
    "plan",
    "run",
    "sweep",
    "report",
    "compare",
    "explain",
    "check",
    "catalogue",
    "calibrate",
    "estimate",
    "replay",
    "goodput",
    "flows",
    "train",
    "rehearse",
)


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


def _print_faults(error: InputError) -> None:
    for fault in error.faults[:MOST_FAULTS_SHOWN]:
        typer.echo(str(fault), err=True)
    hidden = len(error.faults) - MOST_FAULTS_SHOWN
    if hidden > 0:
        typer.echo(f"and {hidden} more", err=True)


def with_exit_codes(command: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `command`: wrong input exits with 2, an interrupt with 130, without traceback."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except InputError as error:
            _print_faults(error)
            raise typer.Exit(EXIT_WRONG_INPUT) from None
        except KeyboardInterrupt:
            typer.echo("interrupted; finished work is kept", err=True)
            raise typer.Exit(EXIT_INTERRUPTED) from None

    return wrapped


def _register() -> None:
    for module in COMMANDS:
        command = import_module(f"dcsim.cli.{module}").command
        app.command(name=module.replace("_", "-"))(with_exit_codes(command))


_register()


def main() -> None:
    """Run the command line on the arguments of this process."""
    try:
        app()
    except BrokenPipeError:
        # The reader of our output went away (`dcsim … | head`): not an error of anybody's.
        sys.stderr.close()
        raise SystemExit(0) from None

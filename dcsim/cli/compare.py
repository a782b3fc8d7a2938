"""`dcsim compare`: two results directories side by side."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    a: Annotated[Path, typer.Argument(help="A results directory.")],
    b: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the comparison as one JSON document.")
    ] = False,
) -> None:
    """Show what changed in and what changed out between two results."""
    import shutil
    import sys

    from dcsim import store
    from dcsim.report.terminal_comparison import comparison_text
    from dcsim.store.comparison import compare

    found = compare(store.read(a), store.read(b))
    if as_json:
        typer.echo(store.canonical_json(found.to_json()), nl=False)
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 80
    typer.echo(comparison_text(found, max(width, 40)))

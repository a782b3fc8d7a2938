"""`dcsim report`: the PDF again, from stored results."""

from pathlib import Path

import typer


def command(
    results: Path = typer.Argument(help="A results directory."),
    out: Path | None = typer.Option(
        None, "--out", help="Where to write the PDF (default: report.pdf in the directory)."
    ),
) -> None:
    """Write the PDF of stored results again; nothing is computed anew."""
    from dcsim.report import write_pdf

    typer.echo(write_pdf(results, out))

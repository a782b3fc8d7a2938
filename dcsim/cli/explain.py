"""`dcsim explain`: one stored number as a tree."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    results: Annotated[Path, typer.Argument(help="A results directory.")],
    metric: Annotated[
        str | None, typer.Argument(help="Which number; without it, they are listed.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the tree as one JSON document.")
    ] = False,
) -> None:
    """Show where a number comes from: formula, inputs, sources, share of the total."""
    import shutil
    import sys

    from dcsim import store
    from dcsim.report.terminal_explanation import explanation_text, metric_list
    from dcsim.report.wording import quantity
    from dcsim.store.comparison import metrics
    from dcsim.store.explaining import explain, explainable

    stored = store.read(results)
    width = max(shutil.get_terminal_size().columns if sys.stdout.isatty() else 80, 40)
    if metric is not None:
        found = explain(stored, metric)
        text = store.canonical_json(found.to_json()) if as_json else explanation_text(found, width)
        typer.echo(text, nl=not as_json)
        return
    names = list(explainable(stored))
    if as_json:
        typer.echo(store.canonical_json({"metrics": names}), nl=False)
        return
    values = {
        name: quantity(figure["value"], str(figure["unit"]))
        for name, figure in metrics(stored).items()
    }
    typer.echo(metric_list(names, values, width))

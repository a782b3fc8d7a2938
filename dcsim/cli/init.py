"""`dcsim init`: write a commented starter scenario."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer


def command(
    template: Annotated[
        str | None, typer.Argument(help="Which starter; without it, they are listed.")
    ] = None,
    file: Annotated[Path | None, typer.Argument(help="Where to write it (TEMPLATE.yaml).")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that stands there.")
    ] = False,
) -> None:
    """Write a commented starter scenario, or list them."""
    from dcsim.scenario import templates as starters

    if template is None:
        typer.echo(_listing(starters.templates()))
        return
    target = file or Path(f"{template}.yaml")
    _write(target, starters.template(template), force)
    typer.echo(f"{target}: edit it, then try `dcsim check {target}`")


def _listing(templates: Mapping[str, str]) -> str:
    width = max(map(len, templates))
    lines = [f" {name:<{width}}  {about}" for name, about in templates.items()]
    return "\n".join([*lines, "", " dcsim init NAME [FILE] writes one of them"])


def _write(target: Path, text: str, force: bool) -> None:
    from dcsim.records import Fault, InputError

    try:
        with target.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise InputError(
            Fault("exists already; name another file, or replace it with --force", str(target))
        ) from None
    except OSError as error:
        raise InputError(Fault(f"cannot be written: {error.strerror}", str(target))) from None

"""`dcsim catalogue`: the facts that a plan rests on, with their sources."""

from collections.abc import Mapping
from typing import Any

import typer


def command(
    kind: str | None = typer.Argument(None, help="What to list; left out, all kinds."),
    name: str | None = typer.Argument(None, help="One entry, in full."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """List facts with their sources."""
    from dcsim import catalogue
    from dcsim.cli._catalogue import details_text, plain, table_text

    if kind is None:
        counts = {each: len(catalogue.names(each)) for each in catalogue.kinds()}
        _print(counts if as_json else _kinds(counts))
        return
    kind = _kind(kind)
    table = catalogue.entries(kind)
    if name is None:
        records = {key: plain(record) for key, record in table.items()}
        _print(records if as_json else table_text(kind, table))
        return
    record = _one(kind, name)
    _print(plain(record) if as_json else details_text(record))


def _print(what: Any) -> None:
    import json

    typer.echo(what if isinstance(what, str) else json.dumps(what, indent=2))


def _kind(kind: str) -> str:
    """The kind that a singular or slightly misspelt word means; raises InputError."""
    from dcsim import catalogue

    known = {each: each for each in catalogue.kinds()}
    aliases = {each.removesuffix("s"): each for each in known}
    aliases |= {f"{each}s": each for each in known if not each.endswith("s")}
    return catalogue.find("kind of fact", kind, known, aliases)


def _one(kind: str, name: str) -> Any:
    from dcsim import catalogue

    table = catalogue.entries(kind)
    aliases = {a: key for key, entry in table.items() for a in getattr(entry, "aliases", ())}
    return catalogue.find(kind.removesuffix("s"), name, table, aliases)


def _kinds(counts: Mapping[str, int]) -> str:
    lines = [f" {kind:<14} {count:>4}" for kind, count in counts.items()]
    return "\n".join([*lines, "", " dcsim catalogue KIND [NAME] lists one kind or one entry."])

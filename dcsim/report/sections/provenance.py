"""What it rests on: assumptions, values filled in, sources, and how to repeat it."""

from collections.abc import Mapping, Sequence
from typing import Any

from dcsim.report.typst_source import Block, Column, heading, quoted, string, table
from dcsim.report.view import View
from dcsim.report.wording import plain_text, quantity

Row = Mapping[str, Any]

#: Rows printed of each table; the rest is in the Parquet file.
ASSUMPTIONS, DEFAULTS, SOURCES, FILES = 16, 14, 26, 24

_IMPORTANCE = {"high": 0.0, "medium": 1.0, "low": 2.0}


def provenance(view: View) -> Block | None:
    """Assumptions with the most important first, sources, command and hashes."""
    source = _assumptions(view) + _sources(view) + _repeat(view)
    return Block(source) if source else None


def _assumptions(view: View) -> str:
    rows = sorted(view.rows("assumptions"), key=_rank)
    source = ""
    if rows:
        shown = rows[:ASSUMPTIONS]
        source += heading("Assumptions, most important first") + table(
            [
                Column("Matters", [_matters(row) for row in shown], "left"),
                Column("Assumed", _texts(shown, "field"), "left", "0.9fr", loose=True),
                Column("Value", _texts(shown, "value"), "left", "1fr", loose=True),
                Column("Because", _texts(shown, "reason"), "left", "1.6fr", loose=True),
            ]
        )
        source += _rest(len(rows) - len(shown), "assumptions")
    return source + _defaults(view)


def _defaults(view: View) -> str:
    rows = view.rows("defaults")
    if not rows:
        return ""
    shown = rows[:DEFAULTS]
    return (
        heading("Values that the scenario left open", 2)
        + table(
            [
                Column("Field", _texts(shown, "field"), "left", "0.9fr", loose=True),
                Column("Filled in", _texts(shown, "value"), "left", "1fr", loose=True),
                Column("Because", _texts(shown, "reason"), "left", "1.6fr", loose=True),
            ]
        )
        + _rest(len(rows) - len(shown), "defaults")
    )


def _sources(view: View) -> str:
    rows = view.rows("sources")
    if not rows:
        return ""
    shown = rows[:SOURCES]
    return (
        heading("Sources")
        + table(
            [
                Column("Fact", _texts(shown, "item"), "left", "34mm", loose=True),
                Column("Value", [_value(row) for row in shown], "right", "29mm", loose=True),
                Column("Source", _texts(shown, "source"), "left", "1fr", loose=True),
                Column("Date", [_day(row) for row in shown], "left"),
                Column("Status", _texts(shown, "status"), "left"),
            ]
        )
        + _rest(len(rows) - len(shown), "sources")
    )


def _repeat(view: View) -> str:
    """The command, and what it was given, by hash."""
    if not view.command and not view.hashes:
        return ""
    source = heading("To repeat it")
    if view.command:
        source += f"#code({string(view.command)})\n\n"
    if view.versions:
        listed = ", ".join(f"{name} {number}" for name, number in view.versions.items())
        source += f"#small({quoted(f'With {listed}.')})\n\n"
    hashes = [(f"input {name}", digest) for name, digest in view.input_hashes.items()]
    kept = {name: digest for name, digest in view.hashes.items() if not name.startswith("inputs/")}
    hashes += list(kept.items())
    if not hashes:
        return source
    shown = hashes[:FILES]
    rows = ", ".join(f"({string(name)}, {string(digest)})" for name, digest in shown)
    return source + f"#hashes({rows})\n" + _rest(len(hashes) - len(shown), "manifest.json", "")


def _rest(hidden: int, name: str, suffix: str = ".parquet") -> str:
    if hidden <= 0:
        return ""
    return f"#small({quoted(f'and {hidden:,} more in {name}{suffix}')})\n\n"


def _texts(rows: Sequence[Row], name: str) -> list[str]:
    return [plain_text(row.get(name)) for row in rows]


def _matters(row: Row) -> str:
    importance = row.get("importance")
    if isinstance(importance, float | int):
        return f"{100 * importance:.0f} %"
    return plain_text(importance)


def _rank(row: Row) -> float:
    """Words in their order, numbers by size, the unknown last."""
    importance = row.get("importance")
    if isinstance(importance, float | int):
        return -float(importance)
    return _IMPORTANCE.get(plain_text(importance), 3.0)


def _day(row: Row) -> str:
    """The date without a time of day."""
    return plain_text(row.get("date")).partition("T")[0]


def _value(row: Row) -> str:
    """The fact's figure; units that are no quantity stand behind it as they are."""
    value = row.get("value")
    if value is None:
        return ""
    if not isinstance(value, float | int):
        return plain_text(value)
    return quantity(value, plain_text(row.get("unit")))

"""What the storage gives: rates, what a lost server costs, how long data lasts."""

from collections.abc import Mapping
from typing import Any

from dcsim.report.typst_source import Block, Column, heading, paragraph, table
from dcsim.report.view import View
from dcsim.report.wording import percent, plain_text, quantity

Row = Mapping[str, Any]

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def what_storage_gives(view: View) -> Block | None:
    """The table of the storage's rates and durability, with the figure that matters first."""
    rows = view.rows("storage")
    if not rows:
        return None
    source = heading("What the storage gives")
    risk = next((r for r in rows if r["item"].startswith("probability")), None)
    if risk is not None:
        source += paragraph(
            f"Some data is lost within a year with a probability of {_figure(risk)}: "
            f"{plain_text(risk['reason'])}."
        )
    return Block(
        source
        + table(
            [
                Column("What", [plain_text(row["item"]) for row in rows], "left"),
                Column("How much", [_figure(row) for row in rows]),
                Column(
                    "How it comes", [plain_text(row["reason"]) for row in rows], "left", loose=True
                ),
            ]
        )
    )


def _figure(row: Row) -> str:
    value, unit = float(row["value"]), str(row["unit"])
    if unit == "years":
        return f"{value:,.0f} years" if value < 1e5 else f"{_power(value)} years"
    if unit == "count":
        return f"{value:,.0f}"
    if unit == "1":
        return percent(value) if value >= 1e-3 else _power(value)
    return quantity(value, unit)


def _power(value: float) -> str:
    """Three digits and a power of ten."""
    if value == 0.0:
        return "0"
    digits, _, exponent = f"{value:.2e}".partition("e")
    return f"{digits} × 10{str(int(exponent)).translate(_RAISED)}"

"""Where the time goes: one step, then the whole run as a ledger."""

from collections.abc import Mapping, Sequence
from typing import Any

from dcsim.report.figures.stacked import Segment, stacked_svg
from dcsim.report.figures.style import COLOURS, GREY
from dcsim.report.typst_source import Block, Column, heading, panel, table
from dcsim.report.view import View
from dcsim.report.wording import (
    LEDGER_LABELS,
    PART_LABELS,
    percent,
    plain_text,
    quantity,
    scale_for,
)

Row = Mapping[str, Any]
WIDTH_MM = 174.0

#: Smaller classes of the ledger are named in the table only.
LABELLED = 0.004

#: Jobs whose step is shown, those with the longest step first.
JOBS = 3

_OPERATOR_COLOURS = ("#0072B2", "#56B4E9", "#8FCFF3", "#2F93CC", "#BFE3F7", "#B0B0B0")


def where_time_goes(view: View) -> Block | None:
    """Stacked bars of a step and of the run, and the ledger in figures."""
    figures: dict[str, bytes] = {}
    source = _steps(view, figures) + _ledger(view, figures)
    return Block(heading("Where the time goes") + source, figures) if source else None


def _steps(view: View, figures: dict[str, bytes]) -> str:
    rows = [row for row in view.step_parts if (row.get("share") or 0.0) > 0.0]
    parts = [row for row in rows if row.get("level", "part") == "part"]
    jobs = list(dict.fromkeys(row["job"] for row in parts))
    totals = {job: sum(r["seconds"] for r in parts if r["job"] == job) for job in jobs}
    source = ""
    for i, job in enumerate(sorted(jobs, key=lambda name: -totals[name])[:JOBS]):
        own = [row for row in parts if row["job"] == job]
        figures[f"step{i}"] = stacked_svg(_parts(own), WIDTH_MM)
        source += panel(f"step{i}", WIDTH_MM, _step_message(job, own, totals[job], len(jobs)))
        inner = [r for r in rows if r.get("level") == "operator" and r["job"] == job]
        if inner:
            figures[f"operators{i}"] = stacked_svg(_operators(inner), WIDTH_MM)
            message = "The same step by operator, as shares of the whole step."
            source += panel(f"operators{i}", WIDTH_MM, message)
    return source


def _parts(rows: Sequence[Row]) -> list[Segment]:
    order = list(PART_LABELS)
    known = sorted(rows, key=lambda r: order.index(r["part"]) if r["part"] in order else len(order))
    return [
        Segment(
            row["share"],
            PART_LABELS.get(row["part"], plain_text(row["part"])),
            f"{quantity(row['seconds'], 's')}, {percent(row['share'])}",
            COLOURS.get(row["part"], GREY),
        )
        for row in known
    ]


def _operators(rows: Sequence[Row]) -> list[Segment]:
    rows = sorted(rows, key=lambda row: -row["share"])
    return [
        Segment(
            row["share"],
            plain_text(row["part"]),
            percent(row["share"]),
            _OPERATOR_COLOURS[min(i, len(_OPERATOR_COLOURS) - 1)],
        )
        for i, row in enumerate(rows)
    ]


def _step_message(job: Any, rows: Sequence[Row], total: float, jobs: int) -> str:
    largest = max(rows, key=lambda row: row["share"])
    name = PART_LABELS.get(largest["part"], plain_text(largest["part"]))
    whose = f" of {plain_text(job)}" if jobs > 1 or job else ""
    step = f"One training step{whose} takes {quantity(total, 's')}"
    return f"{step}; {percent(largest['share'])} of it is {name}."


def _ledger(view: View, figures: dict[str, bytes]) -> str:
    rows = [row for row in view.rows("ledger") if (row.get("share") or 0.0) > 0.0]
    if not rows:
        return ""
    rows.sort(key=lambda row: -row["share"])
    figures["ledger"] = stacked_svg([_class(row) for row in rows], WIDTH_MM)
    first = LEDGER_LABELS.get(rows[0]["ledger_class"], rows[0]["ledger_class"])
    message = (
        f"Over the whole run, {percent(rows[0]['share'])} of the installed accelerators’ time "
        f"is {first}."
    )
    runs = view.summary.get("runs")
    basis = f"Mean of {runs} runs. " if runs else ""
    note = f"{basis}Every second of every accelerator falls into exactly one class. All: below."
    return panel("ledger", WIDTH_MM, message, note) + _ledger_table(rows)


def _class(row: Row) -> Segment:
    name = row["ledger_class"]
    return Segment(
        row["share"],
        LEDGER_LABELS.get(name, name) if row["share"] >= LABELLED else "",
        percent(row["share"]),
        COLOURS.get(name, GREY),
    )


def _ledger_table(rows: Sequence[Row]) -> str:
    columns = [
        Column(
            "Class", [LEDGER_LABELS.get(r["ledger_class"], r["ledger_class"]) for r in rows], "left"
        ),
        Column("Share %", [f"{100 * row['share']:.2f}" for row in rows]),
        Column("GPU-hours", [f"{row['seconds'] / 3600:,.0f}" for row in rows]),
    ]
    for name, unit in (("cost_usd", "USD"), ("energy_kwh", "kWh"), ("carbon_kg", "kg")):
        values = [row.get(name) for row in rows]
        if any(value is not None for value in values):
            scale = scale_for(unit, values)
            decimals = 1 if max(v or 0.0 for v in values) < 1e4 * scale.size else 0
            cells = ["" if v is None else scale.fixed(v, decimals) for v in values]
            columns.append(Column(scale.head, cells))
    return table(columns)

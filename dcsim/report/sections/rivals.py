"""The rivals and why they lost; what moves the plan's figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from dcsim.report.figures.ranges import Panel, ranges_svg
from dcsim.report.figures.tornado import Swing, Tornado, tornado_svg
from dcsim.report.rivals import shown_candidates
from dcsim.report.terminal_plan import quantities
from dcsim.report.typst_source import Block, Column, heading, panel, paragraph, string, table, words
from dcsim.report.view import View
from dcsim.report.wording import (
    Scale,
    decimals_for,
    joined,
    layouts_short,
    plain_text,
    scale_for,
)

Row = Mapping[str, Any]

SHOWN = 14
WIDTH_MM = 174.0


def rivals(view: View) -> Block | None:
    """A table of the plan and its rivals, their intervals, and the sensitivities."""
    rows = shown_candidates(view.rows("candidates"), SHOWN, view.subject_id)
    if not rows:
        return None
    figures: dict[str, bytes] = {}
    found = view.recommended is not None
    title = "Rivals, and why they lost" if found else "Candidates, and why none will do"
    source = heading(title) + _counted(view, len(rows))
    source += candidate_table(rows, view.subject_id)
    source += _intervals(view, rows, figures)
    source += _sensitivity(view, figures)
    return Block(source, figures)


def _counted(view: View, shown: int) -> str:
    """How many candidates there are of which kind."""
    statuses = [row.get("status") for row in view.rows("candidates")]
    parts = [
        f"{statuses.count(status):,} {word}"
        for status, word in (
            ("frontier", "on the frontier beside it"),
            ("dominated", "beaten on both time and money"),
            ("infeasible", "not feasible"),
        )
        if statuses.count(status)
    ]
    if not parts:
        return ""
    sentence = f"Of {len(statuses):,} candidates, {joined(parts)}."
    if statuses.count("infeasible") == len(statuses):
        sentence = f"None of {len(statuses):,} candidates is feasible."
    if shown < len(statuses):
        sentence += " Shown: the nearest of every node type, one layout a cluster; all are in"
        return f"{words(sentence)} #code({string('candidates.parquet')}).\n\n"
    return paragraph(sentence)


def candidate_table(rows: Sequence[Row], subject: str | None) -> str:
    """The candidates in figures, one precision a column."""
    columns = [
        Column("", [_mark(row) for row in rows], "center"),
        Column("GPUs", [_whole(row.get("gpus")) for row in rows]),
        Column("Node", [plain_text(row.get("node_type")) for row in rows], "left", loose=True),
        Column("Layout", layouts_short(rows), "left"),
    ]
    for name, unit, interval in (
        ("time_s", "s", True),
        ("cost_usd", "USD", True),
        ("energy_kwh", "kWh", False),
        ("carbon_kg", "kg", False),
    ):
        columns += _figure(rows, name, unit, interval)
    columns.append(_memory(rows))
    columns.append(Column("MFU %", [_share(row.get("mfu")) for row in rows]))
    columns.append(
        Column("Why not", [plain_text(row.get("why_not")) for row in rows], "left", "1fr", True)
    )
    emphasised = [i for i, row in enumerate(rows) if row.get("id") == subject]
    return table(columns, emphasised)


def _figure(rows: Sequence[Row], name: str, unit: str, interval: bool) -> list[Column]:
    triples = [quantities(row, name) for row in rows]
    values = [value for value, _, _ in triples]
    if not any(value is not None for value in values):
        return []
    scale = scale_for(unit, values)
    decimals = decimals_for(scale, values)
    columns = [Column(_head(scale), [_fixed(scale, value, decimals) for value in values])]
    if interval:
        ranges = [
            ""
            if None in (low, high)
            else f"{scale.fixed(low, decimals)} – {scale.fixed(high, decimals)}"
            for _, low, high in triples
        ]
        columns.append(Column("90 %", ranges))
    return columns


def _head(scale: Scale) -> str:
    return scale.head[0].upper() + scale.head[1:] if scale.head == "days" else scale.head


def _fixed(scale: Scale, value: float | None, decimals: int) -> str:
    return "" if value is None else scale.fixed(value, decimals)


def _memory(rows: Sequence[Row]) -> Column:
    cells = []
    for row in rows:
        needed, capacity = row.get("memory_device_bytes"), row.get("memory_capacity_bytes")
        if needed is None or capacity is None:
            cells.append("")
        else:
            cells.append(f"{needed / 1e9:.0f} / {capacity / 1e9:.0f}")
    return Column("Memory GB", cells)


def _mark(row: Row) -> str:
    status = row.get("status")
    return "✓" if status == "recommended" else "✗" if status == "infeasible" else ""


def _whole(value: Any) -> str:
    return "" if value is None else f"{int(value):,}"


def _share(value: Any) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _intervals(view: View, rows: Sequence[Row], figures: dict[str, bytes]) -> str:
    """The plan and the feasible rivals side by side, with whiskers."""
    shown = [row for row in rows if row.get("time_s") and row.get("status") != "infeasible"]
    if len(shown) < 2:
        return ""
    layouts = layouts_short(shown)
    names = [
        f"{_whole(row.get('nodes'))} × {plain_text(row.get('node_type'))} {layout}"
        for row, layout in zip(shown, layouts, strict=True)
    ]
    panels = []
    for name, unit, title in (("time_s", "s", "time to finish"), ("cost_usd", "USD", "cost")):
        scale = scale_for(unit, [row.get(name) for row in shown])
        triples = [_scaled(quantities(row, name), scale) for row in shown]
        bound = _bound(view, "finish" if unit == "s" else "cost")
        target = None if bound is None else bound / scale.size
        panels.append(Panel(f"{title} ({scale.head})", triples, target))
    chosen = next((i for i, r in enumerate(shown) if r.get("status") == "recommended"), None)
    figures["ranges"] = ranges_svg(names, panels, chosen, WIDTH_MM)
    runs = view.summary.get("runs")
    basis = f"Finalists: {runs} simulated runs each; others: expected values. " if runs else ""
    return panel(
        "ranges",
        WIDTH_MM,
        _interval_message(shown, chosen),
        f"{basis}Dots: medians; lines: 90 % intervals; dashed: objectives.",
    )


def _interval_message(shown: Sequence[Row], chosen: int | None) -> str:
    """Whether a rival's interval of money lies wholly beside that of the plan."""
    if chosen is None:
        return "How the candidates compare."
    own = shown[chosen].get("cost_usd_high")
    others = [row.get("cost_usd_low") for i, row in enumerate(shown) if i != chosen]
    if own is not None and all(low is not None and low > own for low in others):
        return "Even at its dearest the plan costs less than any rival at its cheapest."
    return "The plan's interval of cost overlaps with those of its nearest rivals."


def _scaled(triple: tuple[Any, Any, Any], scale: Scale) -> tuple[Any, Any, Any]:
    value, low, high = triple
    return tuple(None if v is None else v / scale.size for v in (low, value, high))  # type: ignore[return-value]


def _bound(view: View, tail: str) -> float | None:
    targets = [
        row["target"]
        for row in view.rows("objectives")
        if str(row.get("metric")).rpartition(".")[2] == tail and row.get("target") is not None
    ]
    return min(targets, default=None)


def _sensitivity(view: View, figures: dict[str, bytes]) -> str:
    """How far each factor moves the plan's time and money."""
    rows = view.rows("sensitivity")
    panels = []
    for unit, title in (("s", "time to finish"), ("USD", "cost")):
        tornado = _tornado([row for row in rows if row.get("unit") == unit], unit, title, view)
        if tornado is not None:
            panels.append(tornado)
    if not panels:
        return ""
    figures["sensitivity"] = tornado_svg(panels, WIDTH_MM)
    first = panels[0].swings[0].factor if panels else ""
    message = f"The plan's figures hang most on {first}."
    note = (
        "Line: the plan. Light: the factor at its low end; dark: at its high end; all else "
        "unchanged. Ends: " + _settings(rows)
    )
    return panel("sensitivity", WIDTH_MM, message, note)


def _tornado(rows: Sequence[Row], unit: str, title: str, view: View) -> Tornado | None:
    known = [r for r in rows if r.get("low_value") is not None and r.get("high_value") is not None]
    if not known:
        return None
    base = known[0].get("base_value")
    if base is None:
        return None
    scale = scale_for(unit, [base])
    known.sort(key=lambda row: -_reach(row, base))
    swings = [
        Swing(
            plain_text(row["factor"]),
            row["low_value"] / scale.size,
            row["high_value"] / scale.size,
            plain_text(row.get("low_setting")),
            plain_text(row.get("high_setting")),
        )
        for row in known
        if row.get("factor") != "nodes"
    ]
    return Tornado(f"{title} ({scale.head})", base / scale.size, swings) if swings else None


def _reach(row: Row, base: float) -> float:
    return max(abs(row["low_value"] - base), abs(row["high_value"] - base))


def _settings(rows: Sequence[Row]) -> str:
    """What low and high mean, told once for factors that share it."""
    meant: dict[str, list[str]] = {}
    for row in rows:
        if row.get("factor") == "nodes":
            continue
        key = f"{plain_text(row.get('low_setting'))} and {plain_text(row.get('high_setting'))}"
        names = meant.setdefault(key, [])
        if plain_text(row["factor"]) not in names:
            names.append(plain_text(row["factor"]))
    return "; ".join(f"{joined(names)}: {ends}" for ends, names in meant.items()) + "."

"""The body of a plan's summary: the recommendation, its objectives and its rivals."""

from collections.abc import Mapping, Sequence
from typing import Any

from dcsim.report.columns import Column, table
from dcsim.report.rivals import shown_candidates
from dcsim.report.terminal import ROOMY, block, objective_lines
from dcsim.report.terminal_run import loss_sentence, real_job_lines
from dcsim.report.view import View
from dcsim.report.wording import (
    Scale,
    cluster_text,
    joined,
    layout_text,
    layouts_short,
    objective_label,
    percent,
    plain_text,
    quantity,
    scale_for,
)

#: Rivals under the recommended plan.
RIVALS = 6


def plan_lines(view: View, width: int) -> list[str]:
    """Everything between the title and the pointers at the end."""
    chosen = view.recommended
    objectives = view.rows("objectives") or list(view.summary.get("objectives") or [])
    lines = _answer(view, chosen, objectives, width) if chosen else _no_answer(view, width)
    rivals = shown_candidates(view.rows("candidates"), RIVALS + 1, view.subject_id)
    if rivals:
        lines += ["", *candidate_lines(rivals, width)]
    return lines + real_job_lines(view, width)


def _answer(
    view: View, chosen: Mapping[str, Any], objectives: Sequence[Mapping[str, Any]], width: int
) -> list[str]:
    layout = layout_text(chosen)
    what = cluster_text(chosen) + (f", {layout}" if layout else "")
    lines = block("Recommended", what, width)
    lines += objective_lines(objectives, width)
    missed = [o for o in objectives if not o.get("met")]
    if not objectives:
        lines += block("", _expected(chosen), width)
    sentences = (_draws(chosen), _bound_by(view, chosen), loss_sentence(view))
    if any(sentences):
        lines += block("", "; ".join(part for part in sentences if part), width)
    if missed:
        lines += ["", *block("Missed", _missed_sentence(missed), width)]
    return lines + _binding(view, width)


def _no_answer(view: View, width: int) -> list[str]:
    lines = block("✗ No plan", "no candidate satisfies every hard constraint", width)
    objectives = [o for o in view.rows("objectives") if o.get("value") is not None]
    near = view.nearest_miss
    if near is not None:
        layout = layout_text(near)
        what = cluster_text(near) + (f", {layout}" if layout else "")
        lines += ["", *block("Nearest miss", f"{what}: {plain_text(near['why_not'])}", width)]
    lines += objective_lines(objectives, width) if objectives else []
    return lines + _binding(view, width)


def _binding(view: View, width: int) -> list[str]:
    """What binds, one sentence a line; at most three."""
    texts = [binding_text(entry) for entry in view.summary.get("binding_constraints") or []]
    texts = [text for text in texts if text]
    lines: list[str] = [""] if texts else []
    for i, text in enumerate(texts[:3]):
        lines += block("Binding" if i == 0 else "", text, width)
    return lines


def binding_text(entry: Any) -> str:
    """The sentence of a binding constraint, whether it is an object or a text."""
    if isinstance(entry, Mapping):
        return plain_text(entry.get("text") or entry.get("constraint"))
    return plain_text(entry)


def _bound_by(view: View, chosen: Mapping[str, Any]) -> str:
    """What limits the step, with its share where the breakdown has a line for it."""
    bottleneck = plain_text(chosen.get("bottleneck"))
    if not bottleneck:
        return ""
    for row in view.step_parts:
        if row.get("part") == bottleneck:
            return f"bound by {bottleneck} ({percent(row.get('share'))} of the step)"
    return f"bound by {bottleneck}"


def _draws(chosen: Mapping[str, Any]) -> str:
    """Energy and carbon."""
    energy, carbon = chosen.get("energy_kwh"), chosen.get("carbon_kg")
    parts = [] if energy is None else [quantity(energy, "kWh")]
    parts += [] if carbon is None else [f"{quantity(carbon, 'kg')} CO₂"]
    return " and ".join(parts)


def _expected(chosen: Mapping[str, Any]) -> str:
    """Time and money, for a plan without objectives."""
    parts = []
    for name, unit in (("time_s", "s"), ("cost_usd", "USD")):
        value, low, high = quantities(chosen, name)
        if value is not None:
            scale = scale_for(unit, [value])
            parts.append(f"{quantity(value, unit)} ({scale.range(low, high)})")
    return ", ".join(parts)


def _missed_sentence(missed: Sequence[Mapping[str, Any]]) -> str:
    named = joined([objective_label(objective) for objective in missed])
    are = "it is" if len(missed) == 1 else "they are"
    return f"{named}; {are} not hard, so this is the plan that comes closest"


def quantities(row: Mapping[str, Any], name: str) -> tuple[Any, Any, Any]:
    """Value, low and high of a quantity in a row of `candidates`."""
    if name == "time_s":
        return row.get("time_s"), row.get("time_low_s"), row.get("time_high_s")
    return row.get(name), row.get(f"{name}_low"), row.get(f"{name}_high")


def candidate_lines(rows: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """The recommended plan and its rivals as a table, each with the reason it lost."""
    scales = {
        name: scale_for(unit, [row.get(name) for row in rows])
        for name, unit in (
            ("time_s", "s"),
            ("cost_usd", "USD"),
            ("energy_kwh", "kWh"),
            ("carbon_kg", "kg"),
        )
    }
    roomy = width >= ROOMY
    columns = [
        Column("", [_mark(row) for row in rows], "<"),
        Column("GPUs", [_whole(row.get("gpus")) for row in rows]),
        Column("node", [plain_text(row.get("node_type")) for row in rows], "<", least=14),
        Column("layout", layouts_short(rows), "<", least=12, priority=3),
        *_figure(rows, "time_s", scales["time_s"], interval=True),
        *_figure(rows, "cost_usd", scales["cost_usd"], interval=roomy),
        *_figure(rows, "energy_kwh", scales["energy_kwh"], interval=False, priority=4),
        *(_figure(rows, "carbon_kg", scales["carbon_kg"], False, priority=5) if roomy else []),
        Column("why not", [plain_text(row.get("why_not")) for row in rows], "<", least=24),
    ]
    return table(columns, width)


def _figure(
    rows: Sequence[Mapping[str, Any]], name: str, scale: Scale, interval: bool, priority: int = 0
) -> list[Column]:
    """A column of medians and, if asked for, one of their intervals."""
    triples = [quantities(row, name) for row in rows]
    empty = all(value is None for value, _, _ in triples)
    cells = ["" if value is None else scale.text(value) for value, _, _ in triples]
    columns = [Column(scale.head, [] if empty else cells, priority=priority)]
    if interval and not empty:
        ranges = ["" if low is None else scale.range(low, high) for _, low, high in triples]
        columns.append(Column("(90 %)", ranges, ">", priority=priority or 2))
    return columns if not empty else []


def _mark(row: Mapping[str, Any]) -> str:
    status = row.get("status")
    return "✓" if status == "recommended" else "✗" if status == "infeasible" else ""


def _whole(value: Any) -> str:
    return "" if value is None else f"{int(value)}"

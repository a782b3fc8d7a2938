"""Two results side by side on a terminal, in at most `width` columns."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dcsim.report.columns import Column, table, wrapped
from dcsim.report.wording import (
    LEDGER_LABELS,
    metric_noun,
    objective_label,
    plain_text,
    scale_for,
    sureness,
)
from dcsim.store.comparison import Change, Comparison, Difference

#: Rows shown of a group; the rest is counted.
MOST_ROWS = 20
#: Figures closer than this are sums of the same numbers in another order.
NOISE = 1e-9
_HEADS = {"metrics": "result", "money": "money", "ledger": "accelerator time"}


def comparison_text(found: Comparison, width: int = 80) -> str:
    """What changed in and what changed out, without a final newline."""
    lines = [f" A  {plain_text(found.a)}", f" B  {plain_text(found.b)}"]
    if found.note:
        lines += ["", *wrapped(plain_text(found.note), width, first=" ", rest=" ")]
    lines += ["", *_changes("changed in", found.inputs, width)]
    if not found.inputs:
        lines.append(" Nothing changed in: same scenario, defaults, facts, seed and versions")
    if found.configuration:
        lines += ["", *_changes("configuration", found.configuration, width)]
    if found.objectives:
        lines += ["", *_objectives(found, width)]
    for group, head in _HEADS.items():
        rows = [d for d in found.differences if d.group == group]
        lines += _figures(head, rows, width)
    for side, names in (("A", found.only_a), ("B", found.only_b)):
        if names:
            text = f"Only in {side}: {', '.join(map(plain_text, names))}"
            lines += ["", *wrapped(text, width, first=" ", rest="   ")]
    return "\n".join(line.rstrip() for line in lines)


def _changes(head: str, changes: Sequence[Change], width: int) -> list[str]:
    if not changes:
        return []
    shown = changes[:MOST_ROWS]
    columns = [
        Column(head, [plain_text(c.name) for c in shown], "<", least=30),
        Column("A", [_value(c.a) for c in shown], "<", least=10),
        Column("B", [_value(c.b) for c in shown], "<", least=10),
    ]
    if head == "changed in":
        columns.insert(1, Column("in", [c.part for c in shown], "<", priority=1))
    return table(columns, width) + _more(len(changes) - len(shown))


def _more(hidden: int) -> list[str]:
    return [f" and {hidden} more, with --json"] if hidden > 0 else []


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return plain_text(value)


def _objectives(found: Comparison, width: int) -> list[str]:
    labels = [objective_label(dict(o.a or o.b or {})) for o in found.objectives]
    columns = [
        Column("objective", labels, "<", least=20),
        Column("A", [_verdict(o.a) for o in found.objectives], "<"),
        Column("B", [_verdict(o.b) for o in found.objectives], "<"),
    ]
    return table(columns, width)


def _verdict(objective: Mapping[str, Any] | None) -> str:
    if objective is None:
        return "–"
    mark = "✓" if objective["met"] else "✗"
    return f"{mark} {sureness(objective.get('confidence'))}"


def _figures(head: str, rows: Sequence[Difference], width: int) -> list[str]:
    """One line a figure that differs; how many are equal is said in the last."""
    differing = [d for d in rows if not math.isclose(d.a, d.b, rel_tol=NOISE)]
    moved = differing[:MOST_ROWS]
    if not rows:
        return []
    if not moved:
        return ["", f" {head}: nothing differs"]
    scales = [scale_for(d.unit, [d.a, d.b]) for d in moved]
    pairs = list(zip(moved, scales, strict=True))
    columns = [
        Column(head, [_name(d) for d in moved], "<", least=14),
        Column("A", [s.text(d.a) for d, s in pairs]),
        Column("(90 %)", [_range(s.range(d.a_low, d.a_high)) for d, s in pairs], priority=2),
        Column("B", [s.text(d.b) for d, s in pairs]),
        Column("(90 %)", [_range(s.range(d.b_low, d.b_high)) for d, s in pairs], priority=2),
        Column("B − A", [_signed(s.text(d.difference)) for d, s in pairs]),
        Column("", [s.symbol for s in scales], "<"),
        Column("%", [_percent(d.relative) for d in moved]),
    ]
    equal = len(rows) - len(differing)
    tail = [f" and {equal} equal in both"] if equal else []
    return ["", *table(columns, width), *tail, *_more(len(differing) - len(moved))]


def _name(row: Difference) -> str:
    if row.group == "ledger":
        return LEDGER_LABELS.get(row.name, row.name)
    return plain_text(metric_noun(row.name) if row.group == "metrics" else row.name)


def _range(text: str) -> str:
    return "" if text == "–" else text


def _signed(text: str) -> str:
    return f"−{text[1:]}" if text.startswith("-") else f"+{text}"


def _percent(relative: float | None) -> str:
    if relative is None:
        return "new"
    if abs(relative) >= 9.995:
        return f"× {relative + 1.0:.3g}"
    text = f"{100.0 * relative:+.1f}" if abs(relative) < 0.0995 else f"{100.0 * relative:+.0f}"
    return text.replace("-", "−")

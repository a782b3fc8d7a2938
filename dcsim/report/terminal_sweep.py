"""A sweep on a terminal: one line a point, its changes first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dcsim.report.columns import Column, fit, table, wrapped
from dcsim.report.wording import plain_text, scale_for

#: Points shown; the table that is written has all.
MOST_ROWS = 40
_METRICS = (
    ("total.finish", "finish"),
    ("total.cost", "cost"),
    ("total.energy", "energy"),
    ("total.ettr", "ETTR"),
    ("total.goodput", "goodput"),
    ("total.failures", "failures"),
)


def sweep_text(document: Mapping[str, Any], directory: str | Path, width: int = 80) -> str:
    """The table of points and where everything is, without a final newline."""
    points = list(document["points"])
    shown = points[:MOST_ROWS]
    keys = list(document["keys"])
    head = f"{len(points)} point{'s' if len(points) != 1 else ''} of {document['scenario']}"
    lines = [fit(f" {plain_text(head)}, each a {document['kind']}", width), ""]
    lines += table([*_changes(keys, shown), *_figures(shown)], width)
    if len(points) > len(shown):
        lines.append(f" and {len(points) - len(shown)} more in the table")
    for point in shown:
        if point["reason"]:
            changes = ", ".join(f"{k}={v}" for k, v in point["changes"].items())
            text = f"{changes} is {point['status']}: {point['reason']}"
            lines += ["", *wrapped(plain_text(text), width, first=" ✗ ", rest="   ")]
    place = Path(directory).as_posix()
    lines += ["", fit(f" Table    {place}/sweep.csv, sweep.parquet", width)]
    if document["figure"]:
        lines.append(fit(f" Figure   {place}/{document['figure']}", width))
    return "\n".join(line.rstrip() for line in lines)


def _changes(keys: Sequence[str], points: Sequence[Mapping[str, Any]]) -> list[Column]:
    """A column for each key, headed by as much of its end as tells it apart."""
    return [
        Column(
            short_key(key, keys),
            [plain_text(point["changes"].get(key, "–")) for point in points],
            least=8,
        )
        for key in keys
    ]


def short_key(key: str, keys: Sequence[str]) -> str:
    """The fewest last parts of a dotted key that no other key ends in."""
    parts = key.split(".")
    for n in range(1, len(parts)):
        tail = ".".join(parts[-n:])
        if not any(other != key and f".{other}".endswith(f".{tail}") for other in keys):
            return tail
    return key


def _figures(points: Sequence[Mapping[str, Any]]) -> list[Column]:
    columns = []
    for priority, (name, word) in enumerate(_METRICS):
        figures = [point["metrics"].get(name) or {} for point in points]
        values = [figure.get("value") for figure in figures]
        if all(value is None for value in values):
            continue
        unit = next(str(f["unit"]) for f in figures if f.get("value") is not None)
        scale = scale_for(unit, values)
        title = f"{word}, {scale.head}" if scale.head else word
        columns.append(Column(title, [scale.text(v) for v in values], priority=2 * priority))
        if priority < 2:
            ranges = [scale.range(f.get("low"), f.get("high")) for f in figures]
            columns.append(Column("(90 %)", ranges, priority=2 * priority + 11))
    columns.append(Column("objectives", [_objectives(point) for point in points], "<", priority=1))
    return columns


def _objectives(point: Mapping[str, Any]) -> str:
    if point["status"] in ("refused", "infeasible"):
        return f"✗ {point['status']}"
    marks = ["✓" if objective["met"] else "✗" for objective in point["objectives"]]
    return " ".join(marks)

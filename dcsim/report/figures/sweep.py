"""What one or two varied keys do to time and money: points with 90 % intervals."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dcsim.report.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    drawing,
    label,
    svg,
)
from dcsim.report.wording import Scale, scale_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_MM, HEIGHT_MM = 160.0, 72.0
_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY)
_PANELS = (("total.finish", "time to finish"), ("total.cost", "cost"))
#: More lines than this would hide each other.
MOST_LINES = len(_COLOURS)
#: Distance of neighbouring lines along the axis, and of their labels, as a share of it.
SHIFT, LABEL_GAP = 0.05, 0.065

Point = Mapping[str, Any]


def sweep_svg(keys: Sequence[str], points: Sequence[Point]) -> bytes | None:
    """Time and cost over the first key, a line for each value of the second.

    None where there is nothing to draw: no or more than two keys, no point with a time,
    or more than `MOST_LINES` lines.
    """
    drawn = [point for point in points if _figure(point, "total.finish")]
    complete = all(key in point["changes"] for key in keys for point in drawn)
    if not 1 <= len(keys) <= 2 or not drawn or not complete:
        return None
    along = _axis_values(keys[0], drawn)
    lines = _axis_values(keys[1], drawn) if len(keys) == 2 else [None]
    if len(lines) > MOST_LINES:
        return None
    with drawing(WIDTH_MM, HEIGHT_MM) as figure:
        for i, (metric, word) in enumerate(_PANELS):
            axes = figure.add_subplot(1, 2, i + 1)
            _panel(axes, metric, word, keys, drawn, along, lines)
        return svg(figure)


def _panel(
    axes: "Axes",
    metric: str,
    word: str,
    keys: Sequence[str],
    points: Sequence[Point],
    along: Sequence[Any],
    lines: Sequence[Any],
) -> None:
    figures = [_figure(point, metric) for point in points]
    unit = next(str(f["unit"]) for f in figures if f)
    scale = scale_for(unit, [f["value"] for f in figures if f])
    ends: list[tuple[float, float, int]] = []
    for i, value in enumerate(lines):
        own = [p for p in points if len(keys) == 1 or p["changes"][keys[1]] == value]
        # Lines that coincide are set apart, or the last would hide the others.
        shift = SHIFT * (i - (len(lines) - 1) / 2)
        end = _line(axes, metric, keys[0], own, along, scale, _COLOURS[i], shift)
        ends += [(*end, i)] if own else []
    top = axes.get_ylim()[1]
    heights = _apart([y for _, y, _ in ends], LABEL_GAP * top)
    for (x, _, i), y in zip(ends, heights, strict=True):
        if len(keys) == 2:
            axes.annotate(
                label(lines[i]), (x, y), (6, 0), textcoords="offset points", va="center",
                color=_COLOURS[i],
            )  # fmt: skip
    axes.set_xticks(range(len(along)), [label(value, 14) for value in along])
    axes.set_xlim(-0.3, len(along) - 1 + (0.3 if len(keys) == 1 else 0.9))
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel(label(keys[0], 44))
    axes.set_ylabel(f"{word} ({scale.head})")
    if len(keys) == 2:
        axes.set_title(f"a line for each {label(keys[1], 34)}", loc="left")


def _line(
    axes: "Axes",
    metric: str,
    key: str,
    points: Sequence[Point],
    along: Sequence[Any],
    scale: Scale,
    colour: str,
    shift: float,
) -> tuple[float, float]:
    """Draws one line and returns its right end."""
    ordered = sorted(points, key=lambda point: along.index(point["changes"][key]))
    x = [along.index(point["changes"][key]) + shift for point in ordered]
    figures = [point["metrics"][metric] for point in ordered]
    middle, low, high = ([f[k] / scale.size for f in figures] for k in ("value", "low", "high"))
    axes.vlines(x, low, high, color=colour, linewidth=1.0, alpha=0.55)
    axes.plot(x, middle, "o-", color=colour, linewidth=0.9, markersize=3.2)
    return (x[-1], middle[-1]) if x else (0.0, 0.0)


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """The heights, moved up just so far that neighbours are `gap` apart."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    placed = list(heights)
    for lower, upper in pairwise(order):
        placed[upper] = max(placed[upper], placed[lower] + gap)
    return placed


def _axis_values(key: str, points: Sequence[Point]) -> list[Any]:
    """The key's values: numbers by size, others in the order in which they were given."""
    values: list[Any] = []
    for point in points:
        if point["changes"][key] not in values:
            values.append(point["changes"][key])
    return sorted(values) if all(isinstance(v, int | float) for v in values) else values


def _figure(point: Point, metric: str) -> Mapping[str, Any] | None:
    figure = point["metrics"].get(metric)
    return figure if figure and figure.get("value") is not None else None

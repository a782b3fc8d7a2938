"""Time against money: all candidates, those that no other beats, and the chosen one."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.report.figures.labels import Label, place
from dcsim.report.figures.style import BLACK, BLUE, GREY, LIGHT, SOFT, drawing, label, svg
from dcsim.report.wording import Scale, scale_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, Any]

#: An axis whose values span more than this is drawn with logarithms.
LOG_FROM = 6.0

#: Dominated candidates are shown up to these multiples of the frontier's time and money.
FARTHEST = (2.6, 1.8)

#: Dominated candidates are thinned to one for each cell of a grid of so many cells a side.
CELLS = 90


def frontier_svg(
    rows: Sequence[Row], objectives: Sequence[Row], width_mm: float, height_mm: float
) -> bytes:
    """The figure; `rows` are candidates of which at least one has a time and a cost."""
    known = [r for r in rows if _finite(r.get("time_s")) and _finite(r.get("cost_usd"))]
    front = [r for r in known if r.get("status") in ("recommended", "frontier")]
    time = scale_for("s", [r["time_s"] for r in front or known])
    money = scale_for("USD", [r["cost_usd"] for r in front or known])
    known = _in_view(known, front)
    with drawing(width_mm, height_mm) as figure:
        axes = figure.add_subplot()
        _scatter(axes, known, time, money)
        _limits(axes, known, front, objectives, time, money)
        _targets(axes, objectives, time, money)
        axes.set_xlabel(f"time to finish ({time.head})")
        axes.set_ylabel(f"cost ({money.head})")
        shown = sorted(front, key=lambda r: (r["status"] != "recommended", r["time_s"]))
        # Labels keep off the lines.
        obstacles = _along(axes, sorted(front, key=lambda r: r["time_s"]), time, money)
        crossable = _deadline_points(axes, objectives, time) + _whisker_points(shown, time, money)
        place(axes, [_label(row, time, money) for row in shown], obstacles, crossable)
        return svg(figure)


def _along(
    axes: "Axes", front: Sequence[Row], time: Scale, money: Scale
) -> list[tuple[float, float]]:
    """Points close together on the line through the frontier, which labels must not hide."""
    x = np.array([r["time_s"] / time.size for r in front])
    y = np.array([r["cost_usd"] / money.size for r in front])
    if x.size < 2:
        return list(zip(x.tolist(), y.tolist(), strict=True))
    shown = axes.transData.transform(np.stack([x, y], axis=1))
    steps = np.linspace(0, 1, 24)
    path = (shown[:-1, None] + steps[None, :, None] * np.diff(shown, axis=0)[:, None]).reshape(
        -1, 2
    )
    return [(float(a), float(b)) for a, b in axes.transData.inverted().transform(path)]


def _whisker_points(front: Sequence[Row], time: Scale, money: Scale) -> list[tuple[float, float]]:
    """Points along the plan's intervals."""
    row = next((row for row in front if row.get("status") == "recommended"), None)
    if row is None:
        return []
    x, y = row["time_s"] / time.size, row["cost_usd"] / money.size
    points = []
    if _finite(row.get("time_low_s")) and _finite(row.get("time_high_s")):
        ends = row["time_low_s"] / time.size, row["time_high_s"] / time.size
        points += [(float(a), y) for a in np.linspace(*ends, 60)]
    if _finite(row.get("cost_usd_low")) and _finite(row.get("cost_usd_high")):
        ends = row["cost_usd_low"] / money.size, row["cost_usd_high"] / money.size
        points += [(x, float(b)) for b in np.linspace(*ends, 60)]
    return points


def _deadline_points(
    axes: "Axes", objectives: Sequence[Row], time: Scale
) -> list[tuple[float, float]]:
    deadline = _target(objectives, "x")
    if deadline is None:
        return []
    low, high = axes.get_ylim()
    return [(deadline / time.size, y) for y in np.linspace(low, high, 80).tolist()]


def _finite(value: Any) -> bool:
    return value is not None and math.isfinite(value) and value > 0


def _in_view(known: Sequence[Row], front: Sequence[Row]) -> list[Row]:
    """Without the far dominated ones, which would squeeze the frontier into a corner."""
    if not front:
        return list(known)
    latest = FARTHEST[0] * max(r["time_s"] for r in front)
    dearest = FARTHEST[1] * max(r["cost_usd"] for r in front)
    return [r for r in known if r["time_s"] <= latest and r["cost_usd"] <= dearest]


def _scatter(axes: "Axes", known: Sequence[Row], time: Scale, money: Scale) -> None:
    def xy(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
        return (
            np.array([r["time_s"] / time.size for r in rows]),
            np.array([r["cost_usd"] / money.size for r in rows]),
        )

    def of(*statuses: str) -> list[Row]:
        return [r for r in known if r.get("status") in statuses]

    able = of("recommended", "frontier", "dominated")
    size, colour = (2.6, LIGHT) if able else (4.0, GREY)
    misfits = _thinned(*xy(of("infeasible")))
    axes.plot(*misfits, "x", ms=size, mew=size / 5, color=colour, zorder=1)
    axes.plot(*_thinned(*xy(of("dominated"))), "o", ms=2.2, mew=0, color="#BDBDBD", zorder=2)
    front = sorted(of("recommended", "frontier"), key=lambda r: r["time_s"])
    x, y = xy(front)
    axes.plot(x, y, "-", color=BLACK, lw=0.8, zorder=3)
    axes.plot(x, y, "o", ms=3.6, mew=0, color=BLACK, zorder=4)
    for row in of("recommended"):
        x0, y0 = row["time_s"] / time.size, row["cost_usd"] / money.size
        _whisker(axes, row, time, money)
        axes.plot([x0], [y0], "o", ms=7.5, mew=1.0, mec="white", color=BLUE, zorder=5)


def _whisker(axes: "Axes", row: Row, time: Scale, money: Scale) -> None:
    x, y = row["time_s"] / time.size, row["cost_usd"] / money.size
    if _finite(row.get("time_low_s")) and _finite(row.get("time_high_s")):
        ends = [row["time_low_s"] / time.size, row["time_high_s"] / time.size]
        axes.plot(ends, [y, y], "-", color=BLUE, lw=1.4, zorder=4.5)
    if _finite(row.get("cost_usd_low")) and _finite(row.get("cost_usd_high")):
        ends = [row["cost_usd_low"] / money.size, row["cost_usd_high"] / money.size]
        axes.plot([x, x], ends, "-", color=BLUE, lw=1.4, zorder=4.5)


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One point for each cell of a fine grid: the picture of all of them, at a bounded size."""
    if x.size < 2:
        return x, y
    cells = np.stack([_cell(np.log(x)), _cell(np.log(y))], axis=1)
    _, first = np.unique(cells, axis=0, return_index=True)
    return x[np.sort(first)], y[np.sort(first)]


def _cell(values: np.ndarray) -> np.ndarray:
    span = float(np.ptp(values)) or 1.0
    return np.floor((values - values.min()) / span * CELLS).astype(int)


def _limits(
    axes: "Axes",
    known: Sequence[Row],
    front: Sequence[Row],
    objectives: Sequence[Row],
    time: Scale,
    money: Scale,
) -> None:
    from dcsim.report.figures.axes import span

    base = front or known
    for axis, name, scale, low, high in (
        ("x", "time_s", time, "time_low_s", "time_high_s"),
        ("y", "cost_usd", money, "cost_usd_low", "cost_usd_high"),
    ):
        values = [r[name] / scale.size for r in known]
        for row in base:
            if row.get("status") == "recommended":
                values += [row[k] / scale.size for k in (low, high) if _finite(row.get(k))]
        target = _target(objectives, axis)
        if target is not None and _finite(target):
            near = min(values) / 3 <= target / scale.size <= 3 * max(values)
            values += [target / scale.size] if near else []
        span(axes, axis, values, LOG_FROM)


def _target(objectives: Sequence[Row], axis: str) -> float | None:
    """The tightest bound on time (x) or money (y)."""
    tail, unit = ("finish", "s") if axis == "x" else ("cost", "USD")
    bounds = [
        o["target"]
        for o in objectives
        if str(o.get("metric")).rpartition(".")[2] == tail and o.get("unit") == unit
    ]
    return min(bounds, default=None)


def _targets(axes: "Axes", objectives: Sequence[Row], time: Scale, money: Scale) -> None:
    """The objectives as lines, with what lies beyond them shaded."""
    deadline, budget = _target(objectives, "x"), _target(objectives, "y")
    shade: dict[str, Any] = {"color": "#F4F4F4", "lw": 0, "zorder": 0}
    dashes: dict[str, Any] = {"color": GREY, "lw": 0.7, "ls": (0, (3, 2)), "zorder": 1}
    text: dict[str, Any] = {"textcoords": "offset points", "color": SOFT, "fontsize": 7}
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    if deadline is not None and deadline / time.size < right:
        x = max(deadline / time.size, left)
        axes.axvspan(x, right, **shade)
        if x > left:
            axes.axvline(x, **dashes)
            text |= {"xytext": (-2, 3), "ha": "right", "va": "bottom", "rotation": 90}
            words = f"by {time.text(deadline)} {time.symbol}"
            axes.annotate(words, (x, 0), xycoords=("data", "axes fraction"), **text)
    if budget is not None and budget / money.size < top:
        y = max(budget / money.size, bottom)
        axes.axhspan(y, top, **shade)
        if y > bottom:
            axes.axhline(y, **dashes)
            # At the right, where frontiers are low, unless the deadline runs through there.
            side = 0.0 if _fraction(axes, deadline, time) > 0.75 else 1.0
            text |= {"xytext": (3 - 5 * side, 2), "va": "bottom", "rotation": 0}
            text |= {"ha": "right" if side else "left"}
            words = f"at most {money.text(budget)} {money.symbol}"
            axes.annotate(words, (side, y), xycoords=("axes fraction", "data"), **text)


def _fraction(axes: "Axes", deadline: float | None, time: Scale) -> float:
    """Where the deadline is along the axis: 0 at its left end or outside, 1 at its right."""
    if deadline is None or not axes.get_xlim()[0] < deadline / time.size < axes.get_xlim()[1]:
        return 0.0
    place = axes.transAxes.inverted().transform(
        axes.transData.transform((deadline / time.size, axes.get_ylim()[0]))
    )
    return float(place[0])


def _label(row: Row, time: Scale, money: Scale) -> Label:
    chosen = row.get("status") == "recommended"
    nodes = f"{int(row['nodes'])} × " if row.get("nodes") else ""
    return Label(
        row["time_s"] / time.size,
        row["cost_usd"] / money.size,
        nodes + label(row.get("node_type"), 20),
        BLUE if chosen else BLACK,
        bold=chosen,
        size=8.0 if chosen else 7.0,
    )

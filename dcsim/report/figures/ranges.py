"""Medians with whiskers, one row a candidate, one panel a quantity."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcsim.report.figures.axes import span
from dcsim.report.figures.style import BLACK, BLUE, GREY, bare, drawing, label, svg

#: Room of a row and of the axis below all rows.
ROW_MM, AXIS_MM = 4.6, 11.0


@dataclass(frozen=True, slots=True)
class Panel:
    """A quantity: what it is called with its unit, and (low, value, high) of every row.

    `bound` is an objective's target, drawn as a line.
    """

    title: str
    triples: Sequence[tuple[float | None, float | None, float | None]]
    bound: float | None = None


def ranges_svg(
    names: Sequence[str], panels: Sequence[Panel], chosen: int | None, width_mm: float
) -> bytes:
    """The figure; row `chosen` stands out. Rows run from top to bottom."""
    height = ROW_MM * len(names) + AXIS_MM
    with drawing(width_mm, height) as figure:
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        rows = list(range(len(names) - 1, -1, -1))
        for axes, panel in zip(all_axes, panels, strict=True):
            values = [v for triple in panel.triples for v in triple if v is not None]
            if panel.bound is not None and values:
                if min(values) / 3 < panel.bound < 3 * max(values):
                    values.append(panel.bound)
                axes.axvline(panel.bound, color=GREY, lw=0.7, ls=(0, (3, 2)), zorder=1)
            for i, (row, (low, value, high)) in enumerate(zip(rows, panel.triples, strict=True)):
                colour = BLUE if i == chosen else BLACK
                if value is None:
                    continue
                if low is not None and high is not None:
                    axes.plot([low, high], [row, row], color=colour, lw=1.3, zorder=2)
                size = 5.0 if i == chosen else 3.6
                axes.plot([value], [row], "o", color=colour, ms=size, mew=0, zorder=3)
            if values:
                span(axes, "x", values, log_from=6.0)
            axes.set_xlabel(panel.title)
            axes.grid(axis="y", color="#EEEEEE", lw=0.6)
            axes.set_axisbelow(True)
            bare(axes, "left")
        all_axes[0].set_ylim(-0.6, len(names) - 0.4)
        all_axes[0].set_yticks(rows, [label(name, 38) for name in names], color=BLACK)
        if chosen is not None:
            all_axes[0].get_yticklabels()[chosen].set_fontweight("semibold")
        return svg(figure)

"""What moves a figure: one bar from the low to the high end of every factor."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcsim.report.figures.axes import span
from dcsim.report.figures.style import BLACK, SOFT, bare, drawing, label, svg

ROW_MM, AXIS_MM = 5.4, 11.0

#: Shades of the low and of the high end: no colour that means something elsewhere.
LOW, HIGH = "#B8B8B8", "#4D4D4D"


@dataclass(frozen=True, slots=True)
class Swing:
    """A factor with the figure at both of its ends."""

    factor: str
    low: float
    high: float
    low_setting: str
    high_setting: str


@dataclass(frozen=True, slots=True)
class Tornado:
    """One figure: its title with the unit, its value as planned and what moves it."""

    title: str
    base: float
    swings: Sequence[Swing]


def tornado_svg(panels: Sequence[Tornado], width_mm: float) -> bytes:
    """The figure; factors in the order of the first panel, from top to bottom."""
    factors = [swing.factor for swing in panels[0].swings]
    rows = {factor: len(factors) - 1 - i for i, factor in enumerate(factors)}
    with drawing(width_mm, ROW_MM * len(factors) + AXIS_MM) as figure:
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, panel in zip(all_axes, panels, strict=True):
            values = [panel.base]
            for swing in panel.swings:
                row = rows[swing.factor]
                for end, colour, shift in ((swing.low, LOW, 0.17), (swing.high, HIGH, -0.17)):
                    axes.barh(
                        row + shift,
                        end - panel.base,
                        left=panel.base,
                        height=0.32,
                        color=colour,
                        lw=0,
                        zorder=2,
                    )
                    values.append(end)
            axes.axvline(panel.base, color=BLACK, lw=0.8, zorder=3)
            span(axes, "x", values, log_from=float("inf"))
            axes.set_xlabel(panel.title)
            axes.grid(axis="x", color="#EEEEEE", lw=0.6)
            axes.set_axisbelow(True)
            bare(axes, "left")
        all_axes[0].set_ylim(-0.6, len(factors) - 0.4)
        names = [label(factor, 30) for factor in factors]
        all_axes[0].set_yticks(list(rows.values()), names, color=SOFT)
        return svg(figure)

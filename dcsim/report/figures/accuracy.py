"""Predicted over measured: how far predictions were from what was observed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dcsim.report.figures.axes import span
from dcsim.report.figures.style import BLACK, BLUE, GREY, SKY, bare, drawing, label, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating[Any]]

#: The axis ends at the first of these that holds nearly all ratios and their inverses;
#: those beyond are drawn at the edge, as triangles.
EDGES = (1.5, 2.0, 3.0, 5.0)
TICKS = (0.2, 0.33, 0.5, 0.75, 1, 1.33, 2, 3, 5)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs that were predicted and measured; arrays of shape (n,), in seconds."""

    names: Sequence[str]
    measured_s: Array
    predicted_s: Array
    low_s: Array
    high_s: Array

    @property
    def ratio(self) -> Array:
        """Predicted over measured."""
        return self.predicted_s / self.measured_s


def by_group_svg(
    groups: Sequence[tuple[str, Comparison]], width_mm: float, height_mm: float
) -> bytes:
    """A strip of points for each group, its median as a line, on a logarithmic ratio."""
    with drawing(width_mm, height_mm) as figure:
        axes = figure.add_subplot()
        edge = _edge(np.concatenate([comparison.ratio for _, comparison in groups]))
        rows = range(len(groups) - 1, -1, -1)
        for row, (_, comparison) in zip(rows, groups, strict=True):
            ratio = comparison.ratio
            # Points beside each other in a fixed order: no chance, no overlap by rank.
            place = row + 0.62 * ((np.arange(ratio.size) * 0.618034) % 1.0 - 0.5)
            _points(axes, ratio, place, edge, upright=False)
            middle = float(np.clip(np.median(ratio), 1 / edge, edge))
            axes.plot([middle] * 2, [row - 0.4, row + 0.4], color=BLACK, lw=1.4, zorder=4)
        axes.set_ylim(-0.6, len(groups) - 0.4)
        names = [f"{label(name, 18)} ({c.ratio.size})" for name, c in groups]
        axes.set_yticks(list(rows), names, color=BLACK)
        bare(axes, "left")
        _ratio_axis(axes, edge, "x")
        return svg(figure)


def by_size_svg(comparison: Comparison, width_mm: float, height_mm: float) -> bytes:
    """Ratio against measured time, with every prediction's interval as a whisker."""
    with drawing(width_mm, height_mm) as figure:
        axes = figure.add_subplot()
        measured, ratio = comparison.measured_s, comparison.ratio
        low, high = comparison.low_s / measured, comparison.high_s / measured
        edge = _edge(np.concatenate([low, high]))
        axes.vlines(measured, np.maximum(low, 1 / edge), np.minimum(high, edge), color=SKY, lw=1.1)
        _points(axes, measured, ratio, edge)
        span(axes, "x", [float(measured.min()), float(measured.max())], log_from=6.0)
        axes.set_xlabel("measured step (s)")
        _ratio_axis(axes, edge, "y")
        return svg(figure)


def _edge(ratio: Array) -> float:
    """The end of the axis: the first that leaves out at most one in fifty."""
    beyond = np.quantile(np.exp(np.abs(np.log(ratio))), 0.98)
    return next((edge for edge in EDGES if edge >= beyond), EDGES[-1])


def _points(axes: "Axes", x: Array, y: Array, edge: float, upright: bool = True) -> None:
    """Dots at (x, y); `upright` says that y is the ratio, else x is. Far ones at the edge."""
    ratio = y if upright else x
    shown = np.clip(ratio, 1 / edge, edge)
    x, y = (x, shown) if upright else (shown, y)
    inside = shown == ratio
    markers = ("^", "v") if upright else (">", "<")
    axes.plot(x[inside], y[inside], "o", ms=2.6, mew=0, color=BLUE, alpha=0.75, zorder=3)
    for beyond, marker in zip((ratio > edge, ratio < 1 / edge), markers, strict=True):
        axes.plot(x[beyond], y[beyond], marker, ms=3.4, mew=0, color=BLUE, clip_on=False)


def _ratio_axis(axes: "Axes", edge: float, which: str) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    upright = which == "y"
    axis = axes.yaxis if upright else axes.xaxis
    (axes.axhspan if upright else axes.axvspan)(0.9, 1 / 0.9, color="#F0F0F0", lw=0, zorder=0)
    (axes.axhline if upright else axes.axvline)(1.0, color=GREY, lw=0.8, zorder=1)
    (axes.set_yscale if upright else axes.set_xscale)("log")
    (axes.set_ylim if upright else axes.set_xlim)(1 / edge / 1.03, edge * 1.03)
    axis.set_major_locator(FixedLocator([t for t in TICKS if 0.99 / edge <= t <= edge]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_label_text("predicted ÷ measured")

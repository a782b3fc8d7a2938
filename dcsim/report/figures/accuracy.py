"""Predicted over measured: how far predictions were from what was observed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dcsim.report.figures.axes import span
from dcsim.report.figures.style import BLACK, BLUE, GREY, SKY, drawing, label, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The axis ends at the first of these that holds nearly all ratios and their inverses;
#: those beyond are drawn at the edge, as triangles.
EDGES = (1.5, 2.0, 3.0, 5.0)
TICKS = (0.2, 0.33, 0.5, 0.75, 1, 1.33, 2, 3, 5)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs that were predicted and measured; arrays of shape (n,), in seconds."""

    names: Sequence[str]
    measured_s: NDArray[np.floating[Any]]
    predicted_s: NDArray[np.floating[Any]]
    low_s: NDArray[np.floating[Any]]
    high_s: NDArray[np.floating[Any]]

    @property
    def ratio(self) -> NDArray[np.floating[Any]]:
        """Predicted over measured."""
        return self.predicted_s / self.measured_s


def by_group_svg(
    groups: Sequence[tuple[str, Comparison]], width_mm: float, height_mm: float
) -> bytes:
    """A strip of points for each group, its median as a line, on a logarithmic ratio."""
    with drawing(width_mm, height_mm) as figure:
        axes = figure.add_subplot()
        edge = _edge(np.concatenate([comparison.ratio for _, comparison in groups]))
        for column, (_, comparison) in enumerate(groups):
            ratio = comparison.ratio
            # Points beside each other in a fixed order: no chance, no overlap by rank.
            place = column + 0.62 * ((np.arange(ratio.size) * 0.618034) % 1.0 - 0.5)
            _points(axes, place, ratio, edge)
            middle = float(np.median(ratio))
            axes.plot([column - 0.38, column + 0.38], [middle] * 2, color=BLACK, lw=1.3, zorder=4)
        axes.set_xlim(-0.6, len(groups) - 0.4)
        names = [f"{label(name, 16)}\n({c.ratio.size})" for name, c in groups]
        axes.set_xticks(range(len(groups)), names, color=BLACK)
        axes.tick_params(axis="x", length=0)
        _ratio_axis(axes, edge)
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
        _ratio_axis(axes, edge)
        return svg(figure)


def _edge(ratio: NDArray[np.floating[Any]]) -> float:
    """The end of the axis: the first that leaves out at most one in fifty."""
    beyond = np.quantile(np.exp(np.abs(np.log(ratio))), 0.98)
    return next((edge for edge in EDGES if edge >= beyond), EDGES[-1])


def _points(
    axes: "Axes", x: NDArray[np.floating[Any]], ratio: NDArray[np.floating[Any]], edge: float
) -> None:
    inside = (ratio <= edge) & (ratio >= 1 / edge)
    axes.plot(x[inside], ratio[inside], "o", ms=2.6, mew=0, color=BLUE, alpha=0.75, zorder=3)
    for beyond, marker, end in ((ratio > edge, "^", edge), (ratio < 1 / edge, "v", 1 / edge)):
        axes.plot(x[beyond], np.full(int(beyond.sum()), end), marker, ms=3.2, mew=0, color=BLUE)


def _ratio_axis(axes: "Axes", edge: float) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.axhspan(0.9, 1 / 0.9, color="#F0F0F0", lw=0, zorder=0)
    axes.axhline(1.0, color=GREY, lw=0.8, zorder=1)
    axes.set_yscale("log")
    axes.set_ylim(1 / edge / 1.06, edge * 1.06)
    axes.yaxis.set_major_locator(FixedLocator([t for t in TICKS if 0.99 / edge <= t <= edge]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylabel("predicted ÷ measured")

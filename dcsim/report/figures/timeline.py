"""The cluster over time: small panels above each other on one time axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcsim.report.figures.axes import span, tick_text
from dcsim.report.figures.style import BLACK, SOFT, VERMILION, drawing, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_MM, AXIS_MM = 18.0, 9.0


@dataclass(frozen=True, slots=True)
class Line:
    """A series: times (the ends of equal intervals) and means over them, shape (n,)."""

    name: str
    time: NDArray[np.float64]
    value: NDArray[np.float64]
    colour: str
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Strip:
    """One panel: what it shows with its unit, its series, the top of its axis if it is
    given, and whether it counts (so that only whole numbers are ticks)."""

    title: str
    lines: Sequence[Line]
    top: float | None = None
    counts: bool = False


def timeline_svg(
    strips: Sequence[Strip],
    failures: NDArray[np.float64],
    time_title: str,
    width_mm: float,
) -> bytes:
    """The figure; `failures` are times marked in the first panel."""
    end = max(float(line.time[-1]) for strip in strips for line in strip.lines)
    with drawing(width_mm, PANEL_MM * len(strips) + AXIS_MM) as figure:
        all_axes = figure.subplots(len(strips), 1, sharex=True, squeeze=False)[:, 0]
        for axes, strip in zip(all_axes, strips, strict=True):
            _strip(axes, strip)
        if failures.size:
            all_axes[0].plot(
                failures,
                np.full(failures.size, 1.05),
                "v",
                ms=3.4,
                mew=0,
                color=VERMILION,
                transform=all_axes[0].get_xaxis_transform(),
                clip_on=False,
            )
        span(all_axes[-1], "x", [0.0, end], log_from=float("inf"))
        all_axes[-1].set_xlim(0.0, end)
        all_axes[-1].set_xlabel(time_title)
        figure.align_ylabels()
        return svg(figure)


def _strip(axes: "Axes", strip: Strip) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    top = max((float(line.value.max()) for line in strip.lines if line.value.size), default=1.0)
    for line in strip.lines:
        edges = np.concatenate([[0.0], line.time])
        if line.filled:
            axes.stairs(line.value, edges, fill=True, color=line.colour, lw=0)
        else:
            axes.stairs(line.value, edges, baseline=None, color=line.colour, lw=0.9)
    axes.set_ylim(0, (strip.top or top or 1.0) * 1.08)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=strip.counts))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))
    # The title stands in the panel's own margin: it cannot be mistaken for another's.
    axes.set_title(strip.title, loc="left", fontsize=7.6, color=BLACK, pad=7, fontweight="semibold")
    axes.grid(axis="y", color="#EEEEEE", lw=0.6)
    axes.set_axisbelow(True)
    _names(axes, strip.lines)


def _names(axes: "Axes", lines: Sequence[Line]) -> None:
    """The names of several series, in their colours, at the right of the title."""
    if len(lines) < 2:
        return
    position = 1.0
    for line in reversed(lines):
        axes.annotate(
            line.name,
            (position, 1),
            xycoords="axes fraction",
            xytext=(0, 7),
            textcoords="offset points",
            ha="right",
            va="baseline",
            fontsize=7.2,
            color=line.colour if line.colour != "#D9D9D9" else SOFT,
            fontweight="semibold",
        )
        position -= 0.018 + 0.0115 * len(line.name)

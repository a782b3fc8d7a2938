"""Horizontal bars with their names and values beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcsim.report.figures.style import BLACK, SOFT, bare, drawing, label, svg


@dataclass(frozen=True, slots=True)
class Bar:
    """A named value with its interval (equal bounds: none) and the text that tells it."""

    name: str
    value: float
    text: str
    colour: str
    low: float | None = None
    high: float | None = None


def bars_svg(bars: Sequence[Bar], width_mm: float, height_mm: float) -> bytes:
    """The figure; values share one unit, which the texts name."""
    with drawing(width_mm, height_mm) as figure:
        axes = figure.add_subplot()
        rows = range(len(bars) - 1, -1, -1)
        reach = max(max(bar.value, bar.high or 0.0) for bar in bars) or 1.0
        for row, bar in zip(rows, bars, strict=True):
            axes.barh(row, bar.value, height=0.62, color=bar.colour, lw=0, zorder=2)
            end = bar.value
            if bar.low is not None and bar.high is not None and bar.high > bar.low:
                axes.plot([bar.low, bar.high], [row, row], color=BLACK, lw=0.9, zorder=3)
                for bound in (bar.low, bar.high):
                    axes.plot([bound] * 2, [row - 0.14, row + 0.14], color=BLACK, lw=0.9, zorder=3)
                end = max(end, bar.high)
            axes.annotate(
                bar.text,
                (end, row),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=7.4,
                color=BLACK,
            )
        longest = max(len(bar.text) for bar in bars)
        axes.set_xlim(0, reach * (1 + 1.55 * longest / width_mm))
        axes.set_ylim(-0.6, len(bars) - 0.4)
        axes.set_yticks(list(rows), [label(bar.name, 26) for bar in bars], color=BLACK)
        axes.set_xticks([])
        axes.axvline(0, color=SOFT, lw=0.6)
        bare(axes, "left", "bottom")
        return svg(figure)

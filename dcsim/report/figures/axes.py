"""Axes that read well whatever the numbers are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dcsim.units import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def span(axes: "Axes", axis: str, values: Sequence[float], log_from: float) -> None:
    """Set scale, limits and ticks of `axis` (`x` or `y`) so that `values` fill it."""
    low, high = min(values), max(values)
    if low > 0 and high / low > log_from:
        margin = (high / low) ** 0.06
        limits = (low / margin, high * margin)
        _log_ticks(axes, axis, limits)
    else:
        margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
        limits = (max(low - margin, 0.0) if low >= 0 else low - margin, high + margin)
    (axes.set_xlim if axis == "x" else axes.set_ylim)(*limits)
    if limits[0] > 0 and low > 0 and high / low > log_from:
        return
    _plain_ticks(axes, axis)


def _log_ticks(axes: "Axes", axis: str, limits: tuple[float, float]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    (axes.set_xscale if axis == "x" else axes.set_yscale)("log")
    which = axes.xaxis if axis == "x" else axes.yaxis
    which.set_major_locator(FixedLocator(nice_log_ticks(*limits)))
    which.set_minor_locator(NullLocator())
    which.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))


def _plain_ticks(axes: "Axes", axis: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    which = axes.xaxis if axis == "x" else axes.yaxis
    which.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    which.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))


def nice_log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers between `low` and `high` (> 0): 1-2-5 steps, or decades if many."""
    import math

    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = [s * 10.0**e for e in range(first, last + 1) for s in steps]
        ticks = [t for t in ticks if low <= t <= high]
        if len(ticks) <= most:
            return ticks
    every = len(ticks) // most + 1
    return ticks[::every]


def tick_text(value: float) -> str:
    """A tick without trailing zeros, thousands set apart."""
    if value == 0:
        return "0"
    text = number(value, 3)
    if "e" in text:
        return text
    if "." in text:
        return text.rstrip("0").rstrip(".")
    return f"{int(text):,}"

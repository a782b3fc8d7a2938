"""A heat map: how loaded each of several things was over time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcsim.report.figures.axes import span
from dcsim.report.figures.style import bare, drawing, label, svg

ROW_MM, AXIS_MM = 5.2, 13.0

#: White to dark blue over the loads 0 to 1; equal steps look equal, in print as well.
_SHADES = ("#FFFFFF", "#D6E6F2", "#9CC4E0", "#5A9BCB", "#22689E", "#0B3559")


def heat_svg(
    names: Sequence[str],
    time: NDArray[np.float64],
    share: NDArray[np.float64],
    time_title: str,
    width_mm: float,
) -> bytes:
    """The figure; `share` has shape (n_times, n_names), `time` are ends of equal intervals."""
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("load", _SHADES)
    edges = np.concatenate([[0.0], time])
    rows = np.arange(len(names) + 1, dtype=float)
    with drawing(width_mm, ROW_MM * len(names) + AXIS_MM) as figure:
        axes = figure.subplots()
        mesh = axes.pcolormesh(edges, rows, share.T, cmap=shades, vmin=0.0, vmax=1.0)
        axes.set_yticks(rows[:-1] + 0.5, [label(name, 34) for name in names])
        axes.invert_yaxis()
        bare(axes, "left")
        span(axes, "x", [0.0, float(edges[-1])], log_from=float("inf"))
        axes.set_xlim(0.0, float(edges[-1]))
        axes.set_xlabel(time_title)
        bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=14, ticks=[0.0, 0.5, 1.0])
        bar.ax.set_yticklabels(["0", "50", "100 %"])
        bar.outline.set_visible(False)  # type: ignore[operator]
        return svg(figure)

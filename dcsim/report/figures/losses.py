"""Real jobs: loss step by step, and how long each step took."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.report.figures.axes import span
from dcsim.report.figures.style import BLUE, GREY, ORANGE, SKY, drawing, label, svg

#: Steps drawn in full, longer runs as means over so many equal stretches; and stretches
#: of the line that shows the trend.
POINTS, COARSE = 400, 12

#: Steps that take longer than so many medians are told, not drawn.
SLOW = 2.5
ROW_MM = 32.0


@dataclass(frozen=True, slots=True)
class History:
    """A real job: its name, loss of every step and wall time of every step (in `unit`)."""

    name: str
    loss: NDArray[np.float64]
    step: NDArray[np.float64]
    unit: str


def losses_svg(histories: Sequence[History], width_mm: float) -> bytes:
    """One row a job: loss on the left, distribution of step times on the right."""
    with drawing(width_mm, ROW_MM * len(histories)) as figure:
        grid = figure.subplots(
            len(histories), 2, squeeze=False, gridspec_kw={"width_ratios": (3, 2)}
        )
        for (left, right), history in zip(grid, histories, strict=True):
            steps, means = stretches(history.loss, POINTS)
            left.plot(steps, means, color=SKY, lw=0.7)
            left.plot(*stretches(history.loss, COARSE), color=BLUE, lw=1.3)
            span(left, "y", [float(means.min()), float(means.max())], log_from=8.0)
            left.set_xlim(0, history.loss.size)
            left.set_title(f"{label(history.name)}: loss", loc="left", pad=3, fontweight="semibold")
            left.set_xlabel("step")
            shown = history.step[history.step <= SLOW * np.median(history.step)]
            slower = history.step.size - shown.size
            right.hist(shown, bins=30, color=ORANGE, lw=0)
            right.axvline(float(np.median(history.step)), color=GREY, lw=0.9)
            right.set_title(
                "time of a step" + (f" ({slower} slower not shown)" if slower else ""),
                loc="left",
                pad=3,
                fontweight="semibold",
            )
            right.set_xlabel(history.unit)
            right.set_yticks([])
            right.spines["left"].set_visible(False)
        return svg(figure)


def stretches(
    values: NDArray[np.float64], most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The middle step of at most `most` stretches, and the mean over each."""
    edges = np.linspace(0, values.size, min(values.size, most) + 1).astype(int)
    sums = np.add.reduceat(values, edges[:-1])
    return (edges[:-1] + edges[1:]) / 2.0, sums / np.diff(edges)

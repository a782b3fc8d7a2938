"""A figure of a replay over time: use, what idles and why, and the queue."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcsim.report.figures.style import BLUE, GREY, ORANGE, VERMILION
from dcsim.report.figures.timeline import Line, Strip, timeline_svg
from dcsim.simulation.replay import Replay
from dcsim.simulation.replay.sweep import Sweep

Floats = NDArray[np.float64]

BINS = 400
WIDTH_MM = 174.0


def write_plot(
    done: Replay, swept: Sweep, from_s: float, until_s: float, warmup_s: float, path: Path
) -> None:
    """Draw means over `BINS` equal intervals from the end of the warm-up (or `from_s`) on."""
    begin = max(from_s, float(done.trace.submit_s.min()) + warmup_s)
    if begin >= until_s:
        begin = from_s
    edges = np.linspace(begin, until_s, BINS + 1)
    unit, scale = ("days", 86400.0) if until_s - begin > 3 * 86400 else ("hours", 3600.0)
    time = (edges[1:] - begin) / scale

    def line(name: str, values: NDArray[np.int64], colour: str, filled: bool = False) -> Line:
        return Line(name, time, binned(swept.time_s, values, edges), colour, filled)

    idle = swept.idle
    strips = [
        Strip("Accelerators busy", [line("", swept.busy, BLUE, True)], float(done.capacity)),
        Strip(
            "Idle though jobs wait",
            [
                line("fragmented", idle[:, 1], VERMILION),
                line("held back", idle[:, 2], ORANGE),
                line("closed", idle[:, 3], GREY),
            ]
            if idle[:, 3].any()
            else [
                line("fragmented", idle[:, 1], VERMILION),
                line("held back", idle[:, 2], ORANGE),
            ],
        ),
        Strip("Jobs waiting", [line("", swept.queued, BLUE)]),
    ]
    since = "the end of the warm-up" if warmup_s and begin > from_s else "the first submission"
    origin = f"{unit} since {since}" if from_s <= swept.time_s[0] else f"{unit} of the window"
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(timeline_svg(strips, np.empty(0), origin, WIDTH_MM))
    partial.replace(path)


def binned(time_s: Floats, values: NDArray[np.int64], edges: Floats) -> Floats:
    """Time-weighted means of a step function between `edges`; shape (edges - 1,).

    `values[i]` holds from `time_s[i]` to `time_s[i + 1]`; it is 0 before the first and stays
    after the last.
    """
    area = np.concatenate(([0.0], np.cumsum(values[:-1] * np.diff(time_s))))
    at = np.interp(edges, time_s, area)
    beyond = np.maximum(edges - time_s[-1], 0.0) * values[-1]
    return np.diff(at + beyond) / np.diff(edges)

"""One look for all figures: size, fonts, colours, and SVG that is the same every time."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from dcsim.report.wording import plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MM_PER_INCH = 25.4

#: The palette of Okabe and Ito (2008), which colour-blind readers can tell apart.
BLACK, GREY, LIGHT = "#1A1A1A", "#8C8C8C", "#D9D9D9"
BLUE, SKY, GREEN, YELLOW = "#0072B2", "#56B4E9", "#009E73", "#F0E442"
ORANGE, VERMILION, PURPLE = "#E69F00", "#D55E00", "#CC79A7"
SOFT = "#595959"

#: One colour for one thing on every page: parts of a step and classes of the ledger.
COLOURS: Mapping[str, str] = {
    "compute": BLUE,
    "useful_training": BLUE,
    "serving_busy": BLUE,
    "exposed_communication": SKY,
    "tp": SKY,
    "dp": "#8FCFF3",
    "ep": "#2F93CC",
    "cp": "#BFE3F7",
    "pp_bubble": YELLOW,
    "pipeline_bubble": YELLOW,
    "optimizer": GREEN,
    "other": "#7FCDB9",
    "repair": VERMILION,
    "detecting_failure": "#E58A4D",
    "restarting": "#EFB48C",
    "recomputing": "#A84A00",
    "checkpoint": ORANGE,
    "data_wait": PURPLE,
    "starting": "#A3A3A3",
    "maintenance": "#8C8C8C",
    "spare": "#BDBDBD",
    "serving_idle": "#CFCFCF",
    "unallocated_no_demand": "#E3E3E3",
    "unallocated_fragmented": "#C9C9C9",
    "unallocated_held_back": "#B0B0B0",
}

#: Smallest text in a figure, in points at its printed size.
SMALLEST = 7.0


@cache
def family() -> str:
    """Register the report's own fonts with matplotlib and return their family name."""
    from matplotlib import font_manager

    with as_file(files("dcsim.report").joinpath("fonts")) as fonts:
        for path in sorted(fonts.glob("*.ttf")):
            font_manager.fontManager.addfont(str(path))
    return "Source Sans Pro"


@cache
def _characters() -> frozenset[int]:
    """Code points that every weight of the report's font can draw."""
    from matplotlib.ft2font import FT2Font

    with as_file(files("dcsim.report").joinpath("fonts")) as fonts:
        maps = [FT2Font(str(path)).get_charmap() for path in sorted(fonts.glob("*.ttf"))]
    return frozenset.intersection(*(frozenset(found) for found in maps))


@contextmanager
def drawing(width_mm: float, height_mm: float) -> Iterator["Figure"]:
    """A figure of that printed size, in the report's style; to be saved by `svg`."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: Any = {
        "font.family": family(),
        "font.size": 7.6,
        "axes.labelsize": 7.6,
        "axes.titlesize": 7.6,
        "xtick.labelsize": 7.2,
        "ytick.labelsize": 7.2,
        "text.color": BLACK,
        "axes.edgecolor": GREY,
        "axes.labelcolor": SOFT,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "xtick.labelcolor": SOFT,
        "ytick.labelcolor": SOFT,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "xtick.minor.size": 1.5,
        "ytick.minor.size": 1.5,
        "axes.unicode_minus": True,
        "text.parse_math": False,
        "svg.fonttype": "path",
        "svg.hashsalt": "dcsim",
    }
    with rc_context(settings):
        yield Figure(
            figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), layout="constrained"
        )


def svg(figure: "Figure") -> bytes:
    """The figure as SVG without a date; call inside `drawing`."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": None}
    FigureCanvasSVG(figure).print_svg(buffer, metadata=metadata)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def label(text: Any, most: int = 28) -> str:
    """A name as it may stand in a figure: one line, not too long."""
    known = _characters()
    plain = "".join(c if ord(c) in known else "?" for c in plain_text(text))
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def bare(axes: "Axes", *sides: str) -> None:
    """Remove spines and ticks of these sides (`left`, `bottom`)."""
    for side in sides:
        axes.spines[side].set_visible(False)
        if side == "left":
            axes.tick_params(axis="y", length=0)
        if side == "bottom":
            axes.tick_params(axis="x", length=0)

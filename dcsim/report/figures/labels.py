"""Direct labels that do not collide, placed by rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from dcsim.report.figures.style import family

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Where a label may stand around its point: fraction of its width and height by which it
#: is shifted, and the direction of the gap. Best first.
_SPOTS = (
    (0.0, -0.5, 1, 0),
    (0.0, 0.0, 1, 1),
    (0.0, -1.0, 1, -1),
    (-1.0, 0.0, -1, 1),
    (-1.0, -0.5, -1, 0),
    (-1.0, -1.0, -1, -1),
    (-0.5, 0.0, 0, 1),
    (-0.5, -1.0, 0, -1),
)
_GAP = 4.0


@dataclass(frozen=True, slots=True)
class Label:
    """Text for the point (x, y) in data coordinates; earlier labels win places."""

    x: float
    y: float
    text: str
    colour: str
    bold: bool = False
    size: float = 7.2


@lru_cache(maxsize=4096)
def text_size(text: str, size: float, bold: bool = False) -> tuple[float, float]:
    """Width and height of `text` in points, without a renderer."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0, size * 1.1
    font = FontProperties(family=family(), weight="semibold" if bold else "regular")
    box = TextPath((0, 0), text, size=size, prop=font).get_extents()
    return float(box.width), size * 1.1


def place(
    axes: "Axes", labels: Sequence[Label], obstacles: ArrayLike, crossable: ArrayLike = ()
) -> None:
    """Write each label beside its point where it hits no obstacle, label or edge.

    `obstacles` are points in data coordinates, shape (n, 2); `crossable` ones are avoided
    where that is possible. A label without a free place is left out. Call when the limits
    of `axes` and the size of its figure are final.
    """
    figure = axes.get_figure(root=True)
    if figure is None:
        return
    figure.draw_without_rendering()
    to_points = 72.0 / figure.dpi
    frame = axes.get_window_extent()
    edges = np.array([frame.x0, frame.y0, frame.x1, frame.y1]) * to_points
    hard, soft = (
        _in_points(axes, np.asarray(points, dtype=float).reshape(-1, 2), to_points)
        for points in (obstacles, crossable)
    )
    taken: list[Box] = []
    for entry in labels:
        at = _in_points(axes, np.array([[entry.x, entry.y]]), to_points)[0]
        width, height = text_size(entry.text, entry.size, entry.bold)
        boxes = [_box(at, width, height, spot) for spot in _SPOTS]
        boxes = [box for box in boxes if _inside(box, edges) and not _hits(box, hard, taken)]
        free = [box for box in boxes if not _hits(box, soft, ())]
        for box in (free or boxes)[:1]:
            taken.append(box)
            _annotate(axes, entry, box[0] - float(at[0]), box[1] - float(at[1]) + 0.2 * height)


def _annotate(axes: "Axes", entry: Label, right: float, up: float) -> None:
    from matplotlib.patheffects import withStroke

    axes.annotate(
        entry.text,
        (entry.x, entry.y),
        xytext=(right, up),
        textcoords="offset points",
        color=entry.colour,
        fontsize=entry.size,
        fontweight="semibold" if entry.bold else "regular",
        annotation_clip=False,
        path_effects=[withStroke(linewidth=1.6, foreground="white")],
        zorder=6,
    )


Box = tuple[float, float, float, float]


def _in_points(axes: "Axes", data: np.ndarray, to_points: float) -> np.ndarray:
    if not len(data):
        return data
    return np.asarray(axes.transData.transform(data), dtype=float) * to_points


def _box(at: np.ndarray, width: float, height: float, spot: tuple[float, float, int, int]) -> Box:
    shift_x, shift_y, gap_x, gap_y = spot
    x = float(at[0]) + shift_x * width + _GAP * gap_x
    y = float(at[1]) + shift_y * height + _GAP * 0.6 * gap_y
    return x, y, x + width, y + height


def _inside(box: Box, edges: np.ndarray) -> bool:
    return bool(
        box[0] >= edges[0] and box[1] >= edges[1] and box[2] <= edges[2] and box[3] <= edges[3]
    )


def _hits(box: Box, points: np.ndarray, taken: Sequence[Box]) -> bool:
    if len(points):
        inside = (
            (points[:, 0] > box[0] - 1.5)
            & (points[:, 0] < box[2] + 1.5)
            & (points[:, 1] > box[1] - 1.0)
            & (points[:, 1] < box[3] + 1.0)
        )
        if inside.any():
            return True
    return any(
        box[0] < other[2] + 2 and box[2] > other[0] - 2 and box[1] < other[3] and box[3] > other[1]
        for other in taken
    )

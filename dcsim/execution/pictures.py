"""The picture of what a trained network's predictions rest on, from `training.interpret`."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#bbbbbb"


def interpretation_picture(found: Mapping[str, Any]) -> bytes:
    """An SVG of an interpretation: bars, small multiples of bars or of maps, or a curve."""
    import matplotlib

    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "dcsim", "font.size": 8}):
        figure = _DRAWN[found["kind"]](found)
        figure.suptitle(found["about"], fontsize=9)
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _plain(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _bars(found: Mapping[str, Any]) -> Any:
    figure = _figure(6.0, 0.6 + 0.24 * max(len(found["labels"]), 4))
    axes = figure.subplots()
    places = np.arange(len(found["labels"]))[::-1]
    axes.barh(places, found["values"], xerr=found["spread"], color=BLUE, ecolor=GREY)
    axes.set_yticks(places, [_literal(label) for label in found["labels"]])
    axes.set_xlabel(found["unit"])
    _plain(axes)
    return figure


def _groups(found: Mapping[str, Any]) -> Any:
    rows = -(-len(found["titles"]) // 3)
    figure = _figure(7.0, 1.6 * rows + 0.4)
    for axes, title, labels, values in zip(
        _panels(figure, rows, 3), found["titles"], found["labels"], found["values"], strict=False
    ):
        places = np.arange(len(labels))[::-1]
        axes.barh(places, values, color=BLUE)
        axes.set_yticks(places, [_literal(label) for label in labels])
        axes.set_title(_literal(title), fontsize=8)
        _plain(axes)
        axes.set_visible(True)
    figure.supxlabel(found["unit"], fontsize=8)
    return figure


def _maps(found: Mapping[str, Any]) -> Any:
    rows = -(-len(found["titles"]) // 5)
    figure = _figure(7.0, 1.5 * rows + 0.6)
    largest = max(float(np.abs(values).max()) for values in found["values"]) or 1.0
    colours = _blue_to_orange()
    panels = _panels(figure, rows, 5)
    for axes, title, values in zip(panels, found["titles"], found["values"], strict=False):
        image = axes.imshow(values, cmap=colours, vmin=-largest, vmax=largest)
        axes.set_title(_literal(title), fontsize=8)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_visible(True)
    figure.colorbar(image, ax=panels, label=found["unit"], shrink=0.8)
    return figure


def _panels(figure: Any, rows: int, columns: int) -> list[Any]:
    """Empty axes, hidden until something is drawn into them."""
    panels = list(np.reshape(figure.subplots(rows, columns), -1))
    for axes in panels:
        axes.set_visible(False)
    return panels


def _blue_to_orange() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("for-and-against", [ORANGE, "white", BLUE])


def _curve(found: Mapping[str, Any]) -> Any:
    figure = _figure(6.0, 3.0)
    axes = figure.subplots()
    values = found["values"]
    axes.plot(np.arange(1, len(values) + 1), values, "o-", color=BLUE, markersize=3, linewidth=1.0)
    axes.set_xlabel("places back from the prediction")
    axes.set_ylabel(found["unit"])
    axes.set_ylim(bottom=0.0)
    _plain(axes)
    return figure


def _literal(text: str) -> str:
    """Text in which no sign begins mathematics."""
    return text.replace("$", r"\$")


_DRAWN: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "bars": _bars,
    "groups": _groups,
    "maps": _maps,
    "curve": _curve,
}

"""A whole and its parts as one stacked bar with direct labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.report.figures.labels import text_size
from dcsim.report.figures.style import BLACK, GREY, drawing, label, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS_PER_MM = 72 / 25.4
#: Heights in millimetres: the bar itself, the gap below it and one line of labels.
BAR_MM, GAP_MM, LINE_MM = 8.0, 0.8, 3.6


@dataclass(frozen=True, slots=True)
class Segment:
    """A part: its share of the whole, its name (none: no label), its amount, its colour."""

    share: float
    name: str
    amount: str
    colour: str


def stacked_svg(segments: Sequence[Segment], width_mm: float) -> bytes:
    """The figure; segments from left to right, labels below on as many lines as needed."""
    notes = _notes(segments, width_mm)
    used = max((note.line for note in notes if note.text), default=0) + 1
    with drawing(width_mm, BAR_MM + GAP_MM + used * LINE_MM) as figure:
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, width_mm)
        axes.set_ylim(-used * LINE_MM - GAP_MM, BAR_MM)
        for segment, note in zip(segments, notes, strict=True):
            axes.barh(
                BAR_MM / 2,
                note.wide,
                left=note.left,
                height=BAR_MM,
                color=segment.colour,
                edgecolor="white",
                lw=0.5,
            )
            if note.text:
                _write(axes, note)
        axes.axis("off")
        return svg(figure)


@dataclass(frozen=True, slots=True)
class _Note:
    """Where a segment and its label are, in millimetres; `beside` its leader or below it."""

    text: str
    left: float
    wide: float
    line: int
    beside: bool


def _notes(segments: Sequence[Segment], width_mm: float) -> list[_Note]:
    """A place for every label such that no leader crosses a label.

    A label that has room starts under its own segment on the first line. The others end
    at their segment's leader, one line lower each from left to right, so that leaders
    farther right pass beside all labels that are higher up.
    """
    whole = sum(segment.share for segment in segments) or 1.0
    notes = []
    left, taken, line = 0.0, 0.0, 0
    for segment in segments:
        wide = segment.share / whole * width_mm
        text = f"{label(segment.name, 34)} {segment.amount}" if segment.name else ""
        need = _width_mm(text)
        if not text:
            notes.append(_Note("", left, wide, 0, beside=False))
        elif wide >= need + 2.0:
            notes.append(_Note(text, left, wide, 0, beside=False))
            taken = left + need + 3.0
        else:
            # The first line is free for it only where no label reaches that far.
            fits_first = line == 0 and left + wide / 2 - need - 2.0 >= taken
            line = max(line, 0 if fits_first else 1)
            notes.append(_Note(text, left, wide, line, beside=True))
            line += 1
        left += wide
    return notes


def _width_mm(text: str) -> float:
    return text_size(text, 7.2)[0] / POINTS_PER_MM


def _write(axes: "Axes", note: _Note) -> None:
    text = note.text
    y = -GAP_MM - (note.line + 0.5) * LINE_MM
    if not note.beside:
        axes.text(note.left + 0.6, y, text, fontsize=7.2, va="center", ha="left", color=BLACK)
        return
    leader = note.left + note.wide / 2
    room = _width_mm(text) + 1.6
    axes.plot([leader, leader, leader - 1.0], [-0.4, y, y], color=GREY, lw=0.5)
    if leader >= room:
        axes.text(leader - 1.4, y, text, fontsize=7.2, va="center", ha="right", color=BLACK)
    else:
        axes.text(leader + 1.0, y, text, fontsize=7.2, va="center", ha="left", color=BLACK)

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
#: A square of a segment's colour and the space up to its label.
SWATCH_MM = 3.2


@dataclass(frozen=True, slots=True)
class Segment:
    """A part: its share of the whole, its name (none: no label), its amount, its colour."""

    share: float
    name: str
    amount: str
    colour: str


def stacked_svg(segments: Sequence[Segment], width_mm: float) -> bytes:
    """The figure; segments from left to right, labels below on as many lines as needed."""
    notes = notes_for(segments, width_mm)
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
                _write(axes, note, segment.colour)
        axes.axis("off")
        return svg(figure)


@dataclass(frozen=True, slots=True)
class Note:
    """Where a segment and its label are, in millimetres from the left.

    The label's text reaches from `start` to `end` on its `line`. It is tied to its
    segment by a `leader` that ends at its right, by a `swatch` before it, or (with
    neither) by standing right below it.
    """

    text: str
    left: float
    wide: float
    start: float
    end: float
    line: int
    leader: bool = False
    swatch: bool = False

    @property
    def middle(self) -> float:
        """The middle of the segment, where a leader starts."""
        return self.left + self.wide / 2


def notes_for(segments: Sequence[Segment], width_mm: float) -> list[Note]:
    """A place for every label such that no leader crosses a label and no labels touch.

    A label that has room stands below its own segment on the first line. The others end
    at their segment's leader, one line lower each from left to right, so that leaders
    farther right pass beside all labels that are higher up. Where small segments are on
    the left that cannot be; then all labels are listed in order, each with a swatch.
    """
    whole = sum(segment.share for segment in segments) or 1.0
    notes: list[Note] = []
    left, taken, line = 0.0, 0.0, 0
    for segment in segments:
        wide = segment.share / whole * width_mm
        text = f"{label(segment.name, 34)} {segment.amount}" if segment.name else ""
        need = text_size(text, 7.2)[0] / POINTS_PER_MM
        if not text:
            notes.append(Note("", left, wide, left, left, 0))
        elif wide >= need + 2.0:
            notes.append(Note(text, left, wide, left + 0.6, left + 0.6 + need, 0))
            taken = left + need + 3.0
        else:
            end = left + wide / 2 - 1.4
            # The first line is free for it only where no label reaches that far.
            line = max(line, 0 if line == 0 and end - need >= taken else 1)
            notes.append(Note(text, left, wide, end - need, end, line, leader=True))
            line += 1
        left += wide
    return notes if _clear(notes) else _listed(notes, width_mm)


def _clear(notes: Sequence[Note]) -> bool:
    """Whether all labels are within the figure and no leader crosses one."""
    tied = [note for note in notes if note.leader]
    return all(note.start >= 0 for note in tied) and not any(
        other.start < note.middle < other.end
        for note in tied
        for other in notes
        if other.text and other.line < note.line
    )


def _listed(notes: Sequence[Note], width_mm: float) -> list[Note]:
    """The same labels side by side in the order of their segments, with swatches."""
    listed = []
    at, line = 0.0, 0
    for note in notes:
        need = note.end - note.start
        if note.text and at > 0 and at + SWATCH_MM + need > width_mm:
            at, line = 0.0, line + 1
        start = at + SWATCH_MM
        listed.append(Note(note.text, note.left, note.wide, start, start + need, line, swatch=True))
        at = start + need + 4.0 if note.text else at
    return listed


def _write(axes: "Axes", note: Note, colour: str) -> None:
    y = -GAP_MM - (note.line + 0.5) * LINE_MM
    if note.leader:
        elbow = [note.middle, note.middle, note.end + 0.4]
        axes.plot(elbow, [-0.4, y, y], color=GREY, lw=0.5)
    if note.swatch:
        size = 0.55 * LINE_MM
        axes.barh(y, size, left=note.start - SWATCH_MM, height=size, color=colour, lw=0)
    axes.text(note.start, y, note.text, fontsize=7.2, va="center", ha="left", color=BLACK)

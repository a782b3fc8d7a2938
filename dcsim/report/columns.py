"""Text in columns for a terminal: widths as a terminal counts them, nothing wraps."""

import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from dcsim.report.wording import NO_BREAK, bound

ELLIPSIS = "…"


def width_of(text: str) -> int:
    """Cells that `text` takes on a terminal: two for wide characters, none for marks."""
    cells = 0
    for character in text:
        if unicodedata.combining(character):
            continue
        cells += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return cells


def fit(text: str, width: int) -> str:
    """`text`, its end replaced by an ellipsis where it is wider than `width`."""
    if width_of(text) <= width:
        return text
    kept = ""
    for character in text:
        if width_of(kept + character) > width - 1:
            break
        kept += character
    return kept.rstrip() + ELLIPSIS if width > 0 else ""


def pad(text: str, width: int, align: str = "<") -> str:
    """`text` filled with spaces to `width` cells."""
    gap = " " * max(width - width_of(text), 0)
    return gap + text if align == ">" else text + gap


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Lines of at most `width` cells, the first after `first`, the others after `rest`."""
    lines = textwrap.wrap(bound(text), max(width - len(rest), 8), break_on_hyphens=False) or [""]
    lines = [line.replace(NO_BREAK, " ") for line in lines]
    prefixes = [first, *([rest] * (len(lines) - 1))]
    return [fit(prefix + line, width) for prefix, line in zip(prefixes, lines, strict=True)]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a terminal table.

    `least` is the width to which it may be cut when the table is too wide; None keeps
    it whole. `priority` decides what is left out when even that is not enough: columns
    with 0 stay, of the others those with lower numbers are kept first.
    """

    head: str
    cells: Sequence[str]
    align: str = ">"
    least: int | None = None
    priority: int = 0

    @property
    def width(self) -> int:
        """Cells of the widest entry."""
        return max(width_of(cell) for cell in (self.head, *self.cells))


def table(columns: Sequence[Column], width: int, indent: str = " ", gap: int = 2) -> list[str]:
    """Head and rows, no line wider than `width`; empty columns are left out."""
    kept = _that_fit([c for c in columns if any(c.cells)], width, indent, gap)
    widths = _widths(kept, width - len(indent) - gap * (len(kept) - 1))
    lines = []
    for row in range(-1, len(kept[0].cells) if kept else -1):
        cells = [
            pad(fit(c.head if row < 0 else c.cells[row], w), w, c.align)
            for c, w in zip(kept, widths, strict=True)
        ]
        lines.append(fit((indent + (" " * gap).join(cells)).rstrip(), width))
    return lines if any(c.head for c in kept) else lines[1:]


def _that_fit(columns: Sequence[Column], width: int, indent: str, gap: int) -> list[Column]:
    """The columns in their order, those of the lowest priorities that fit together."""
    kept = [c for c in columns if not c.priority]
    for priority in sorted({c.priority for c in columns if c.priority}):
        wider = [c for c in columns if c in kept or c.priority == priority]
        if _least(wider, indent, gap) <= width:
            kept = wider
    return kept


def _least(columns: Sequence[Column], indent: str, gap: int) -> int:
    needed = sum(c.width if c.least is None else min(c.least, c.width) for c in columns)
    return needed + len(indent) + gap * (len(columns) - 1)


def _widths(columns: Sequence[Column], room: int) -> list[int]:
    """Natural widths, the widest elastic column cut first until all fit in `room`."""
    widths = [c.width for c in columns]
    while sum(widths) > room:
        elastic = [i for i, c in enumerate(columns) if c.least is not None and widths[i] > c.least]
        if not elastic:
            break
        widest = max(elastic, key=lambda i: widths[i])
        widths[widest] -= 1
    return widths

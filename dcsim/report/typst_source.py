"""Pieces of typst source, safe for any text: what users wrote never becomes markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dcsim.report.wording import bound, plain_text

#: Where a long word may be broken, and after how many characters it must be breakable.
_BREAK_AFTER = frozenset("/_-.:=&?,;+@")
_LONGEST_RUN = 22
_ZERO_WIDTH = "\u200b"

#: A table of at most so many rows is not broken over pages.
TOGETHER = 12


@dataclass(frozen=True)
class Block:
    """Source of one part of the document and the figures (SVG by name) that it shows."""

    source: str
    figures: Mapping[str, bytes] = field(default_factory=dict)


def string(text: object) -> str:
    """A typst string literal that holds exactly `text` on one line."""
    return _literal(plain_text(text))


def _literal(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def quoted(text: object) -> str:
    """A string literal for text that is read: `text` with its numbers tied to their units."""
    return _literal(bound(plain_text(text)))


def words(text: object) -> str:
    """Markup that shows `text` verbatim, numbers tied to their units."""
    return f"#{quoted(text)}"


def breakable(text: object) -> str:
    """Markup that shows `text` verbatim and may break inside long words (in narrow cells)."""
    out, run = [], 0
    for character in plain_text(text):
        out.append(character)
        run = 0 if character.isspace() else run + 1
        if run >= _LONGEST_RUN or (character in _BREAK_AFTER and run > 5):
            out.append(_ZERO_WIDTH)
            run = 0
    return f"#{_literal(bound(''.join(out)))}"


def content(markup: str) -> str:
    """A content block."""
    return f"[{markup}]"


def heading(text: str, level: int = 1) -> str:
    """A heading line."""
    return f"{'=' * level} {words(text)}\n"


def paragraph(text: str) -> str:
    """A paragraph of plain words."""
    return f"{words(text)}\n\n"


@dataclass(frozen=True)
class Column:
    """A column of a printed table; `width` is a typst track size (`auto`, `1fr`, `20mm`).

    `cells` are plain texts. Numbers are right-aligned, texts left; a `loose` column may
    break inside words.
    """

    head: str
    cells: Sequence[str]
    align: str = "right"
    width: str = "auto"
    loose: bool = False


def table(columns: Sequence[Column], emphasised: Sequence[int] = ()) -> str:
    """A table with its head repeated on every page; empty columns are left out."""
    kept = [column for column in columns if any(column.cells)]
    if not kept:
        return ""
    rows = len(kept[0].cells)
    heads = ", ".join(content(words(column.head)) for column in kept)
    cells = []
    for row in range(rows):
        for column in kept:
            show = breakable if column.loose else words
            cells.append(content(show(column.cells[row])) if column.cells[row] else "[]")
    return (
        "#data-table(\n"
        f"  columns: ({', '.join(column.width for column in kept)},),\n"
        f"  align: ({', '.join(column.align for column in kept)},),\n"
        f"  head: ({heads},),\n"
        f"  together: {'true' if rows <= TOGETHER else 'false'},\n"
        f"  emphasised: ({''.join(f'{row}, ' for row in emphasised)}),\n"
        f"  {', '.join(cells)},\n"
        ")\n"
    )


def panel(name: str, width_mm: float, message: str, note: str = "") -> str:
    """A figure under the sentence that says what it shows; the sentence is its alt text."""
    extra = f", note: {quoted(note)}" if note else ""
    return f"#panel({string(f'{name}.svg')}, {width_mm}mm, {quoted(message)}{extra})\n"


def side_by_side(widths: Sequence[str], *cells: str) -> str:
    """Cells next to each other, top-aligned."""
    inner = ", ".join(content(cell) for cell in cells)
    return f"#side-by-side(({', '.join(widths)},), {inner})\n"

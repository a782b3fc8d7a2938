"""A number as a tree on a terminal, in at most `width` columns."""

from collections.abc import Iterable, Iterator, Mapping

from dcsim.records import Explanation
from dcsim.report.columns import fit, pad, width_of, wrapped
from dcsim.report.wording import percent, plain_text, quantity

#: Summands below this share of their parent are told together.
SMALLEST_SHARE = 0.0005
_BRANCH, _LAST, _DOWN, _GAP = "├ ", "└ ", "│ ", "  "


def explanation_text(found: Explanation, width: int = 80) -> str:
    """The tree, then its sources by number, without a final newline."""
    sources: dict[str, int] = {}
    rows = list(_rows(found, sources, "", ""))
    values = max(width_of(value) for _, value, _, _ in rows)
    shares = max(width_of(share) for _, _, share, _ in rows)
    notes = max(width_of(note) for _, _, _, note in rows)
    room = max(width - values - shares - notes - 7, 12)
    names = min(max(width_of(name) for name, _, _, _ in rows), room)
    lines = []
    for name, value, share, note in rows:
        cells = f" {pad(fit(name, names), names)}  {pad(value, values, '>')}"
        lines.append(fit(f"{cells}  {pad(share, shares, '>')}  {note}".rstrip(), width))
    lines += ["", *_formulas(found, width)]
    for text, number in sources.items():
        mark = f" [{number}] "
        lines += wrapped(plain_text(text), width, first=mark, rest=" " * len(mark))
    return "\n".join(lines).rstrip()


def metric_list(names: Iterable[str], values: Mapping[str, str], width: int = 80) -> str:
    """What can be explained, one a line, each with its value where it is a figure."""
    known = list(names)
    room = max(map(len, known), default=0)
    lines = [fit(f" {name:<{room}}  {values.get(name, '')}".rstrip(), width) for name in known]
    return "\n".join(lines)


def _rows(
    node: Explanation, sources: dict[str, int], head: str, below: str
) -> Iterator[tuple[str, str, str, str]]:
    """(name, value, share, source number) of a node and of everything below it."""
    note = f"[{sources.setdefault(node.source, len(sources) + 1)}]" if node.source else ""
    share = percent(node.share) if node.share is not None else ""
    yield head + plain_text(node.name), quantity(node.value, node.unit), share, note
    shown = [c for c in node.inputs if c.share is None or abs(c.share) >= SMALLEST_SHARE]
    hidden = [c for c in node.inputs if c not in shown and c.value]
    for i, child in enumerate(shown):
        last = i == len(shown) - 1 and not hidden
        under = below + (_GAP if last else _DOWN)
        yield from _rows(child, sources, below + (_LAST if last else _BRANCH), under)
    if hidden:
        value, share = (sum(getattr(c, key) for c in hidden) for key in ("value", "share"))
        name = f"{below}{_LAST}{len(hidden)} smaller"
        yield name, quantity(value, hidden[0].unit), percent(share), ""


def _formulas(node: Explanation, width: int) -> list[str]:
    """Every formula once, in the order of the tree."""
    found: dict[str, str] = {}

    def collect(here: Explanation) -> None:
        if here.formula and here.formula not in found.values():
            found.setdefault(here.name, here.formula)
        for child in here.inputs:
            if child.share is None or abs(child.share) >= SMALLEST_SHARE:
                collect(child)

    collect(node)
    lines = []
    for name, formula in found.items():
        text = plain_text(f"{name} = {formula}")
        lines += wrapped(text, width, first=" ", rest="     ")
    return [*lines, ""] if lines else []

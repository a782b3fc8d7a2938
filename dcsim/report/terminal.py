"""The answer on a terminal: first what to do, then why, in at most `width` columns."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from dcsim.report.columns import Column, fit, table, width_of, wrapped
from dcsim.report.view import Results, View, view_of
from dcsim.report.wording import (
    objective_label,
    plain_text,
    quantity,
    scale_for,
    sureness,
)

NARROWEST, WIDEST = 40, 160
#: Width from which more columns are shown.
ROOMY = 110

#: Indent under the first word of a block (`Recommended`, `Result`).
BLOCK = " " * 15

_GREEN, _RED, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"


def terminal_summary(
    results: Results,
    width: int = 80,
    *,
    directory: str | Path | None = None,
    colour: bool = False,
) -> str:
    """The summary of a plan or a run, ready to print, without a final newline.

    `results` is a result in memory or the directory of a stored one; `directory` is named
    as the place of the report (default: the directory that was read). No line is longer
    than `width` (taken as at least 40). Raises InputError when a directory holds no
    results.
    """
    from dcsim.report.terminal_plan import plan_lines
    from dcsim.report.terminal_run import run_lines

    view = view_of(results)
    if directory is None and isinstance(results, str | Path):
        directory = results
    width = min(max(width, NARROWEST), WIDEST)
    body = plan_lines(view, width) if view.kind == "plan" else run_lines(view, width)
    lines = [header(view, width), "", *body, "", *footer(view, directory, width)]
    text = "\n".join(line.rstrip() for line in lines).rstrip()
    return _coloured(text) if colour else text


def colour_wanted(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that colour may go to (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def header(view: View, width: int) -> str:
    """Title on the left; seed and version, which decide the figures, on the right."""
    seed = view.summary.get("seed")
    version = view.summary.get("version")
    right = ", ".join(
        part
        for part in (
            f"seed {seed}" if seed is not None else "",
            f"dcsim {version}" if version else "",
        )
        if part
    )
    left = fit(plain_text(view.title), width - width_of(right) - 4)
    return f" {left}{right:>{width - width_of(left) - 1}}"


def footer(view: View, directory: str | Path | None, width: int) -> list[str]:
    """Where the report is and how to get the same again."""
    lines = []
    if directory is not None:
        lines += _pointer("Report", f"{Path(directory).as_posix()}/report.pdf", width)
    if view.command:
        lines += _pointer("Again", view.command, width)
    return lines


def _pointer(label: str, text: str, width: int) -> list[str]:
    """A path or command that can be copied: continued as a shell would read it."""
    words = plain_text(text).split(" ")
    lines = [f" {label:<8} {words[0]}"]
    for word in words[1:]:
        if width_of(lines[-1]) + width_of(word) + 3 <= width:
            lines[-1] += f" {word}"
        else:
            lines[-1] += " \\"
            lines.append(f"{' ' * 12}{word}")
    return lines


def objective_lines(objectives: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """One line an objective: mark, what is asked, what is expected and how surely."""
    marks, asked, values, ranges, sure = [], [], [], [], []
    for objective in objectives:
        unit = str(objective.get("unit") or "")
        value, low, high = (objective.get(key) for key in ("value", "low", "high"))
        scale = scale_for(unit, [value])
        marks.append("✓" if objective.get("met") else "✗")
        asked.append(objective_label(objective))
        values.append(quantity(value, unit))
        known = None in (low, high) or low == high
        ranges.append("" if known else f"({scale.range(low, high)})")
        sure.append(_sure(objective))
    columns = [
        Column("", [f"{m} {a}" for m, a in zip(marks, asked, strict=True)], "<", least=24),
        Column("", values, "<"),
        Column("", ranges, "<", priority=2),
        Column("", sure, priority=1),
    ]
    return table(columns, width, indent=BLOCK)


def _sure(objective: Mapping[str, Any]) -> str:
    """How surely, and what was asked where that is missed."""
    text = sureness(objective.get("confidence"))
    asked = objective.get("confidence_asked")
    if objective.get("met") or asked is None or not text:
        return text
    return f"{text}, not {100 * asked:.0f}"


def block(label: str, text: str, width: int) -> list[str]:
    """`text` beside a label of the left margin, continued under itself."""
    return wrapped(text, width, first=f" {label:<{len(BLOCK) - 1}}", rest=BLOCK)


def _coloured(text: str) -> str:
    return text.replace("✓", f"{_GREEN}✓{_PLAIN}").replace("✗", f"{_RED}✗{_PLAIN}")

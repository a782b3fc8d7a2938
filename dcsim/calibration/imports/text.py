"""Reading the text of a log, with one sentence for what is wrong with it."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dcsim.records.errors import Fault, InputError


def fault(path: Path, message: str) -> InputError:
    """The error that names a file."""
    return InputError(Fault(message, str(path)))


def read_text(path: Path) -> str:
    """The content of a file; InputError when there is none to read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise fault(path, f"cannot be read ({reason}); give the tool's own output") from error


def read_json(path: Path, tool: str) -> Mapping[str, Any]:
    """The JSON object in a file, whatever lines stand before it."""
    text = read_text(path)
    try:
        document = json.loads(text[text.index("{") :])
    except ValueError as error:
        raise fault(path, f"is not the JSON that {tool} writes") from error
    if not isinstance(document, dict):
        raise fault(path, f"is not the JSON object that {tool} writes")
    return document


def read_table(path: Path, columns: Sequence[str]) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Rows of a CSV with at least `columns`, and `# key: value` lines above it."""
    lines = read_text(path).splitlines()
    heads = [line for line in lines if line.startswith("#")]
    pairs = (line.lstrip("# ").partition(":") for line in heads)
    notes = {key.strip().lower(): value.strip() for key, _, value in pairs}
    rows = list(csv.DictReader(line for line in lines if line and not line.startswith("#")))
    missing = [name for name in columns if not rows or rows[0].get(name) is None]
    if missing:
        raise fault(path, f"has no rows with a column {missing[0]}; it needs {', '.join(columns)}")
    return rows, notes


def number(path: Path, row: Mapping[str, Any], name: str, tool: str) -> float:
    """A finite number of a row or document, at least 0."""
    value = row.get(name)
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = -1.0
    if not 0.0 <= found < float("inf"):
        raise fault(path, f'{name} is "{value}"; {tool} writes a number there')
    return found

"""Reading what `dcsim sweep` varies: `KEY=V1,V2` on the command line, or a CSV file."""

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dcsim.planner.sweep import grid
from dcsim.records import Fault, InputError
from dcsim.scenario.yaml_text import read_document


def combinations(vary: Sequence[str], listed: Path | None) -> list[dict[str, Any]]:
    """Every set of changes: each row of the list with each point of the grid."""
    axes: dict[str, list[Any]] = {}
    for text in vary:
        key, values = _axis(text)
        if key in axes:
            raise InputError(f'--vary names "{key}" twice; put all its values in one')
        axes[key] = values
    rows = [{}] if listed is None else _rows(listed)
    for key in axes:
        if any(key in row for row in rows):
            raise InputError(f'"{key}" is a column of {listed} and given by --vary; choose one')
    if not axes and listed is None:
        return []
    return [row | changes for row, changes in itertools.product(rows, grid(axes))]


def _axis(text: str) -> tuple[str, list[Any]]:
    key, equals, values = text.partition("=")
    key = key.strip()
    if not equals or not key or not values.strip():
        raise InputError(f'--vary "{text}" is not KEY=V1,V2, such as site.region=sweden,us-ohio')
    found = _values(values, f'--vary "{text}"')
    return key, [value for i, value in enumerate(found) if value not in found[:i]]


def _values(text: str, what: str) -> list[Any]:
    """Values as a scenario would read them: `8, 16` are numbers, `10 min` is text."""
    try:
        document = read_document(f"values: [{text}]".encode(), what)
    except InputError:
        raise InputError(f"{what}: the values cannot be read; put odd ones in quotes") from None
    values = document.value.get("values")
    if document.faults or not isinstance(values, list):
        raise InputError(f"{what}: the values cannot be read; put odd ones in quotes")
    return values


def _rows(path: Path) -> list[dict[str, Any]]:
    """The changes in a CSV file: a key in the head of each column, empty means unchanged."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            lines = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(Fault(f"cannot be read: {reason}", str(path))) from None
    head = [name.strip() for name in lines[0]] if lines else []
    if not head or not all(head) or len(set(head)) != len(head):
        message = "must begin with a line of keys, each once, such as site.region,money.terms"
        raise InputError(Fault(message, str(path), line=1))
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in line):
            continue
        if len(line) != len(head):
            message = f"has {len(line)} values for {len(head)} keys"
            raise InputError(Fault(message, str(path), line=number))
        rows.append(_changes(head, line, f"{path}:{number}"))
    return rows


def _changes(head: Sequence[str], line: Sequence[str], place: str) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for key, cell in zip(head, line, strict=True):
        if not cell.strip():
            continue
        values = _values(cell, f"{place} {key}")
        if len(values) != 1:
            raise InputError(f"{place} {key}: {cell!r} is more than one value")
        changes[key] = values[0]
    return changes

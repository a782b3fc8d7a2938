"""A user's own table: `.npy` or `.csv`, one sample a row, the class in the last column."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from dcsim.records import Fault, InputError
from dcsim.training.base import Array

LEAST_ROWS_A_CLASS = 5


def read_table(path: Path) -> tuple[Array, Array]:
    """Features (n, d) and class values (n,) from a table; raises InputError naming the place.

    A CSV may begin with a header line, separated by comma, semicolon or tab. Refused are a
    missing or empty file, text or gaps among the numbers, fewer than two columns, a single
    class, and a class with fewer than five rows.
    """
    if not path.is_file():
        raise InputError(Fault(f"there is no file {path}; --data takes a .npy or .csv table"))
    readers = {".npy": _read_npy, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise InputError(Fault("a table is a .npy or a .csv file", str(path)))
    try:
        table = readers[path.suffix.lower()](path)
    except OSError as error:
        raise InputError(Fault(f"cannot be read: {error.strerror}", str(path))) from None
    if table.shape[1] < 2:
        raise InputError(
            Fault("needs at least two columns: features first, the class last", str(path))
        )
    _check_classes(path, table[:, -1])
    return table[:, :-1], table[:, -1]


def _check_classes(path: Path, classes: Array) -> None:
    values, counts = np.unique(classes, return_counts=True)
    if len(values) < 2:
        raise InputError(
            Fault(
                f"every row has the class {values[0]:g} in its last column; "
                "a classifier needs at least two classes",
                str(path),
            )
        )
    if counts.min() < LEAST_ROWS_A_CLASS:
        rare = values[np.argmin(counts)]
        raise InputError(
            Fault(
                f"class {rare:g} of the last column has {counts.min()} of {len(classes)} rows; "
                f"a class needs at least {LEAST_ROWS_A_CLASS}",
                str(path),
            )
        )


def _read_npy(path: Path) -> Array:
    try:
        table = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        raise InputError(
            Fault("is not a .npy file of numbers as numpy.save writes it", str(path))
        ) from None
    if not isinstance(table, np.ndarray) or table.dtype.kind not in "biuf":
        raise InputError(Fault("holds something other than numbers", str(path)))
    if table.ndim != 2 or not table.size:
        raise InputError(Fault(f"has shape {table.shape}; a table has rows and columns", str(path)))
    table = table.astype(np.float64)
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            Fault(
                f"row {row + 1}, column {column + 1} is {table[row, column]}; "
                "every value must be a finite number",
                str(path),
            )
        )
    return table


def _read_csv(path: Path) -> Array:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(Fault("is not text in UTF-8", str(path))) from None
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    rows: list[list[float]] = []
    reader = csv.reader(text.splitlines(), delimiter=separator)
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if not rows and reader.line_num == 1 and _is_header(cells):
            continue
        if rows and len(cells) != len(rows[0]):
            raise InputError(
                Fault(
                    f"has {len(cells)} values where the rows above have {len(rows[0])}",
                    str(path),
                    reader.line_num,
                )
            )
        rows.append(_numbers(path, reader.line_num, cells))
    if not rows:
        raise InputError(Fault("has no rows", str(path)))
    return np.array(rows)


def _is_header(cells: list[str]) -> bool:
    """Whether the first line names columns: none of its cells is a number."""
    return all(_number(cell) is None for cell in cells)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _numbers(path: Path, line: int, cells: list[str]) -> list[float]:
    """One row's values; the fault's column counts cells from 1."""
    values = []
    for column, cell in enumerate(cells, start=1):
        value = _number(cell)
        if value is None or not np.isfinite(value):
            shown = f'"{cell.strip()[:40]}"' if cell.strip() else "an empty cell"
            raise InputError(
                Fault(f"{shown} in column {column} is not a finite number", str(path), line)
            )
        values.append(value)
    return values

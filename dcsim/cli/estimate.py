"""`dcsim estimate`: predict every row of a table."""

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from dcsim.records.errors import Fault, InputError


class Kind(StrEnum):
    """What the rows of the table are."""

    training = "training"
    collectives = "collectives"
    storage = "storage"


def command(
    kind: Kind = typer.Argument(..., help="What the rows are."),
    rows: Path = typer.Argument(..., help="The table, as CSV.", metavar="ROWS.csv"),
    out: Path | None = typer.Option(None, "--out", help="Write the predictions to this CSV file."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
    profile: Path | None = typer.Option(None, "--profile", help="A profile of `calibrate`."),
) -> None:
    """Predict every row of a table; where a measured column is present, print the errors."""
    table = read_table(rows)
    if kind is Kind.storage:
        columns, predicted, errors = _storage(table)
    elif kind is Kind.collectives:
        columns, predicted, errors = _collectives(table)
    else:
        columns, predicted, errors = _training(table, profile)
    if out is not None:
        _write(out, _csv(predicted, columns))
    if as_json:
        document = {"rows": list(predicted), "errors": errors}
        typer.echo(json.dumps(document, indent=1, allow_nan=False))
        return
    if out is None:
        sys.stdout.write(_csv(predicted, columns))
    if errors:
        typer.echo(_error_table(errors), err=out is None)


Estimated = tuple[Sequence[str], Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]]


def _training(table: Sequence[dict[str, str]], profile: Path | None) -> Estimated:
    from dcsim.cost.row_estimates import COLUMNS, errors_by_block, estimate_rows

    estimates = estimate_rows(table, _fit(profile))
    errors = errors_by_block(estimates, [_measured(row, "iteration_s") for row in table])
    return COLUMNS, list(estimates.rows), errors


def _collectives(table: Sequence[dict[str, str]]) -> Estimated:
    from dcsim.cost.collective_rows import COLUMNS, collective_errors, estimate_collective_rows

    predicted = estimate_collective_rows(table)
    return COLUMNS, predicted, collective_errors(table, predicted)


def _storage(table: Sequence[dict[str, str]]) -> Estimated:
    from dcsim.cost.storage_rows import COLUMNS, estimate_storage_rows

    return COLUMNS, estimate_storage_rows(table), ()


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file as dictionaries; InputError when it is none or has no rows."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or "not a file"
        raise InputError(Fault(f"cannot read the table ({reason})", str(path))) from error
    except UnicodeDecodeError as error:
        raise InputError(Fault("the table is not UTF-8 text; save it as CSV", str(path))) from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        rows = [dict(row) for row in reader]
    except csv.Error as error:
        message = f"the table is not CSV ({error})"
        raise InputError(Fault(message, str(path), reader.line_num)) from error
    if not reader.fieldnames:
        raise InputError(Fault("the table is empty; it needs a header and rows", str(path)))
    for number, row in enumerate(rows, start=2):
        if None in row:
            message = f"the row has more fields than the header's {len(reader.fieldnames)}"
            raise InputError(Fault(message, str(path), number))
    return rows


def _fit(profile: Path | None) -> Any:
    from dcsim.cost.parameters import shipped_fit

    if profile is None:
        return shipped_fit()
    from dcsim.calibration import load_profile

    fit = load_profile(profile).training
    return fit if fit.parameters else shipped_fit()


def _measured(row: Mapping[str, str], column: str) -> float | None:
    try:
        value = float(row.get(column) or "nan")
    except ValueError:
        return None
    return value if 0.0 < value < float("inf") else None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"cannot write the predictions ({error.strerror}); give a path in a folder"
        raise InputError(Fault(message, str(path))) from error


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """CSV text; numbers as the shortest text that reads back exactly."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_field(row[name]) for name in columns] for row in rows)
    return buffer.getvalue()


def _error_table(errors: Sequence[Mapping[str, Any]]) -> str:
    def percent(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.1f} %"

    heads = " ".join(f"{head:>8s}" for head in ("missing", "median", "p90", "bias", "cover"))
    lines = [f"{'block':36s} {'n':>5s} {heads}"]
    for e in errors:
        figures = [percent(e[name]) for name in ("median", "p90", "bias", "coverage90")]
        cells = " ".join(f"{cell:>8s}" for cell in figures)
        lines.append(f"{e['block']:36s} {e['n']:5d} {e['n_missing']:8d} {cells}")
    return "\n".join(lines)

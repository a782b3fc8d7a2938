"""Frames to Parquet files and back, through duckdb, the same bytes every time."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.records import InputError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_ROW = "dcsim_row"


def write_tables(tables: Mapping[str, "pd.DataFrame"], paths: Mapping[str, Path]) -> None:
    """Write each frame of `tables` to its path in `paths`, rows in the frame's order.

    Columns are typed by their content (BOOLEAN, BIGINT, DOUBLE or VARCHAR; missing values
    are NULL), not by pandas, so that pandas versions do not change the file. One thread and
    an explicit row number keep the order, and with it the bytes. A frame without columns
    cannot be held by the format and raises ValueError.
    """
    connection = _connect()
    try:
        for name, frame in tables.items():
            if not len(frame.columns):
                raise ValueError(f"table {name!r} has no columns")
            _write(connection, frame, paths[name])
    finally:
        connection.close()


def read_tables(paths: Mapping[str, Path]) -> dict[str, "pd.DataFrame"]:
    """The frames that `write_tables` wrote, by name; InputError names a damaged file."""
    import duckdb

    connection = _connect()
    try:
        frames = {}
        for name, path in paths.items():
            try:
                frames[name] = connection.execute(
                    "SELECT * EXCLUDE (file_row_number) "
                    "FROM read_parquet(?, file_row_number = true) ORDER BY file_row_number",
                    [_no_glob(path)],
                ).df()
            except duckdb.Error:
                raise InputError(f"{path} is no readable Parquet file") from None
        return frames
    finally:
        connection.close()


def _connect() -> "duckdb.DuckDBPyConnection":
    import duckdb

    return duckdb.connect(config={"threads": 1})


def _write(connection: "duckdb.DuckDBPyConnection", frame: "pd.DataFrame", path: Path) -> None:
    import pandas as pd

    columns = {str(name): _typed(frame.iloc[:, i]) for i, name in enumerate(frame.columns)}
    plain = pd.DataFrame({name: values for name, (values, _) in columns.items()})
    plain[_ROW] = np.arange(len(frame), dtype=np.int64)
    chosen = ", ".join(
        f"CAST({_identifier(name)} AS {kind}) AS {_identifier(name)}"
        for name, (_, kind) in columns.items()
    )
    connection.register("source", plain)
    try:
        target = str(path).replace("'", "''")
        connection.execute(
            f"COPY (SELECT {chosen} FROM source ORDER BY {_ROW}) "
            f"TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
        )
    finally:
        connection.unregister("source")


#: SQL type of a column and the pandas type that carries its missing values to duckdb.
_CARRIERS: Mapping[str, Any] = {
    "BOOLEAN": "boolean",
    "BIGINT": "Int64",
    "DOUBLE": "Float64",
    "VARCHAR": object,
}


def _typed(column: "pd.Series") -> tuple["pd.Series", str]:
    """The column in a form duckdb takes as it is, and its SQL type."""
    import pandas as pd

    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        return column.astype(np.float64).reset_index(drop=True), "DOUBLE"
    values = [None if _missing(value) else value for value in column]
    kind = _sql_type([value for value in values if value is not None])
    if kind == "VARCHAR":
        values = [None if value is None else str(value) for value in values]
    return pd.Series(values, dtype=_CARRIERS[kind]), kind


def _sql_type(present: list[Any]) -> str:
    """The narrowest type that holds all values; text where they have none in common."""
    if not present:
        return "VARCHAR"
    truths = [isinstance(value, bool | np.bool_) for value in present]
    if any(truths):
        return "BOOLEAN" if all(truths) else "VARCHAR"
    if all(isinstance(value, int | np.integer) for value in present):
        return "BIGINT"
    if all(isinstance(value, int | float | np.integer | np.floating) for value in present):
        return "DOUBLE"
    return "VARCHAR"


def _missing(value: Any) -> bool:
    import pandas as pd

    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _no_glob(path: Path) -> str:
    """The path with the characters that duckdb would expand taken literally."""
    return "".join(f"[{c}]" if c in "[*?" else c for c in str(path))

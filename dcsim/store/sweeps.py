"""A sweep's directory: one file a finished point, and the table of all when it is complete.

Points are written whole under another name and then moved into place, so that a kill at
any time leaves only finished ones.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcsim.records import Fault, InputError
from dcsim.store.canonical import canonical_json
from dcsim.store.layout import MANIFEST
from dcsim.store.reading import read_document

if TYPE_CHECKING:
    import pandas as pd

POINTS = "points"
DOCUMENT = "sweep.json"
TABLE = "sweep"
FIGURE = "sweep.svg"


def open_sweep(directory: str | Path) -> Path:
    """The directory, made where needed; InputError when it holds a plan or a run."""
    directory = Path(directory)
    if (directory / MANIFEST).exists():
        raise InputError(
            Fault("holds the results of a plan or a run; name another one", str(directory))
        )
    try:
        (directory / POINTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(Fault(f"cannot be written: {error.strerror}", str(directory))) from None
    return directory


def write_point(directory: Path, key: str, document: Mapping[str, Any]) -> None:
    """Keep the finished point of that hash."""
    _replace(directory / POINTS / f"{key}.json", canonical_json(document).encode())


def read_point(directory: Path, key: str) -> dict[str, Any] | None:
    """The finished point of that hash; None when there is none, or none that can be read."""
    path = directory / POINTS / f"{key}.json"
    if not path.is_file():
        return None
    try:
        document = read_document(path)
    except InputError:
        return None
    return document if document.get("key") == key else None


def write_sweep(
    directory: Path, document: Mapping[str, Any], table: "pd.DataFrame", figure: bytes | None
) -> None:
    """The document, the table (Parquet and CSV) and the figure of a finished sweep."""
    from dcsim.store.parquet import write_tables

    partial = directory / f".{TABLE}.{secrets.token_hex(6)}"
    try:
        write_tables({TABLE: table}, {TABLE: partial})
        os.replace(partial, directory / f"{TABLE}.parquet")
    finally:
        partial.unlink(missing_ok=True)
    _replace(directory / f"{TABLE}.csv", table.to_csv(index=False, lineterminator="\n").encode())
    _replace(directory / DOCUMENT, canonical_json(document).encode())
    if figure is not None:
        _replace(directory / FIGURE, figure)


def sweep_table(keys: Sequence[str], points: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """One row a point: its changes, status, configuration, objectives met, and the metrics.

    Every metric has a column of its own name and two for its bounds, in base units, empty
    where the point has none.
    """
    import pandas as pd

    names = list(dict.fromkeys(name for point in points for name in point["metrics"]))
    plain = {key: _is_plain([p["changes"].get(key) for p in points]) for key in keys}
    rows = []
    for number, point in enumerate(points):
        row: dict[str, Any] = {"point": number}
        row |= {key: _cell(point["changes"].get(key), plain[key]) for key in keys}
        row |= {"status": point["status"], "reason": point["reason"], "seed": point["seed"]}
        row |= {f"configuration.{k}": v for k, v in point["configuration"].items()}
        row["objectives_met"] = sum(bool(o["met"]) for o in point["objectives"])
        row["objectives"] = len(point["objectives"])
        for name in names:
            figure = point["metrics"].get(name) or {}
            row |= {name: figure.get("value"), f"{name}.low": figure.get("low")}
            row[f"{name}.high"] = figure.get("high")
        rows.append(row)
    return pd.DataFrame(rows)


def _is_plain(values: Sequence[Any]) -> bool:
    """Whether one column type holds the values as they are."""
    kinds = {type(value) for value in values if value is not None}
    return kinds in ({bool}, {str}) or (bool(kinds) and kinds <= {int, float})


def _cell(value: Any, plain: bool) -> Any:
    return value if plain or value is None else str(value)


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        raise InputError(Fault(f"cannot be written: {error.strerror}", str(path))) from None
    finally:
        partial.unlink(missing_ok=True)

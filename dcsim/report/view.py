"""Stored results as the report sees them: a summary and tables that may be absent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcsim.records import Result
from dcsim.store import Stored, read

if TYPE_CHECKING:
    import pandas as pd

#: What the terminal and the PDF can be made from.
Results = Result | Stored | str | Path


@dataclass(frozen=True)
class View:
    """What terminal and PDF read; nothing in here depends on the machine or the clock.

    `hashes` maps the names of stored files to their SHA-256, `input_hashes` those of the
    input files, `versions` packages to versions; all three are empty for a result that
    is not stored.
    """

    kind: str
    summary: Mapping[str, Any]
    tables: Mapping[str, "pd.DataFrame"]
    command: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)
    input_hashes: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def table(self, name: str) -> "pd.DataFrame":
        """The table of that name; an empty frame when the result has none."""
        import pandas as pd

        frame = self.tables.get(name)
        return pd.DataFrame() if frame is None else frame

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The table's rows as dictionaries, missing values as None."""
        frame = self.table(name)
        columns = {str(c): [_value(v) for v in frame[c].tolist()] for c in frame.columns}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    @property
    def scenario(self) -> str:
        """The scenario's name."""
        return str(self.summary.get("scenario") or "scenario")

    @property
    def title(self) -> str:
        """What the scenario calls itself, else its name."""
        return str(self.summary.get("title") or self.scenario)

    @property
    def recommended(self) -> dict[str, Any] | None:
        """The row of `candidates` that is recommended; None where there is none."""
        return next((r for r in self.rows("candidates") if r.get("status") == "recommended"), None)

    @property
    def nearest_miss(self) -> dict[str, Any] | None:
        """The candidate that comes closest where none is feasible; None otherwise."""
        near = (self.summary.get("nearest_miss") or {}).get("id")
        return next((r for r in self.rows("candidates") if near and r.get("id") == near), None)

    @property
    def subject(self) -> dict[str, Any] | None:
        """The candidate that the run tables are about: recommended, else nearest miss."""
        return self.recommended or self.nearest_miss

    @property
    def subject_id(self) -> str | None:
        """The id of that candidate."""
        return None if self.subject is None else str(self.subject["id"])

    @property
    def step_parts(self) -> list[dict[str, Any]]:
        """Rows of `breakdown` of that candidate; all of them where a run has only one."""
        rows = self.rows("breakdown")
        own = (self.subject or self.summary.get("configuration") or {}).get("id")
        return [row for row in rows if own is None or row.get("candidate") in (None, own)]


def view_of(results: Results) -> View:
    """A view of a result in memory, or of the directory that holds one.

    Raises InputError when the directory holds no results.
    """
    if isinstance(results, str | Path):
        results = read(results)
    if isinstance(results, Result):
        return View(results.kind, results.summary, results.tables, results.command)
    manifest = results.manifest
    return View(
        kind=results.kind,
        summary=results.summary,
        tables=results.tables,
        command=results.command,
        hashes={
            name: entry["sha256"]
            for name, entry in manifest["files"].items()
            if not name.endswith(".pdf")
        },
        input_hashes={name: entry["sha256"] for name, entry in manifest.get("inputs", {}).items()},
        versions=manifest.get("versions", {}),
    )


def _value(value: Any) -> Any:
    import pandas as pd

    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    return value

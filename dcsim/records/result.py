"""What a plan or a run leaves behind, before it is written to a directory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Result:
    """A summary document and the tables behind it.

    `summary` is the JSON document of the command (`plan` or `run`); `tables` maps a
    table name to a frame, each written as one Parquet file; `inputs` maps the name of
    an input file to its bytes, kept by hash; `kind` is `plan` or `run`. `audit` is the
    log of who read and wrote what (see `protection.audit`), empty where none was kept.
    """

    kind: str
    summary: Mapping[str, Any]
    tables: Mapping[str, "pd.DataFrame"]
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    command: str = ""
    audit: bytes = b""

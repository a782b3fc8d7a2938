"""Reading the catalogue's own CSV and YAML files, and the sources inside them."""

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from dcsim.records import Source
from dcsim.units import parse


@cache
def read_csv(name: str) -> tuple[Mapping[str, str], ...]:
    """The rows of `data/NAME` as mappings from column to text."""
    text = files("dcsim.catalogue").joinpath("data", name).read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def read_yaml(name: str) -> Any:
    """The document in `data/NAME`."""
    import yaml

    text = files("dcsim.catalogue").joinpath("data", name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def status_of(provenance: str) -> str:
    """The `status` of a Source for the `provenance` column of a published table.

    Pages, repositories and papers were read and count as `sourced`; what says anywhere
    that it is from memory or assumed keeps saying so.
    """
    for status in ("from-memory", "assumption"):
        if status in provenance:
            return status
    return "mixed" if provenance == "mixed" else "sourced"


def source_of(entry: Mapping[str, Any]) -> Source:
    """A Source from the keys `text` (or `source`), `status`, `date`, `from_memory`, `note`."""
    return Source(
        text=str(entry.get("text", entry.get("source", ""))).strip(),
        status=str(entry["status"]),
        date=str(entry.get("date", "")),
        from_memory=tuple(entry.get("from_memory", ())),
        note=str(entry.get("note", "")),
    )


def quantity(entry: Mapping[str, Any], key: str, dimension: str) -> float:
    """`entry[key]` in the base unit of `dimension`; 0 when the key is absent."""
    return parse(entry[key], dimension) if key in entry else 0.0

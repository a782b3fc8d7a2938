"""A results directory: manifest, summary and Parquet tables, written whole and checkable."""

from dcsim.store.canonical import canonical_json
from dcsim.store.reading import Stored, read
from dcsim.store.verifying import verify
from dcsim.store.writing import attach, write

__all__ = ["Stored", "attach", "canonical_json", "read", "verify", "write"]

"""Names inside a results directory."""

import hashlib
from pathlib import Path

MANIFEST = "manifest.json"
SUMMARY = "summary.json"
REPORT = "report.pdf"
INPUTS = "inputs"
TABLE_SUFFIX = ".parquet"

#: What `manifest.json` says it is; the number grows when a reader would misread it.
FORMAT = "dcsim-results"
FORMAT_VERSION = 1


def sha256_of(content: bytes) -> str:
    """Hexadecimal SHA-256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file; raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

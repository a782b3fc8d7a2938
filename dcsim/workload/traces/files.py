"""Opening trace files, gzip-compressed or not."""

import gzip
from pathlib import Path
from typing import IO, cast

_GZIP_MAGIC = b"\x1f\x8b"


def open_bytes(path: Path) -> IO[bytes]:
    """The file's content for reading; unpacked where it is gzip, whatever its name."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
    return cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")

"""Checkpoints: all that a training run needs to go on as if it had never stopped."""

from __future__ import annotations

import io
import os
import secrets
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dcsim.records import Fault, InputError
from dcsim.training.base import Array


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one move: readers see the old or the new file, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> int:
    """Write named arrays to an `.npz` atomically; returns its size in bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())
    return buffer.tell()


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an `.npz`; raises InputError when it is absent or damaged."""
    if not path.is_file():
        raise InputError(Fault(f"there is no checkpoint {path} to resume from"))
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile):
        raise InputError(Fault("is not a checkpoint, or is damaged", str(path))) from None

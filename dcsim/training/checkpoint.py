"""Checkpoints: all that a training run needs to go on as if it had never stopped.

The one before is kept beside each, and stands in where the last was damaged or tampered with.
"""

from __future__ import annotations

import io
import os
import secrets
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dcsim.protection.keys import Secret
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


def previous_path(path: Path) -> Path:
    """Where the checkpoint before the one at `path` is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def write_arrays(path: Path, arrays: Mapping[str, Array], secret: Secret | None = None) -> int:
    """Write named arrays to an `.npz` atomically; returns its size in bytes.

    What stood there moves to `previous_path`; at every moment one of the two is whole. With
    `secret` the file is encrypted, as `protection.cipher` says.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    content = buffer.getvalue()
    if secret is not None:
        from dcsim.protection.cipher import encrypt

        content = encrypt(content, secret)
    if path.is_file():
        path.replace(previous_path(path))
    write_atomically(path, content)
    return len(content)


def read_arrays(path: Path, secret: Secret | None = None) -> tuple[dict[str, Array], str]:
    """The arrays of an `.npz`, and a sentence where they are not the last that were saved.

    Where the file is damaged, tampered with or gone, the one before is read and the sentence
    says why; it is empty otherwise. Raises InputError when neither can be read.
    """
    try:
        return _read(path, secret), ""
    except InputError as error:
        try:
            arrays = _read(previous_path(path), secret)
        except InputError:
            raise error from None
        return arrays, f"{error}; going on from the checkpoint before it"


def _read(path: Path, secret: Secret | None) -> dict[str, Array]:
    from dcsim.protection.cipher import decrypt, is_encrypted

    if not path.is_file():
        raise InputError(Fault(f"there is no checkpoint {path} to resume from"))
    try:
        content = path.read_bytes()
        if secret is not None:
            content = decrypt(content, secret, name=str(path))
        elif is_encrypted(content):
            message = "is encrypted; name its key with --key FILE, or its passphrase with --encrypt"
            raise InputError(Fault(message, str(path)))
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        raise InputError(Fault("is not a checkpoint, or is damaged", str(path))) from None

"""Reading a results directory back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcsim.records import Fault, InputError
from dcsim.store.layout import FORMAT, FORMAT_VERSION, MANIFEST, SUMMARY, TABLE_SUFFIX

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Stored:
    """A result as it was stored: what `records.Result` holds, plus its manifest.

    `inputs` maps the name of an input file to its bytes; a file that is gone is absent.
    """

    kind: str
    summary: Mapping[str, Any]
    tables: Mapping[str, "pd.DataFrame"]
    inputs: Mapping[str, bytes]
    command: str
    manifest: Mapping[str, Any]
    directory: Path
    missing: tuple[str, ...] = field(default=())


def read(directory: str | Path) -> Stored:
    """The results in `directory`, without checking hashes (`verify` does).

    Raises InputError when it holds no results, or none that can be read.
    """
    from dcsim.store.parquet import read_tables

    directory = Path(directory)
    manifest = read_manifest(directory)
    files = manifest["files"]
    missing = tuple(name for name in files if not (directory / name).is_file())
    if SUMMARY in missing:
        raise InputError(Fault(f"{SUMMARY} is missing", str(directory)))
    paths = {
        name.removesuffix(TABLE_SUFFIX): directory / name
        for name in files
        if name.endswith(TABLE_SUFFIX) and name not in missing
    }
    inputs = {
        name: (directory / entry["file"]).read_bytes()
        for name, entry in manifest.get("inputs", {}).items()
        if entry["file"] not in missing
    }
    return Stored(
        kind=str(manifest.get("kind", "")),
        summary=read_document(directory / SUMMARY),
        tables=read_tables(paths),
        inputs=inputs,
        command=str(manifest.get("command", "")),
        manifest=manifest,
        directory=directory,
        missing=missing,
    )


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of a results directory; InputError says why it is none."""
    if not directory.exists():
        raise InputError(Fault("there is no such directory", str(directory)))
    if not directory.is_dir():
        raise InputError(Fault("is a file, not a results directory", str(directory)))
    path = directory / MANIFEST
    if not path.is_file():
        raise InputError(
            Fault(
                f"is not a results directory: it holds no {MANIFEST}; "
                "`dcsim plan` and `dcsim run` write one",
                str(directory),
            )
        )
    manifest = read_document(path)
    if manifest.get("format") != FORMAT or not isinstance(manifest.get("files"), dict):
        raise InputError(Fault("is not the manifest of a results directory", str(path)))
    if manifest.get("format_version") != FORMAT_VERSION:
        raise InputError(
            Fault(
                f"is of format {manifest.get('format_version')}, this version of dcsim "
                f"reads {FORMAT_VERSION}; make the results again with the command in it",
                str(path),
            )
        )
    return manifest


def read_document(path: Path) -> dict[str, Any]:
    """The JSON object in a file; InputError names the file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(Fault(f"cannot be read: {error.strerror}", str(path))) from None
    except ValueError as error:
        raise InputError(Fault(f"is not JSON ({error})", str(path))) from None
    if not isinstance(document, dict):
        raise InputError(Fault("holds no JSON object", str(path)))
    return document

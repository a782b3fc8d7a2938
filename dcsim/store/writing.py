"""Writing a results directory: complete under another name first, then moved into place."""

import os
import platform
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dcsim._version import __version__
from dcsim.protection.audit import AUDIT_FILE, head
from dcsim.records import Fault, InputError, Result
from dcsim.store.canonical import canonical_json
from dcsim.store.layout import (
    FORMAT,
    FORMAT_VERSION,
    INPUTS,
    MANIFEST,
    SUMMARY,
    TABLE_SUFFIX,
    sha256_of,
    sha256_of_file,
)
from dcsim.store.reading import read_manifest

#: Packages whose version can change a figure or a byte of the results.
PACKAGES: tuple[str, ...] = (
    "duckdb",
    "matplotlib",
    "networkx",
    "numba",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "simpy",
    "typst",
)


def write(result: Result, directory: str | Path, *, wall_time_s: float | None = None) -> Path:
    """Store `result` in `directory` and return its path.

    The directory is built complete beside its place and then moved there, so a reader
    never sees half of it. Results that stood there are replaced; files that were not
    theirs stay. Everything but `manifest.json` depends on `result` alone. Raises
    InputError when the place holds something else or cannot be written.
    """
    target = Path(directory).resolve()
    _check_free(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        building = _new_directory(target)
        try:
            _build(result, building, wall_time_s)
            _move(building, target)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise InputError(Fault(f"cannot be written: {error.strerror}", str(directory))) from None
    return Path(directory)


def attach(directory: str | Path, name: str, content: bytes) -> Path:
    """Add the file `name` (such as the report) to stored results, or replace it.

    The manifest is brought up to date last. Raises InputError when `directory` holds no
    results or cannot be written.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    manifest["files"] = dict(
        sorted({**manifest["files"], name: _entry(content)}.items(), key=lambda item: item[0])
    )
    try:
        _replace(directory / name, content)
        _replace(directory / MANIFEST, canonical_json(manifest).encode())
    except OSError as error:
        raise InputError(Fault(f"cannot be written: {error.strerror}", str(directory))) from None
    return directory / name


def _check_free(target: Path) -> None:
    """InputError unless nothing would be lost by putting results at `target`."""
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(Fault("is a file; name a directory for the results", str(target)))
    if any(target.iterdir()):
        try:
            read_manifest(target)
        except InputError:
            raise InputError(
                Fault("holds files that are no results; name another directory", str(target))
            ) from None


def _build(result: Result, directory: Path, wall_time_s: float | None) -> None:
    """Write every file of `result` into the empty `directory`, the manifest last."""
    from dcsim.store.parquet import write_tables

    (directory / SUMMARY).write_text(canonical_json(result.summary), encoding="utf-8")
    tables = {name: frame for name, frame in result.tables.items() if len(frame.columns)}
    write_tables(tables, {name: directory / f"{name}{TABLE_SUFFIX}" for name in tables})
    inputs = _keep_inputs(result.inputs, directory)
    if result.audit:
        (directory / AUDIT_FILE).write_bytes(result.audit)
    names = sorted(p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file())
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": result.kind,
        "scenario": result.summary.get("scenario"),
        "seed": result.summary.get("seed"),
        "command": result.command,
        "inputs": inputs,
        "files": {
            name: {
                "sha256": sha256_of_file(directory / name),
                "bytes": (directory / name).stat().st_size,
            }
            for name in names
        },
        "audit": asdict(head(result.audit)) if result.audit else None,
        "versions": versions(),
        "host": {
            "name": platform.node(),
            "system": platform.system(),
            "machine": platform.machine(),
            "cpus": os.cpu_count(),
        },
        "wall_time_s": wall_time_s,
    }
    (directory / MANIFEST).write_text(canonical_json(manifest), encoding="utf-8")


def _keep_inputs(inputs: Mapping[str, bytes], directory: Path) -> dict[str, dict[str, str]]:
    """Copies of the input files, under names that cannot leave `directory`."""
    kept: dict[str, dict[str, str]] = {}
    taken: set[str] = set()
    for name, content in inputs.items():
        digest = sha256_of(content)
        safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in Path(name).name)
        safe = safe.lstrip(".") or "input"
        if safe in taken:
            safe = f"{digest[:12]}-{safe}"
        taken.add(safe)
        path = directory / INPUTS / safe
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        kept[name] = {"sha256": digest, "file": f"{INPUTS}/{safe}"}
    return kept


def versions() -> dict[str, str]:
    """Versions of Python, of dcsim and of the packages that decide figures or bytes."""
    found = {"python": platform.python_version(), "dcsim": __version__}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _entry(content: bytes) -> dict[str, Any]:
    return {"sha256": sha256_of(content), "bytes": len(content)}


def _new_directory(beside: Path) -> Path:
    """A fresh hidden directory next to `beside` (mkdtemp's would be closed to others)."""
    path = beside.with_name(f".{beside.name}.{secrets.token_hex(6)}")
    path.mkdir()
    return path


def _move(building: Path, target: Path) -> None:
    """Put `building` at `target`; what stood there and was no result moves along."""
    if not target.exists():
        building.rename(target)
        return
    old = _new_directory(target)
    previous = old / target.name
    target.rename(previous)
    building.rename(target)
    _carry_over(previous, target)
    shutil.rmtree(old, ignore_errors=True)


def _carry_over(previous: Path, target: Path) -> None:
    """Move files of `previous` that its manifest does not name to `target`, if not taken."""
    try:
        known = {*read_manifest(previous)["files"], MANIFEST}
    except InputError:
        known = set()
    for path in sorted(p for p in previous.rglob("*") if p.is_file()):
        name = path.relative_to(previous).as_posix()
        if name not in known and not (target / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            path.rename(target / name)


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old bytes or the new ones."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)

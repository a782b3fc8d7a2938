"""Whether stored results are what was written, and whether their totals add up."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dcsim.protection.audit import AUDIT_FILE, Head
from dcsim.protection.audit import faults as audit_faults
from dcsim.records import Fault, InputError
from dcsim.store.layout import MANIFEST, sha256_of_file
from dcsim.store.reading import Stored, read, read_manifest
from dcsim.store.totals import CHECKS


def verify(directory: str | Path) -> list[Fault]:
    """Everything that is wrong with the results in `directory`, worst first.

    First the audit log, record by record, and the files against the manifest (missing, or
    changed since they were written); then, when all are there, totals derived again from the
    tables: the ledger sums to the capacity, money to its total, every objective's verdict
    follows from its figures and its runs, and no candidate dominates one that is said to be
    undominated. An empty
    list means that all holds. Raises InputError when the directory holds no results.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    faults = [*_audit_faults(directory, manifest), *_file_faults(directory, manifest["files"])]
    if any(not (directory / name).is_file() for name in manifest["files"]):
        return faults
    try:
        stored = read(directory)
    except InputError as error:
        # A changed file that cannot be read any more is named already.
        return faults or list(error.faults)
    for check in CHECKS:
        faults.extend(_guarded(check, stored))
    return faults


def _audit_faults(directory: Path, manifest: Mapping[str, Any]) -> Iterator[Fault]:
    """The first record of the audit log that is not what was written."""
    known, path = manifest.get("audit"), directory / AUDIT_FILE
    if not path.is_file():
        return
    if not known:
        yield Fault(f"no audit log was written by dcsim, but there is {AUDIT_FILE}", str(directory))
        return
    try:
        ended = Head(int(known["records"]), str(known["last"]))
    except (KeyError, TypeError, ValueError):
        yield Fault(f"{MANIFEST} does not say what the audit log ends in", str(directory))
        return
    yield from audit_faults(path.read_bytes(), ended, str(path))


def _file_faults(directory: Path, files: dict) -> Iterator[Fault]:
    for name, entry in files.items():
        path = directory / name
        if not path.is_file():
            yield Fault(f"{name} is missing", str(directory))
            continue
        try:
            found = sha256_of_file(path)
        except OSError as error:
            yield Fault(f"{name} cannot be read: {error.strerror}", str(directory))
            continue
        if found != entry.get("sha256"):
            yield Fault(
                f"{name} was changed after it was written: its SHA-256 is {found[:12]}…, "
                f"{MANIFEST} has {str(entry.get('sha256'))[:12]}…",
                str(directory),
            )


def _guarded(check: Callable[[Stored], Iterable[str]], stored: Stored) -> list[Fault]:
    """The faults of one check; a table too damaged to be checked is a fault as well."""
    try:
        return [Fault(message, str(stored.directory)) for message in check(stored)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = (check.__doc__ or check.__name__).partition("\n")[0].rstrip(".")
        return [
            Fault(
                f"cannot check that {what[0].lower()}{what[1:]}: {error!r}", str(stored.directory)
            )
        ]

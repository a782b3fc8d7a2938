"""An append-only log of who read and wrote what, when and under which rule, as a hash chain.

One JSON object a line. `hash` is the SHA-256 of the record without it, `prev` the hash of the
record before (64 zeros for the first): Haber and Stornetta, "How to time-stamp a digital
document", 1991. A changed, moved or missing record breaks the chain there; that records are
missing at the end shows in the length and the last hash, which are kept elsewhere (in the
manifest of a results directory). Who can rewrite that place too can rewrite the log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dcsim.records import Fault

#: The name of the log in a results directory, and what stands before its first record.
AUDIT_FILE = "audit.jsonl"
START = "0" * 64


@dataclass(frozen=True, slots=True)
class Access:
    """One thing that was done, or refused, at `time_s` from the start of the simulation.

    `who` is a job in its `role` (empty: none), on the nodes `zone`; `action` is `read`,
    `write` or `refuse`; `what` is a data set, a checkpoint or a model, with its
    `classification` and `region`; `rule` allowed or refused it; `encrypted` says how it was
    protected (`at rest`, `in transit`, `both` or empty).
    """

    time_s: float
    who: str
    action: str
    what: str
    rule: str
    role: str = ""
    zone: str = ""
    classification: str = ""
    region: str = ""
    encrypted: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """How long a log is, and the hash of its last record."""

    records: int
    last: str


def chain(entries: Sequence[Access]) -> bytes:
    """The log of `entries` in the order given."""
    lines: list[bytes] = []
    previous = START
    for number, entry in enumerate(entries):
        line, previous = _line({"n": number, "prev": previous, **asdict(entry)})
        lines.append(line)
    return b"".join(lines)


def append(log: bytes, entry: Access) -> bytes:
    """`log` with one more record; raises ValueError when its last record cannot be read."""
    last = log.splitlines()[-1] if log else b""
    record: dict[str, Any] = json.loads(last) if last else {"n": -1, "hash": START}
    line, _ = _line({"n": record["n"] + 1, "prev": record["hash"], **asdict(entry)})
    return log + line


def head(log: bytes) -> Head:
    """Length and last hash of a log that was just written."""
    lines = log.splitlines()
    return Head(len(lines), json.loads(lines[-1])["hash"] if lines else START)


def records(log: bytes) -> list[dict[str, Any]]:
    """Every record of a log that is whole."""
    return [json.loads(line) for line in log.splitlines()]


def faults(log: bytes, known: Head, name: str = AUDIT_FILE) -> Iterator[Fault]:
    """The first record that is not what was written, or how many are missing at the end.

    `known` is what the log ended in when it was written. Nothing is yielded for a whole log.
    """
    previous, lines = START, log.split(b"\n")
    complete, rest = lines[:-1], lines[-1]
    for number, line in enumerate(complete):
        problem = _problem(line, number, previous)
        if problem:
            yield Fault(f"record {number} {problem}", name)
            return
        previous = json.loads(line)["hash"]
    if rest:
        yield Fault(f"record {len(complete)} was cut or changed after it was written", name)
    elif len(complete) < known.records:
        missing = known.records - len(complete)
        yield Fault(f"{missing} of {known.records} records are missing at its end", name)
    elif Head(len(complete), previous) != known:
        yield Fault(
            f"record {min(known.records, len(complete) - 1)} is not among the "
            f"{known.records} that were written",
            name,
        )


def _line(record: Mapping[str, Any]) -> tuple[bytes, str]:
    """A record as a line of the log, and its hash."""
    digest = hashlib.sha256(_text(record)).hexdigest()
    return _text({**record, "hash": digest}) + b"\n", digest


def _text(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _problem(line: bytes, number: int, previous: str) -> str:
    """What is wrong with one record; empty when nothing is."""
    try:
        record = json.loads(line)
        own = {key: value for key, value in record.items() if key != "hash"}
        whole = _line(own)[0] == line + b"\n"
    except (ValueError, AttributeError, TypeError):
        return "was changed after it was written: it cannot be read any more"
    if not whole:
        return "was changed after it was written: its hash is another"
    if record.get("n") != number or record.get("prev") != previous:
        return "does not follow the record before it: one was changed, moved or taken out"
    return ""

"""The audit chain: every change is found, and the first broken record is named."""

import json

import numpy as np
import pytest

from dcsim.protection.audit import START, Access, Head, append, chain, faults, head, records


def entries(count: int) -> list[Access]:
    return [
        Access(60.0 * i, f"job-{i % 3}", ("read", "write")[i % 2], "scäns", "public data")
        for i in range(count)
    ]


LOG = chain(entries(12))
HEAD = head(LOG)


def found(log: bytes, known: Head = HEAD) -> str:
    return " ".join(str(fault) for fault in faults(log, known))


def test_a_whole_log_has_no_faults() -> None:
    assert found(LOG) == ""
    assert found(b"", Head(0, START)) == ""
    assert [record["n"] for record in records(LOG)] == list(range(12))


def test_appending_gives_the_same_log() -> None:
    log = b""
    for entry in entries(12):
        log = append(log, entry)
    assert log == LOG
    longer = append(LOG, entries(1)[0])
    assert longer.startswith(LOG)
    assert found(longer, head(longer)) == ""


def test_every_one_of_1000_random_changes_of_a_byte_names_its_record() -> None:
    rng = np.random.default_rng(11)
    ends = np.cumsum([len(line) for line in LOG.splitlines(keepends=True)])
    for _ in range(1000):
        place = int(rng.integers(len(LOG)))
        changed = bytearray(LOG)
        changed[place] ^= int(rng.integers(1, 256))
        record = int(np.searchsorted(ends, place, side="right"))
        problem = found(bytes(changed))
        # A line end that is gone makes one record of two; the first of them is named.
        assert problem.startswith(f"audit.jsonl  record {record} "), problem


def test_records_that_are_taken_out_moved_or_forged_are_found() -> None:
    lines = LOG.splitlines(keepends=True)
    assert found(b"".join(lines[1:])).startswith("audit.jsonl  record 0 does not follow")
    assert "record 5 does not follow" in found(b"".join(lines[:5] + lines[6:]))
    assert "record 3 does not follow" in found(b"".join([*lines[:3], lines[4], lines[3]]))
    forged = json.loads(lines[4])
    forged["who"] = "nobody"
    again = append(b"".join(lines[:4]), entries(1)[0]).splitlines(keepends=True)[4]
    # The forger computed the hash anew, so that the next record gives it away.
    assert "record 5 does not follow" in found(b"".join([*lines[:4], again, *lines[5:]]))


@pytest.mark.parametrize("kept", range(12))
def test_a_tail_that_is_gone_is_found(kept: int) -> None:
    lines = LOG.splitlines(keepends=True)
    assert f"{12 - kept} of 12 records are missing" in found(b"".join(lines[:kept]))


def test_a_log_that_was_written_anew_is_not_the_one_that_is_known() -> None:
    assert "is not among the 12" in found(append(LOG, entries(1)[0]))
    assert found(chain([*entries(11), Access(1.0, "x", "read", "y", "z")]))
    assert found(b"", Head(0, START)) == ""

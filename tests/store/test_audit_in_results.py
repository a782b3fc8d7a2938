"""The audit log of a results directory, and what `verify` says of a changed one."""

from pathlib import Path

import pytest

from dcsim import store
from dcsim.protection.audit import AUDIT_FILE, Access, chain
from dcsim.records import Result

LOG = chain([Access(float(i), "train", "read", "scans", "public data") for i in range(9)])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    result = Result("run", {"scenario": "x", "seed": 1}, {}, audit=LOG)
    return store.write(result, tmp_path / "r")


def test_the_log_is_stored_and_whole(results: Path) -> None:
    assert (results / AUDIT_FILE).read_bytes() == LOG
    assert store.read(results).manifest["audit"]["records"] == 9
    assert store.verify(results) == []


def test_the_first_broken_record_is_named_first(results: Path) -> None:
    path = results / AUDIT_FILE
    changed = bytearray(LOG)
    changed[LOG.index(b'"n":4') + 30] ^= 1
    path.write_bytes(changed)
    first, *others = store.verify(results)
    assert "record 4 was changed" in str(first)
    assert any("SHA-256" in str(fault) for fault in others)
    path.write_bytes(b"".join(LOG.splitlines(keepends=True)[:-2]))
    assert "2 of 9 records are missing at its end" in str(store.verify(results)[0])
    path.unlink()
    assert f"{AUDIT_FILE} is missing" in str(store.verify(results)[0])


def test_results_without_a_log_have_none(tmp_path: Path) -> None:
    plain = store.write(Result("run", {"scenario": "x", "seed": 1}, {}), tmp_path / "p")
    assert not (plain / AUDIT_FILE).exists()
    assert store.verify(plain) == []
    (plain / AUDIT_FILE).write_bytes(LOG)
    assert "no audit log was written" in str(store.verify(plain)[0])

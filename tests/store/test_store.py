"""A results directory: written whole, the same bytes twice, never at the cost of others' files."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim import store
from dcsim.records import Fault, InputError, Result
from dcsim.store import writing
from dcsim.store.layout import sha256_of_file


def a_result(**changes):
    tables = {
        "ledger": pd.DataFrame(
            {
                "ledger_class": ["useful_training", "repair"],
                "seconds": [3.0, 1.0],
                "share": [0.75, 0.25],
            }
        ),
        "mixed": pd.DataFrame(
            {
                "text": ["ü", None, "it's"],
                "whole": [1, None, 2**60],
                "number": [0.1, float("nan"), 1e300],
                "truth": [True, False, None],
                "nothing": [None, None, None],
            }
        ),
        "empty": pd.DataFrame({"a": [], "b": []}),
    }
    fields = {
        "kind": "run",
        "summary": {"scenario": "x", "seed": 1, "value": float("nan")},
        "tables": tables,
        "inputs": {"../../x.yaml": b"name: x\n", "other/x.yaml": b"name: y\n"},
        "command": "dcsim run x.yaml",
    }
    return Result(**(fields | changes))


def contents(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_what_is_written_is_read_back(tmp_path):
    store.write(a_result(), tmp_path / "r")
    stored = store.read(tmp_path / "r")
    assert stored.kind == "run"
    assert stored.summary == {"scenario": "x", "seed": 1, "value": None}
    assert stored.command == "dcsim run x.yaml"
    assert stored.inputs == {"../../x.yaml": b"name: x\n", "other/x.yaml": b"name: y\n"}
    mixed = stored.tables["mixed"]
    assert mixed["text"].tolist()[0] == "ü"
    assert pd.isna(mixed["text"][1])
    assert mixed["whole"].tolist()[2] == 2**60
    assert pd.isna(mixed["whole"][1])
    assert mixed["number"].tolist()[2] == 1e300
    assert pd.isna(mixed["truth"][2])
    assert list(stored.tables["empty"].columns) == ["a", "b"]
    assert stored.tables["empty"].empty


def test_equal_results_are_equal_files(tmp_path):
    store.write(a_result(), tmp_path / "a", wall_time_s=1.0)
    store.write(a_result(), tmp_path / "b", wall_time_s=2.0)
    first, second = contents(tmp_path / "a"), contents(tmp_path / "b")
    del first["manifest.json"], second["manifest.json"]
    assert first == second


def test_manifest_names_every_file_with_its_hash(tmp_path):
    directory = store.write(a_result(), tmp_path / "r")
    store.attach(directory, "report.pdf", b"%PDF")
    manifest = json.loads((directory / "manifest.json").read_text())
    assert set(manifest["files"]) == set(contents(directory)) - {"manifest.json"}
    for name, entry in manifest["files"].items():
        assert entry["sha256"] == sha256_of_file(directory / name)
        assert entry["bytes"] == (directory / name).stat().st_size
    assert manifest["command"] == "dcsim run x.yaml"
    assert {"python", "dcsim", "numpy"} <= set(manifest["versions"])


def test_input_names_cannot_leave_the_directory(tmp_path):
    store.write(a_result(inputs={"../../../evil.yaml": b"x", "..": b"y"}), tmp_path / "r")
    assert not list(tmp_path.glob("*.yaml"))
    assert len(list((tmp_path / "r" / "inputs").iterdir())) == 2


def test_results_are_replaced_and_others_files_stay(tmp_path):
    target = tmp_path / "r"
    store.write(a_result(), target)
    (target / "notes.txt").write_text("mine")
    store.write(a_result(tables={}), target)
    assert (target / "notes.txt").read_text() == "mine"
    assert not (target / "ledger.parquet").exists()
    assert store.verify(target) == []
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="holds files that are no results"):
        store.write(a_result(), tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert (tmp_path / "manifest.json").read_text() == "{}"


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "r").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        store.write(a_result(), tmp_path / "r")


def test_an_interrupted_write_changes_nothing(tmp_path, monkeypatch):
    store.write(a_result(), tmp_path / "r")
    before = contents(tmp_path / "r")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "versions", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write(a_result(tables={}), tmp_path / "r")
    assert contents(tmp_path / "r") == before
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


@pytest.mark.parametrize("name", ["we[1]rd*?", "it's", "ein Pfad", "ü"])
def test_odd_directory_names(tmp_path, name):
    store.write(a_result(), tmp_path / name)
    assert store.verify(tmp_path / name) == []


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: None, "there is no such directory"),
        (lambda path: path.write_text("x"), "is a file, not a results directory"),
        (lambda path: path.mkdir(), "is not a results directory"),
        (lambda path: _manifest(path, "nonsense"), "is not JSON"),
        (lambda path: _manifest(path, "[]"), "holds no JSON object"),
        (lambda path: _manifest(path, "{}"), "is not the manifest"),
        (
            lambda path: _manifest(
                path, '{"format": "dcsim-results", "files": {}, "format_version": 99}'
            ),
            "is of format 99",
        ),
    ],
)
def test_what_is_no_results_directory_is_told_in_one_sentence(tmp_path, prepare, message):
    prepare(tmp_path / "r")
    with pytest.raises(InputError, match=message) as caught:
        store.read(tmp_path / "r")
    assert len(caught.value.faults) == 1
    assert "\n" not in caught.value.faults[0].message


def _manifest(path, text):
    path.mkdir()
    (path / "manifest.json").write_text(text)


def test_a_missing_and_a_changed_file_are_named(tmp_path):
    store.write(a_result(), tmp_path / "r")
    (tmp_path / "r" / "empty.parquet").unlink()
    (tmp_path / "r" / "mixed.parquet").write_bytes(b"x")
    faults = store.verify(tmp_path / "r")
    assert all(isinstance(fault, Fault) for fault in faults)
    text = "\n".join(map(str, faults))
    assert "empty.parquet is missing" in text
    assert "mixed.parquet was changed" in text


def test_a_changed_summary_is_noticed(tmp_path):
    store.write(a_result(), tmp_path / "r")
    (tmp_path / "r" / "summary.json").write_text('{"scenario": "y"}')
    assert any("summary.json was changed" in f.message for f in store.verify(tmp_path / "r"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_canonical_json_reads_back(document):
    text = store.canonical_json(document)
    assert text.endswith("\n")
    assert text == store.canonical_json(json.loads(text))


def test_canonical_json_takes_numpy_and_refuses_what_it_cannot_hold():
    document = {"a": np.float64(0.1), "b": np.int64(3), "c": np.array([1.0, math.inf]), "d": (1,)}
    assert json.loads(store.canonical_json(document)) == {
        "a": 0.1,
        "b": 3,
        "c": [1.0, None],
        "d": [1],
    }
    with pytest.raises(TypeError, match="set has no JSON form"):
        store.canonical_json({1, 2})


columns = st.one_of(
    st.lists(st.none() | st.text(max_size=5), min_size=3, max_size=3),
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3),
    st.lists(st.none() | st.floats(allow_nan=False), min_size=3, max_size=3),
    st.lists(st.none() | st.booleans(), min_size=3, max_size=3),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=columns)
def test_any_column_survives(tmp_path, values):
    from dcsim.store.parquet import read_tables, write_tables

    path = tmp_path / "t.parquet"
    write_tables({"t": pd.DataFrame({"c": pd.Series(values, dtype=object)})}, {"t": path})
    found = read_tables({"t": path})["t"]["c"].tolist()
    assert [None if pd.isna(value) else value for value in found] == values

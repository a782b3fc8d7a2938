"""A user's own table: what is read, and one clear sentence for everything that is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.records import InputError
from dcsim.training.jobs import job
from dcsim.training.run import run_job
from dcsim.training.tables import read_table

ROWS = "".join(f"{i},{i * i},{i % 2}\n" for i in range(20))


def read(tmp_path: Path, text: str, name: str = "t.csv"):
    path = tmp_path / name
    path.write_text(text)
    return read_table(path)


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        "a,b,label\n" + ROWS,
        "\ufeff" + ROWS,
        ROWS.replace(",", ";"),
        ROWS.replace(",", "\t"),
        ROWS.replace("\n", "\r\n"),
        ROWS.rstrip("\n"),
        ROWS + "\n\n",
        ROWS.replace(",", " , "),
    ],
    ids=["plain", "header", "mark", "semicolon", "tab", "crlf", "no-end", "blank", "spaces"],
)
def test_csv_in_its_dialects(tmp_path: Path, text: str) -> None:
    x, classes = read(tmp_path, text)
    np.testing.assert_array_equal(x[:, 1], np.arange(20.0) ** 2)
    np.testing.assert_array_equal(classes, np.arange(20) % 2)


def test_npy_and_csv_hold_the_same(tmp_path: Path) -> None:
    x, classes = read(tmp_path, ROWS)
    np.save(tmp_path / "t.npy", np.column_stack([x, classes]).astype(np.float32))
    again, labels = read_table(tmp_path / "t.npy")
    np.testing.assert_array_equal(again, x)
    np.testing.assert_array_equal(labels, classes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t\.csv  has no rows"),
        ("a,b,c\n", "has no rows"),
        (ROWS + "3,x,1\n", r't\.csv:21  "x" in column 2 is not a finite number'),
        ("3,x,1\n" + ROWS, r't\.csv:1  "x" in column 2'),
        (ROWS + "3,,1\n", "an empty cell in column 2"),
        (ROWS + "3,nan,1\n", r'"nan" in column 2'),
        (ROWS + "3,1e999,1\n", r'"1e999" in column 2'),
        (ROWS + "3,1\n", r"t\.csv:21  has 2 values where the rows above have 3"),
        ("".join(f"{i},1\n" for i in range(9)), "every row has the class 1"),
        (ROWS + "1,1,7\n", "class 7 of the last column has 1 of 21 rows"),
        ("".join(f"{i % 2}\n" for i in range(20)), "at least two columns"),
    ],
)
def test_broken_csv(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5), "has shape"),
        (np.zeros((0, 3)), "has shape"),
        (np.array([["a", "b"]]), "other than numbers"),
        (np.array([[1.0, np.nan], [2.0, 1.0]]), "row 1, column 2 is nan"),
        (np.array([{"a": 1}]), "not a .npy file of numbers"),
    ],
)
def test_broken_npy(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "t.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "t.npy")


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="there is no file"):
        read_table(tmp_path)
    with pytest.raises(InputError, match=r"\.npy or a \.csv"):
        read(tmp_path, ROWS, "t.xlsx")
    with pytest.raises(InputError, match=r"not a \.npy file"):
        read(tmp_path, ROWS, "t.npy")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        read_table(tmp_path / "b.csv")


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.sampled_from("0123456789.,;-+eE\"'\n\r\tnaix\x00 "), max_size=200))
def test_no_text_gets_past_the_reader_but_as_a_fault(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text(text, newline="")
        try:
            x, classes = read_table(path)
        except InputError:
            return
    assert np.isfinite(x).all()
    assert len(x) == len(classes) >= 10


@pytest.mark.parametrize("classes", [2, 3])
def test_the_classifier_learns_the_users_table(tmp_path: Path, classes: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 4)) * [1.0, 10.0, 0.1, 0.0] + [0.0, 5.0, -3.0, 2.0]
    label = np.digitize(x[:, 0], np.linspace(-0.5, 0.5, classes - 1) if classes > 2 else [0.0])
    path = tmp_path / "mine.npy"
    np.save(path, np.column_stack([x, 5 * label]))
    outcome = run_job(job("medical-classifier", table=str(path), epochs=20))
    assert outcome.data.outputs == (1 if classes == 2 else 3)
    assert outcome.figures["test_accuracy"] >= 0.9

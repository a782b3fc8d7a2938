"""`dcsim train` as a user meets it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dcsim.cli.main import app


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def dcsim(*words: str):
    return CliRunner().invoke(app, ["train", *words])


def test_the_answer_fits_a_terminal_and_the_history_is_whole(tmp_path: Path) -> None:
    result = dcsim("medical-classifier", "--seed", "3", "--epochs", "4")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "Again           dcsim train medical-classifier --epochs 4 --seed 3" in result.stdout
    assert "100 %" in result.stderr
    folder = tmp_path / "reports" / "train-medical-classifier"
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, 49))
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert all(float(row["step_s"]) > 0 for row in rows)
    with (folder / "evaluations.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2", "3"]
    for picture in ("learning-curve.svg", "interpretation.svg"):
        assert (folder / picture).read_text().startswith("<?xml")
    assert "Rests on" in result.stdout
    assert "accuracy of a logistic model" in result.stdout


def test_json_is_one_document_and_resume_goes_on(tmp_path: Path) -> None:
    words = ("digits-mlp", "--out", "here", "--json")
    whole = json.loads(dcsim("digits-mlp", "--json", "--epochs", "4").stdout)
    half = dcsim(*words, "--epochs", "2")
    assert json.loads(half.stdout)["steps"] == 72
    rest = json.loads(dcsim(*words, "--epochs", "4", "--resume").stdout)
    assert rest["steps"] == whole["steps"] == 144
    assert rest["metrics"] == whole["metrics"]
    assert json.loads((tmp_path / "here" / "summary.json").read_text())["loss"] == rest["loss"]


def test_the_users_table(tmp_path: Path) -> None:
    rows = "".join(f"{i / 10},{(i * 7) % 5},{int(i >= 100)}\n" for i in range(200))
    (tmp_path / "mine.csv").write_text("a,b,label\n" + rows)
    result = dcsim("--data", "mine.csv", "--epochs", "30", "--json")
    assert json.loads(result.stdout)["metrics"]["test_accuracy"] >= 0.95


def test_cheaper_weights_and_batches_are_measured(tmp_path: Path) -> None:
    result = dcsim("fraud-detector", "--epochs", "3", "--cheaper")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    for name in ("float32 weights", "int8 weights", "90% pruned", "samples a second"):
        assert name in result.stdout
    found = json.loads((tmp_path / "reports/train-fraud-detector/cheaper.json").read_text())
    assert [row["metric"] for row in found["variants"]] == ["average_precision"] * 6
    assert [row["batch"] for row in found["batch_times"]] == [1, 4, 16, 64, 256]


def test_the_list_names_every_job() -> None:
    result = dcsim("--list")
    assert "char-transformer" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert json.loads(dcsim("--list", "--json").stdout)["digits-mlp"]["epochs"] == 15


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name a job to train"),
        (("digits-mpl",), 'did you mean "digits-mlp"'),
        (("digits-mlp", "--epochs", "0"), "digits-mlp.epochs: is 0; it must be from 1"),
        (("digits-mlp", "--set", "rate"), "write --set NAME=VALUE"),
        (("digits-mlp", "--set", "rates=1"), 'did you mean "rate"'),
        (("digits-mlp", "--resume"), "there is no checkpoint"),
        (("digits-mlp", "--out", "file"), "file  cannot be made"),
        (("--data", "absent.csv"), "there is no file"),
        (("char-transformer", "--data", "absent.csv"), "trains on no table"),
        (("digits-mlp", "--set", "rate=1000", "--set", "optimiser=sgd"), "training diverged"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_2(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    (tmp_path / "file").write_text("")
    result = dcsim(*words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output

"""`dcsim train --private` as a user meets it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dcsim.cli.main import app


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(*words: str):
    return CliRunner().invoke(app, ["train", *words])


def test_epsilon_accuracy_and_slowdown_stand_side_by_side(tmp_path: Path) -> None:
    words = ("mlp-3-5-2", "--private", "--epsilons", "2,8", "--epochs", "3")
    result = train(*words)
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    for text in ("epsilon 7.9", "slower", "--private --epsilons 8,2"):
        assert text in result.stdout
    folder = tmp_path / "reports" / "train-mlp-3-5-2"
    plain, loose, tight = json.loads((folder / "privacy.json").read_text())["privacy"]
    assert plain["epsilon"] is None
    assert plain["slowdown"] == 1.0
    assert 7.5 < loose["epsilon"] <= 8.0
    assert 1.9 < tight["epsilon"] <= 2.0
    assert tight["noise"] > loose["noise"] > 0.0
    assert (folder / "privacy.svg").read_text().startswith("<?xml")


def test_a_noise_gives_its_epsilon_and_no_noise_no_bound() -> None:
    words = ("mlp-3-5-2", "--private", "--epochs", "2", "--json", "--delta", "1e-4")
    some = json.loads(train(*words, "--noise", "1.5").stdout)["privacy"][1]
    assert some["noise"] == 1.5
    assert some["epsilon"] > 0.0
    assert some["delta"] == 1e-4
    none = train(*words, "--noise", "0")
    assert json.loads(none.stdout)["privacy"][1]["epsilon"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epsilon", "3"), "are of --private"),
        (("--private", "--epsilons", "1,x"), "is no list of numbers"),
        (("--private", "--noise", "1", "--epsilon", "3"), "not both"),
        (("--private", "--epsilon", "0"), "an epsilon lies above 0"),
        (("--private", "--delta", "1"), "a delta lies between 0 and 1"),
        (("--private", "--clip", "0"), "a clipping norm lies above 0"),
        (("--private", "--workers", "2"), "has one worker"),
        (("--set", "noise=1"), "write clip too"),
    ],
)
def test_wrong_options_are_one_sentence_and_exit_2(words: tuple[str, ...], message: str) -> None:
    result = train("mlp-3-5-2", *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output

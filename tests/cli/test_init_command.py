"""`dcsim init`: starters that are right as they are written."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dcsim.cli.main import app
from dcsim.scenario import load_scenario
from dcsim.scenario.templates import templates


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def dcsim(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("name", sorted(templates()))
def test_every_template_is_a_valid_scenario_of_its_name(name: str) -> None:
    assert dcsim("init", name).exit_code == 0
    assert load_scenario(f"{name}.yaml").name == name
    assert dcsim("check", f"{name}.yaml").exit_code == 0
    text = Path(f"{name}.yaml").read_text()
    assert text.startswith("# ")
    assert max(map(len, text.splitlines())) <= 100


def test_without_a_name_they_are_listed() -> None:
    ended = dcsim("init")
    assert ended.exit_code == 0
    assert {"pretrain", "mixed-cluster", "real-jobs"} <= set(ended.stdout.split())
    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert not list(Path().iterdir())


def test_a_file_is_replaced_only_when_asked() -> None:
    Path("mine.yaml").write_text("mine")
    ended = dcsim("init", "pretrain", "mine.yaml")
    assert ended.exit_code == 2
    assert "--force" in ended.stderr
    assert Path("mine.yaml").read_text() == "mine"
    assert dcsim("init", "pretrain", "mine.yaml", "--force").exit_code == 0
    assert load_scenario("mine.yaml").name == "pretrain"


def test_a_wrong_name_and_a_wrong_place_give_one_sentence() -> None:
    wrong = dcsim("init", "pretrian")
    assert wrong.exit_code == 2
    assert "pretrain" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1
    assert dcsim("init", "pretrain", "no/such/place.yaml").exit_code == 2

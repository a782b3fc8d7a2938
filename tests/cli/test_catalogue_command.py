import json

import pytest
from typer.testing import CliRunner

from dcsim import catalogue
from dcsim.cli.main import app


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["catalogue", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_without_arguments_the_kinds_are_counted() -> None:
    text = run()
    for kind in catalogue.kinds():
        assert kind in text


@pytest.mark.parametrize("kind", catalogue.kinds())
def test_every_kind_fits_the_terminal_and_names_everything(kind: str) -> None:
    text = run(kind)
    assert all(len(line) <= 80 for line in text.splitlines())
    for name in catalogue.names(kind):
        assert name in text


@pytest.mark.parametrize("kind", catalogue.kinds())
def test_every_entry_can_be_shown_in_full_and_as_json(kind: str) -> None:
    for name in catalogue.names(kind)[:3]:
        text = run(kind, name)
        assert all(len(line) <= 80 for line in text.splitlines())
        json.loads(run(kind, name, "--json"))
    json.loads(run(kind, "--json"))


def test_an_entry_tells_where_each_figure_comes_from() -> None:
    text = " ".join(run("node", "dgx-h100").split())
    assert "Latif et al." in text
    assert "median over aws, azure, lambda, nebius, verda" in text
    assert "from memory" in text


@pytest.mark.parametrize("arguments", [["nodez9"], ["nodes", "hgx-h10"]])
def test_an_unknown_name_exits_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["catalogue", *arguments])
    assert result.exit_code == 2
    assert "there is no" in result.stderr

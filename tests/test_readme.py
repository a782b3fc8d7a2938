"""What the README shows is true: its commands, scenarios, files and Python example."""

import re
from pathlib import Path

import pytest

from dcsim.cli.main import COMMANDS
from dcsim.scenario import load_scenario

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_promises_only_commands_that_there_are() -> None:
    shown = set(re.findall(r"^\| `dcsim ([a-z]+)", README, flags=re.MULTILINE))
    assert shown <= set(COMMANDS)
    assert len(shown) > len(COMMANDS) / 2


def test_every_scenario_is_shown_and_loads() -> None:
    shown = set(re.findall(r"^\| `([a-z0-9-]+\.yaml)`", README, flags=re.MULTILINE))
    assert shown == {path.name for path in (ROOT / "scenarios").glob("*.yaml")}
    for name in sorted(shown):
        load_scenario(ROOT / "scenarios" / name)


def test_every_file_that_is_named_exists() -> None:
    named = re.findall(r"\]\(([^)h][^)]*)\)|`((?:benchmarks|docs|tests)/[\w./-]+)`", README)
    for link, path in named:
        assert (ROOT / (link or path)).exists(), link or path


def test_the_python_example_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert "hgx" in capsys.readouterr().out

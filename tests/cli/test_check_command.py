import json
from pathlib import Path

import pytest
from strategies import COMPLETE, SCENARIOS
from typer.testing import CliRunner

from dcsim.cli.main import app

PRETRAIN = SCENARIOS / "pretrain-llama3-8b.yaml"


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.yaml"
    path.write_text(COMPLETE.replace("400 Gb/s", "400 Gb").replace("spares: 1", "spars: 1"))
    return path


def test_a_right_scenario_is_told_with_its_defaults() -> None:
    result = CliRunner().invoke(app, ["check", str(PRETRAIN)])
    assert result.exit_code == 0
    assert "ok" in result.output.splitlines()[0]
    assert "base.finish by 60 d" in result.output
    assert "workload.base.software: " in result.output
    assert all(len(line) <= 80 for line in result.output.splitlines()[1:])


def test_a_wrong_scenario_exits_2_with_a_line_for_each_fault(wrong: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(wrong)])
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{wrong}:")
    assert 'did you mean "spares"?' in lines[0]
    assert 'write "400 Gb/s"' in lines[1]


def test_json_is_one_document_either_way(wrong: Path) -> None:
    right = CliRunner().invoke(app, ["check", str(PRETRAIN), "--json"])
    assert right.exit_code == 0
    document = json.loads(right.stdout)
    assert document["ok"] is True
    assert document["faults"] == []
    assert {"field", "value", "reason"} == set(document["defaults"][0])

    faulty = CliRunner().invoke(app, ["check", str(wrong), "--json"])
    assert faulty.exit_code == 2
    document = json.loads(faulty.stdout)
    assert document["ok"] is False
    assert [fault["field"] for fault in document["faults"]] == [
        "policies.spars",
        "cluster.network.nic",
    ]


def test_the_schema_is_json() -> None:
    result = CliRunner().invoke(app, ["check", "--schema"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["title"] == "dcsim scenario"


@pytest.mark.parametrize("path", ["", "missing.yaml"])
def test_nothing_to_check_is_said(path: str, tmp_path: Path) -> None:
    arguments = ["check", str(tmp_path / path)] if path else ["check"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_directory_without_results_is_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert result.exit_code == 2
    assert "manifest.json" in result.stderr

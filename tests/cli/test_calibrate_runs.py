"""`dcsim calibrate --runs`: own measurements move the profile that other commands use."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dcsim.calibration.build_training_fit import published_rows
from dcsim.calibration.profiles import load_profile
from dcsim.cli.main import app

SLOWER = 1.3


def _dcsim(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six published runs as they would be on a system that is 30 % slower."""
    rows = [row for row in published_rows() if row["source_group"] == "sc21"][:6]
    path = tmp_path_factory.mktemp("own") / "runs.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {"iteration_s": str(SLOWER * float(row["iteration_s"]))})
    return path


def test_errors_before_and_after_and_a_profile_that_estimate_reads(own: Path) -> None:
    profile = own.parent / "profile.json"
    result = _dcsim("calibrate", "--runs", own, "--out", profile, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["own_runs"] == 6
    assert document["held_out"]["median"] < document["before"]["median"]
    assert document["before"]["bias"] < 0.0
    assert document["moved"]
    moved = load_profile(profile).training.parameters
    assert all(moved[m["name"]] == m["after"] for m in document["moved"])
    plain = json.loads(_dcsim("estimate", "training", own, "--json").stdout)["errors"][0]
    mine = json.loads(_dcsim("estimate", "training", own, "--json", "--profile", profile).stdout)[
        "errors"
    ][0]
    assert mine["median"] < plain["median"]


def test_text_names_both_errors_in_80_columns(own: Path) -> None:
    result = _dcsim("calibrate", "--runs", own)
    assert result.exit_code == 0, result.output
    assert "before (published runs only)" in result.stdout
    assert "held out" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_file_without_measurements_is_refused_by_name(own: Path) -> None:
    bare = own.parent / "bare.csv"
    bare.write_text("layers,hidden\n12,1024\n")
    result = _dcsim("calibrate", "--runs", bare)
    assert result.exit_code == 2
    assert "bare.csv" in result.output
    assert "iteration_s" in result.output

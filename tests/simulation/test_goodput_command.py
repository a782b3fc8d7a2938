"""`dcsim goodput` against the closed form and with wrong input."""

import json

import pytest
from typer.testing import CliRunner

from dcsim.cli.main import app

PUBLISHED = ["--work", "500h", "--write", "5min", "--restart", "10min", "--mtbf", "24h"]


def run(*arguments):
    return CliRunner().invoke(app, ["goodput", *arguments])


def document(*arguments):
    outcome = run(*arguments, "--json")
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.stdout)


@pytest.mark.parametrize(
    "more", [["--segments", "256"], ["--interval", "2h"], ["--interval", "7h"], []]
)
def test_simulation_meets_the_closed_form(more):
    result = document(*PUBLISHED, *more)
    simulated = result["simulated_s"]
    error, expected = simulated["standard_error"], result["closed_form_s"]
    assert error <= 0.003 * expected
    assert abs(simulated["value"] - expected) <= max(0.01 * expected, 3 * error)
    assert simulated["low"] < simulated["value"] < simulated["high"]
    assert result["ettr"] == pytest.approx(500 * 3600 / simulated["value"])
    assert result["best_interval_s"] / 60 == pytest.approx(117, abs=0.5)


def test_a_minute_less_restart_is_worth_a_minute_a_failure_and_a_little_more():
    result = document(*PUBLISHED)
    saved = result["minute_less_restart_s"]
    assert saved == pytest.approx(60 * result["expected_failures"], rel=0.001)
    assert saved < 60 * result["expected_failures"]  # failures while restarting become fewer too
    assert document(*PUBLISHED[:4], "--restart", "0s", *PUBLISHED[6:])["minute_less_restart_s"] == 0


def test_one_seed_one_document():
    assert document(*PUBLISHED) == document(*PUBLISHED)
    assert document(*PUBLISHED, "--seed", "1") != document(*PUBLISHED)


def test_text_fits_the_terminal():
    outcome = run(*PUBLISHED, "--segments", "256")
    assert outcome.exit_code == 0
    assert max(map(len, outcome.stdout.splitlines())) <= 80
    assert "closed form" in outcome.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*PUBLISHED, "--segments", "2", "--interval", "1h"], "not both"),
        ([*PUBLISHED[:-1], "soon"], "--mtbf"),
        ([*PUBLISHED[:-1], "0 s"], "above 0"),
        ([*PUBLISHED, "--interval", "0 s"], "above 0"),
        ([*PUBLISHED, "--interval", "300h"], "checkpoint every 1.94 h is best"),
    ],
)
def test_wrong_input_is_told_in_one_sentence(arguments, message):
    outcome = run(*arguments)
    assert outcome.exit_code == 2
    assert message in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 1

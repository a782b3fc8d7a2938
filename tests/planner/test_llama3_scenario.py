"""The shipped scenario of Llama 3's 54 days against what was published."""

from pathlib import Path

import pytest

from dcsim.calibration import reference_profile
from dcsim.planner import run
from dcsim.scenario import load_scenario


@pytest.mark.slow
def test_effective_time_and_interruptions_are_as_published():
    scenario = load_scenario(Path(__file__).parents[2] / "scenarios" / "llama3-54-days.yaml")
    metrics = run(scenario, reference_profile(), seed=scenario.seed).summary["metrics"]
    ettr, failures = metrics["total.ettr"], metrics["total.failures"]
    assert 0.90 < ettr["low"] < ettr["high"] < 0.97
    assert failures["low"] <= 466 <= failures["high"]

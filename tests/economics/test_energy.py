"""Energy and carbon against published training runs."""

import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.economics import ACTIVITY, activity, carbon_kg, energy_kwh
from dcsim.records import LEDGER_CLASSES

# Name, device-hours, mean watts a device, PUE, kg CO2e per kWh, printed MWh, printed tonnes.
# GPT-3: Patterson et al. 2021 (arXiv 2104.10350); OPT: LLaMA (arXiv 2302.13971) Table 15;
# Llama 2: its MODEL_CARD; BLOOM: Luccioni et al. 2022 (arXiv 2211.02001), dynamic part.
PUBLISHED = [
    ("GPT-3", 3_552_000, 330, 1.10, 0.429, 1287.0, 552.1),
    ("T5-11B", 245_760, 310, 1.12, 0.545, 85.7, 46.7),
    ("GShard-600B", 76_186, 288, 1.09, 0.177, 24.1, 4.3),
    ("OPT-175B", 809_472, 400, 1.10, 0.385, 356.0, 137.0),
    ("Llama2-7B", 184_320, 400, 1.10, 0.385, None, 31.22),
    ("Llama2-70B", 1_720_320, 400, 1.10, 0.385, None, 291.42),
    ("BLOOM", 1_082_990, 400, 1.00, 0.057, 433.196, 24.69),
]


@pytest.mark.parametrize("run", PUBLISHED, ids=lambda run: run[0])
def test_published_runs_follow_within_one_percent(run: tuple) -> None:
    _, hours, watts, pue, intensity, printed_mwh, printed_t = run
    mwh = float(energy_kwh(hours * 3600.0, watts, pue)) / 1e3
    if printed_mwh is not None:
        assert mwh == pytest.approx(printed_mwh, rel=0.01)
        mwh = printed_mwh  # So that the rounding of two printed figures does not add up.
    # Small figures are printed with two digits: half a unit of the last one counts as equal.
    assert carbon_kg(mwh, intensity) == pytest.approx(printed_t, rel=0.01, abs=0.05)


def test_every_complete_row_of_the_published_table_follows() -> None:
    folder = os.environ.get("DCSIM_TRUTH")
    if not folder:
        pytest.skip("DCSIM_TRUTH is not set: the published table is not here")
    checked = 0
    with (Path(folder) / "power_carbon.csv").open() as file:
        for row in csv.DictReader(file):
            inputs = dict(p.split("=") for p in row["inputs"].split("; ") if p.count("=") == 1)
            fields = ("device_hours", "avg_W", "pue", "kgCO2_per_kWh")
            if row["kind"] != "training_run" or any(not inputs.get(f) for f in fields):
                continue
            hours, watts, pue, intensity = (float(inputs[f]) for f in fields)
            mwh = float(energy_kwh(hours * 3600.0, watts, pue)) / 1e3
            if row["energy_MWh"]:
                # Some rows print whole MWh and whole tonnes.
                assert mwh == pytest.approx(float(row["energy_MWh"]), rel=0.01, abs=0.5)
                mwh = float(row["energy_MWh"])
            printed = float(row["tCO2e"])
            rounding = 0.5 if printed.is_integer() else 0.05
            assert carbon_kg(mwh, intensity) == pytest.approx(printed, rel=0.01, abs=rounding)
            checked += 1
    assert checked >= 7


@given(st.dictionaries(st.sampled_from(LEDGER_CLASSES), st.floats(0, 1e9), min_size=1))
def test_activity_lies_between_idle_and_busy(seconds: dict[str, float]) -> None:
    assert 0.0 <= float(activity(seconds)) <= 1.0 + 1e-12


def test_every_ledger_class_has_an_activity() -> None:
    assert set(ACTIVITY) == set(LEDGER_CLASSES)
    assert float(activity({"useful_training": 3.0, "spare": 1.0})) == pytest.approx(0.75)
    with pytest.raises(ValueError, match="not a ledger class"):
        activity({"sleeping": 1.0})

import json
from dataclasses import replace
from pathlib import Path

import pytest
from invented_machine import MACHINE, machine

from dcsim.calibration import load_profile, reference_profile, save_profile
from dcsim.calibration.identity import machine_warnings
from dcsim.calibration.summary import calibration_json, calibration_text
from dcsim.records import InputError
from dcsim.records.profile import HeldOutRow, Profile, TrainingFit

ROW = HeldOutRow("mlp", 1e-3, 1.1e-3, 9e-4, 1.2e-3, 0.02)
PROFILE = Profile(
    replace(machine(), held_out=(ROW,)),
    TrainingFit({"a.b": 1.5}, {"dense": 0.1}, {"rows": 3}),
    {"host": "invented"},
)


def test_a_profile_survives_the_way_to_disk_and_back(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    save_profile(PROFILE, path)
    assert load_profile(path) == PROFILE
    first = path.read_bytes()
    save_profile(load_profile(path), path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 1}', '{"version": 99}'])
def test_a_damaged_profile_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"broken\.json") as caught:
        load_profile(path)
    assert "calibrate" in str(caught.value)


def test_a_missing_profile_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="existing file"):
        load_profile(tmp_path / "none.json")


def test_fields_of_a_later_version_are_ignored() -> None:
    document = json.loads(json.dumps(PROFILE.to_json()))
    document["host"]["machine"]["colour"] = "blue"
    document["training"]["extra"] = 1
    assert Profile.from_json(document) == PROFILE


def test_the_reference_names_its_machine_and_its_held_out_error() -> None:
    host = reference_profile().host
    assert host.machine.cpu
    assert host.noise > 0.0
    assert len(host.held_out) >= 12
    assert all(op.overhead_s > 0.0 and op.peak_flops > 0.0 for op in host.operators.values())
    for name in ("gemm.nn.f4", "gemm.nn.f8", "batched_gemm.nn.f4"):
        assert all(knee > 0.0 for knee in host.operators[name].shape_knee)


def test_another_machine_is_warned_of() -> None:
    other = replace(MACHINE, cpu="other", numpy="1")
    warnings = machine_warnings(PROFILE, other)
    assert len(warnings) == 2
    assert "other" in warnings[0]
    assert machine_warnings(PROFILE, MACHINE) == ()


def test_the_json_document_has_the_form_of_the_design() -> None:
    document = calibration_json(PROFILE.host)
    assert list(document) == ["machine", "seconds", "operators", "held_out"]
    assert list(document["operators"][0]) == [
        "name",
        "overhead_s",
        "peak_flops",
        "bandwidth_bytes_per_s",
        "median_error",
    ]
    assert list(document["held_out"]) == [
        "n",
        "median_error",
        "p90_error",
        "bias",
        "coverage90",
        "repeat_median",
        "repeat_p90",
        "rows",
    ]
    assert list(document["held_out"]["rows"][0]) == [
        "name",
        "measured_s",
        "predicted_s",
        "low_s",
        "high_s",
    ]
    json.dumps(document, allow_nan=False)


def test_the_text_fits_a_terminal() -> None:
    text = calibration_text(reference_profile().host)
    assert max(map(len, text.splitlines())) <= 80
    assert "median error" in text

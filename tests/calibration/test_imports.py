"""Logs of a user's own tools: what they say, what is wrong with bad ones, what they change."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import dcsim
from dcsim.calibration import load_profile, reference_profile
from dcsim.calibration.imports import READERS, with_logs
from dcsim.cli.main import app
from dcsim.planner.measured import with_measurements
from dcsim.records import InputError

ROOT = Path(__file__).parents[2]
SAMPLES = {
    "nccl": "nccl-all-reduce.txt",
    "fio": "fio.json",
    "dcgm": "dcgm-power.csv",
    "failures": "failures.csv",
    "vllm": "vllm-serving.json",
}
LOGS = {name: ROOT / "scenarios" / "samples" / file for name, file in SAMPLES.items()}
SCENARIO = ROOT / "scenarios" / "pretrain-llama3-8b.yaml"


def test_a_sample_of_each_format_is_labelled_and_read() -> None:
    assert set(LOGS) == set(READERS)
    for name, path in LOGS.items():
        assert "SAMPLE" in path.read_text(encoding="utf-8")
        assert READERS[name](path).source.endswith(path.name)


def test_the_figures_behind_the_samples_come_back() -> None:
    link = READERS["nccl"](LOGS["nccl"])
    assert (link.accelerator, link.tier) == ("H100-SXM", "inside")
    assert link.share == pytest.approx(0.82, rel=0.03)
    assert link.step_s == pytest.approx(5.5e-6, rel=0.1)
    peak = READERS["fio"](LOGS["fio"])
    assert peak.read_bytes_per_s == 21474836480 + 21116922538
    assert peak.write_bytes_per_s == 16106127360
    curve = READERS["dcgm"](LOGS["dcgm"])
    assert curve.idle_w == pytest.approx(98.0, abs=6.0)
    assert curve.busy_w == pytest.approx(608.0, abs=10.0)


def test_failure_rates_have_exact_poisson_intervals() -> None:
    log = READERS["failures"](LOGS["failures"])
    hardware, exposure_s = log.classes["hardware"], 1024 * 60 * 86400.0
    assert hardware.count == 14
    assert hardware.per_accelerator_s * exposure_s == pytest.approx(14.0)
    # Garwood's 90 % bounds of 14 events.
    assert hardware.low_per_accelerator_s * exposure_s == pytest.approx(8.464, abs=0.001)
    assert hardware.high_per_accelerator_s * exposure_s == pytest.approx(21.886, abs=0.001)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("nccl", "hello", "does not name its test"),
        ("nccl", "# all_reduce_perf", "no # Rank lines"),
        ("fio", "[]", "not the JSON"),
        ("fio", '{"jobs": []}', 'no list "jobs"'),
        ("fio", '{"jobs": [{"read": {"bw_bytes": "fast"}}]}', "bw_bytes"),
        ("dcgm", "a,b\n1,2\n", "modelName"),
        ("failures", "time,class\n2026-01-01,hardware\n", "accelerators"),
        ("failures", "# accelerators: 8\n# from: x\n# to: y\ntime,class\n1,2\n", "# from"),
        ("vllm", "{}", "model_id"),
        ("vllm", '{"model_id": "m"}', "request_throughput"),
    ],
)
def test_a_bad_log_is_one_clear_sentence(name: str, text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        READERS[name](path)
    (fault,) = caught.value.faults
    assert fault.file == str(path)
    assert says in fault.message
    assert "\n" not in fault.message


def test_logs_are_added_to_the_profile_at_out(tmp_path: Path) -> None:
    out = tmp_path / "mine.json"
    runner = CliRunner()
    for name in ("fio", "failures"):
        answer = runner.invoke(app, ["calibrate", f"--{name}", str(LOGS[name]), "--out", str(out)])
        assert answer.exit_code == 0, answer.output
    known = load_profile(out).measured
    assert known.storage is not None
    assert known.failures is not None
    assert runner.invoke(app, ["calibrate", "--fio", str(LOGS["fio"])]).exit_code == 2


def test_every_log_changes_what_a_scenario_is_planned_with() -> None:
    profile, scenario = with_logs(reference_profile(), LOGS), dcsim.load_scenario(SCENARIO)
    seen = with_measurements(scenario, profile.measured)
    storage = seen.cluster.storage
    total = storage.servers * storage.system.server_read_bytes_per_s
    assert total == pytest.approx(21474836480 + 21116922538)
    assert seen.policies.failures is not None
    assert set(seen.policies.failures.per_accelerator_s) == {
        "hardware",
        "maintenance",
        "network",
        "software",
    }
    for before, after in zip(scenario.cluster.groups, seen.cluster.groups, strict=True):
        same = before.node == after.node
        assert same == (before.node.accelerator != "H100-SXM")
    assert profile.training.parameters["network.inner"] == profile.measured.links[0].share
    assert with_measurements(scenario, reference_profile().measured) == scenario
    assert profile.measured.serving[0].requests_per_s == 7.85


@pytest.mark.slow
def test_the_failure_log_reaches_a_run(tmp_path: Path) -> None:
    log = tmp_path / "failures.csv"
    text = LOGS["failures"].read_text(encoding="utf-8")
    log.write_text(text.replace("accelerators: 1024", "accelerators: 16"), encoding="utf-8")
    profile = with_logs(reference_profile(), {"failures": log})
    default, own = (
        dcsim.run(SCENARIO, profile=one).tables["ledger"].set_index("ledger_class")["seconds"]
        for one in (reference_profile(), profile)
    )
    assert own["useful_training"] / own.sum() < default["useful_training"] / default.sum()

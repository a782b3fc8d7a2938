import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest
from invented_machine import MACHINE, machine, timings
from typer.testing import CliRunner

from dcsim.calibration import calibrate, load_profile, reference_profile
from dcsim.calibration.calibrate import calibrate_host, held_out_report
from dcsim.calibration.cases import cases
from dcsim.calibration.models import StepSpec
from dcsim.calibration.operands import Setting
from dcsim.calibration.steps import step_times
from dcsim.calibration.timing import busy_share, time_round
from dcsim.cli.main import app

CONTEXT = 1.3


class Stages:
    """Remembers what was reported, and that progress never runs backwards."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.total = 0

    def start(self, stage: str, what: str, total: int | None = None) -> None:
        self.done, self.total = [0], total or 0

    def advance(self, done: int) -> None:
        assert self.done[-1] <= done <= self.total
        self.done.append(done)

    def finish(self, note: str = "") -> None:
        assert self.done[-1] == self.total


class InventedWorker:
    """Answers like a timing process of the invented machine, where calls in a step are dearer."""

    made = 0
    cores = 2
    steps: ClassVar[dict[str, float]] = {}

    def __init__(self, threads: int, keeps_memory: bool) -> None:
        InventedWorker.made += 1
        self.rng = np.random.default_rng(InventedWorker.made)
        self.setting = Setting(threads, keeps_memory)
        self.calls = np.empty(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        InventedWorker.made -= 1

    def call(self, function: Any, *arguments: Any) -> Any:
        if function is time_round:
            assert arguments[1:3] == (self.cores, self.setting)
            if not self.calls.size:
                chosen = [case for case in cases(True, self.cores) if case.setting == self.setting]
                self.calls = timings(chosen, noise=0.0, seed=0)
            return self.calls * np.exp(0.03 * self.rng.standard_normal(len(self.calls)))
        spec: StepSpec = arguments[0]
        if spec.name not in self.steps:
            host = replace(machine(), overhead_factor=CONTEXT)
            assert spec.setting == self.setting
            self.steps[spec.name] = float(step_times([spec.calls()], host)[0])
        return self.steps[spec.name] * float(np.exp(abs(0.02 * self.rng.standard_normal())))

    def send(self, function: Any) -> None:
        assert function is busy_share

    def receive(self) -> tuple[bool, float]:
        return True, 1.0 if self.cores > 1 else 0.5


@pytest.fixture
def invented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "Worker", InventedWorker)
    monkeypatch.setattr(calibrate, "machine_identity", lambda: MACHINE)


@pytest.mark.usefixtures("invented")
def test_all_cores_are_timed_only_where_no_other_work_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ExitStack() as stack:
        assert [s.threads for s in calibrate._start_workers(stack)] == [1, 1, 2]
    monkeypatch.setattr(InventedWorker, "cores", 1)
    with ExitStack() as stack:
        assert [s.threads for s in calibrate._start_workers(stack)] == [1, 1]
    assert InventedWorker.made == 0


@pytest.mark.usefixtures("invented")
def test_a_calibration_of_the_invented_machine_predicts_its_steps() -> None:
    host = calibrate_host(True, Stages())
    assert InventedWorker.made == 0
    assert sorted(host.other_spread) == ["fresh", "threads"]
    assert any(name.endswith(".t2") for name in host.operators)
    report = held_out_report(host.held_out)
    assert report["n"] == 17
    assert report["median_error"] < 0.03
    assert report["p90_error"] < 0.08
    assert report["coverage90"] >= 0.75
    assert host.overhead_factor == pytest.approx(CONTEXT, rel=0.15)
    assert 0.0 < host.noise < 0.05


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    host = reference_profile().host
    monkeypatch.setattr(calibrate, "calibrate_host", lambda quick, progress: host)


@pytest.mark.usefixtures("measured")
def test_json_is_one_document_on_standard_output() -> None:
    result = CliRunner().invoke(app, ["calibrate", "--quick", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["held_out"]["n"] >= 12


@pytest.mark.usefixtures("measured")
def test_out_writes_a_profile_and_the_default_stays(tmp_path: Path) -> None:
    before, out = reference_profile(), tmp_path / "mine.json"
    result = CliRunner().invoke(app, ["calibrate", "--out", str(out)])
    assert result.exit_code == 0
    written = load_profile(out)
    assert written.host == before.host
    assert written.training == before.training
    assert reference_profile() == before


@pytest.mark.usefixtures("measured")
def test_a_directory_that_is_missing_is_named_before_anything_is_measured(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["calibrate", "--out", str(tmp_path / "none" / "p.json")])
    assert result.exit_code == 2
    assert "create it" in result.stderr


@pytest.mark.slow
def test_this_machine_is_predicted_within_the_first_bar() -> None:
    report = held_out_report(calibrate_host(True, Stages()).held_out)
    assert report["n"] >= 12
    assert report["median_error"] <= 0.15

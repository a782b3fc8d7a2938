from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from invented_machine import MACHINE, machine

from dcsim.calibration.chain import chain
from dcsim.calibration.steps import host_step_time
from dcsim.calibration.transfer import KNEE, carried_over, product_knee
from dcsim.calibration.update import StepObservation, observe_steps, update_with_runs
from dcsim.catalogue.records import Accelerator
from dcsim.records import Source
from dcsim.records.profile import Profile, TrainingFit
from dcsim.records.real_run import RealRun
from dcsim.training.models import build_mlp

PROFILE = Profile(machine())
CALLS = tuple(build_mlp([40, 60, 5]).operators(32))


def run(seconds: float, name: str = "probe") -> RealRun:
    values: dict[str, Any] = dict.fromkeys(RealRun.__dataclass_fields__, 0)
    values |= {
        "name": name,
        "job": "classifier",
        "step_s": (9.0, 9.0, *([seconds] * 40)),
        "operators": CALLS,
        "losses": (),
        "cached": False,
    }
    return RealRun(**values)


def predicted(profile: Profile) -> float:
    return host_step_time(CALLS, profile.host).value


def test_a_slower_step_moves_the_prediction_towards_it_but_not_past_it() -> None:
    before = predicted(PROFILE)
    after = predicted(update_with_runs(PROFILE, [run(1.3 * before)], MACHINE))
    assert before < after <= 1.3 * before
    more = predicted(
        update_with_runs(PROFILE, [run(1.3 * before), run(1.3 * before, "again")], MACHINE)
    )
    assert after < more <= 1.3 * before


def test_observations_shrink_the_uncertainty_of_what_they_depend_on() -> None:
    updated = update_with_runs(PROFILE, [run(predicted(PROFILE))], MACHINE).host
    assert updated.uncertainty["overhead_factor"] < PROFILE.host.uncertainty["overhead_factor"]
    for name, operator in updated.operators.items():
        for field, deviation in operator.uncertainty.items():
            assert deviation <= PROFILE.host.operators[name].uncertainty[field] + 1e-12
    untouched = "batched_gemm.nn.f4"
    assert updated.operators[untouched] == PROFILE.host.operators[untouched]


def test_a_profile_of_another_machine_gives_way_sooner() -> None:
    seconds = 2.0 * predicted(PROFILE)
    here = update_with_runs(PROFILE, [run(seconds)], MACHINE)
    elsewhere = update_with_runs(PROFILE, [run(seconds)], replace(MACHINE, cpu="another"))
    assert predicted(here) < predicted(elsewhere) <= seconds
    assert predicted(elsewhere) > 0.8 * seconds


def test_no_runs_change_nothing_and_order_does_not_matter() -> None:
    assert update_with_runs(PROFILE, [], MACHINE) is PROFILE
    one, two = run(1e-3, "one"), run(2e-3, "two")
    first, second = (
        update_with_runs(PROFILE, [one, two], MACHINE),
        update_with_runs(PROFILE, [two, one], MACHINE),
    )
    assert first == second


def test_many_steps_recover_how_much_dearer_calls_are_in_a_step() -> None:
    truth = replace(machine(), overhead_factor=1.6)
    believed = machine(uncertainty=0.02)
    steps = [build_mlp([4, w, 2]).operators(b) for w in (3, 8, 20) for b in (1, 8, 64)]
    observations = [
        StepObservation(host_step_time(calls, truth).value, tuple(calls), 0.02) for calls in steps
    ]
    assert observe_steps(believed, observations).overhead_factor == pytest.approx(1.6, rel=0.05)


def test_one_wild_reading_counts_little() -> None:
    steps = [tuple(build_mlp([4, w, 2]).operators(16)) for w in (3, 5, 8, 12, 20, 30)]
    seconds = [host_step_time(calls, PROFILE.host).value for calls in steps]
    wild = [StepObservation(s, c, 0.05) for s, c in zip(seconds, steps, strict=True)]
    wild[0] = replace(wild[0], seconds=20 * seconds[0])
    after = observe_steps(PROFILE.host, wild)
    moved = [host_step_time(calls, after).value for calls in steps[1:]]
    assert np.max(np.abs(np.log(np.array(moved) / seconds[1:]))) < 0.1


def test_the_chain_leads_from_the_step_to_the_accelerator() -> None:
    accelerator = Accelerator(
        "chip",
        "v",
        "f",
        {"bf16": 1e15},
        8e10,
        4e12,
        5e7,
        4.5e11,
        "link",
        700.0,
        8e14,
        "2023",
        Source("sheet", "sourced"),
    )
    rows = chain(PROFILE, accelerator, [run(1e-3)])
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    assert stages == [
        "measured step",
        "predicted step",
        "operator curve",
        "data sheet",
        "accelerator curve",
    ]
    values = {(row["stage"], row["item"]): row["value"] for row in rows}
    assert values["measured step", "probe"] == 1e-3
    ridge = values["accelerator curve", "chip ridge"]
    assert ridge == pytest.approx(250.0)
    knee = values["accelerator curve", "knee of products used"]
    assert knee == pytest.approx(product_knee(PROFILE.host))
    assert values["accelerator curve", "chip knee × ridge"] == pytest.approx(knee * ridge)


def test_the_knee_of_accelerators_follows_that_of_the_host_a_little() -> None:
    published = TrainingFit({KNEE: 2.0, "other": 1.0})
    before, after = machine(), machine()
    operators = {
        name: replace(op, shape_knee=tuple(2.0 * knee for knee in op.shape_knee))
        for name, op in after.operators.items()
    }
    after = replace(after, operators=operators)
    assert product_knee(after) == pytest.approx(2.0 * product_knee(before))
    moved = carried_over(published, before, after).parameters
    assert 2.0 < moved[KNEE] < 2.0 * 2.0**0.2
    assert moved["other"] == 1.0
    assert carried_over(published, before, before) == published
    assert carried_over(TrainingFit(), before, after) == TrainingFit()

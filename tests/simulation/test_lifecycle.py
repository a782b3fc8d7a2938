"""A life cycle walks its state machine as often as theory says, on a cluster that audits it."""

from collections import Counter
from dataclasses import replace
from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.records import InputError
from dcsim.simulation import (
    CheckSpec,
    DriftSpec,
    FailureClass,
    LifecycleSpec,
    PoolSpec,
    ServiceSpec,
    SimulationSpec,
    StageJobSpec,
    StageSpec,
    StorageSpec,
    TrainingJobSpec,
    simulate,
)
from dcsim.simulation.lifecycle import (
    CLEAN,
    COLLECT,
    MONITOR,
    REJECTED,
    STAGES,
    TRAIN,
    Kept,
    Limits,
    Tries,
    byte_seconds,
    expected_loops,
    expected_visits,
    following,
    held_bytes,
    peak_bytes,
    sustained_per_s,
)
from dcsim.simulation.requests import answered, mean_wait_s, waiting_times

DAY = 86400.0
GPUS = PoolSpec("gpus", "hgx-h100", 4, 8, 50e9)
CPUS = PoolSpec("cpus", "cpu", 4, 1, 10e9, is_local=True)


def cluster(*cycles: LifecycleSpec, **changes: object) -> SimulationSpec:
    base = SimulationSpec(
        (GPUS, CPUS), (), StorageSpec(8, 10e9, 5e9), lifecycles=cycles, audit=True
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def stages(**own: StageSpec) -> dict[str, StageSpec]:
    base = {
        "collect": StageSpec((StageJobSpec("collect", "cpus", 1, 60.0, write_bytes=1e12),)),
        "preprocess": StageSpec((StageJobSpec("preprocess", "cpus", 4, 600.0, 1e12, 4e11),)),
        "gate": StageSpec((StageJobSpec("gate", "cpus", 1, 60.0, 4e11),)),
        "clean": StageSpec((StageJobSpec("clean", "cpus", 4, 300.0, 4e11, 4e11),), human_s=3600.0),
        "store": StageSpec(keeps={"features": 4e11}),
        "train": StageSpec((StageJobSpec("train", "gpus", 16, 3600.0, 4e11, 1e10),)),
        "evaluate": StageSpec((StageJobSpec("evaluate", "gpus", 8, 600.0, 1e10),)),
        "deploy": StageSpec(wait_s=1800.0),
    }
    return base | own


@pytest.mark.parametrize(
    ("p", "q", "limits"),
    [(0.6, 0.7, Limits()), (0.45, 0.35, Limits(cleanings=3, trainings=4))],
)
def test_loops_are_taken_as_often_as_the_closed_form_says(
    p: float, q: float, limits: Limits
) -> None:
    cycle = LifecycleSpec(
        "life",
        {},
        period_s=1e9,
        gate=CheckSpec(p),
        evaluation=CheckSpec(q),
        limits=limits,
        retrain=COLLECT,
        window_s=1.0,
        retrain_every_s=0.0,
        releases=1500,
    )
    record = simulate(cluster(cycle, audit=False), 5).lifecycles[0]
    expected = expected_loops(p, q, limits)
    releases = record.releases
    through = [r for r in releases if r.trainings]
    assert len(releases) == 1500
    _within_three_errors([r.cleanings for r in releases], expected.cleanings)
    _within_three_errors([r.trainings for r in through], expected.trainings)
    _within_three_errors([r.trainings for r in releases], expected.trainings_per_release)
    _within_three_errors([float(r.accepted) for r in releases], expected.accepted)
    if limits == Limits():
        assert expected.cleanings == pytest.approx((1 - p) / p)
        assert expected.trainings == pytest.approx(1 / q)
        assert all(r.accepted for r in releases)
    counts = Counter(visit.stage for visit in record.visits)
    visits = expected_visits(p, q, limits)
    assert counts["clean"] / 1500 == pytest.approx(visits["clean"], rel=0.1)
    assert counts["store"] / 1500 == pytest.approx(visits["store"], rel=0.1)


def _within_three_errors(samples: list[float] | list[int], expected: float) -> None:
    error = np.std(samples, ddof=1) / sqrt(len(samples))
    assert abs(np.mean(samples) - expected) <= 3.0 * error + 1e-12


@given(
    p=st.floats(0.05, 1.0),
    q=st.floats(0.05, 1.0),
    cleanings=st.integers(0, 6),
    trainings=st.integers(1, 6),
)
@settings(max_examples=50, deadline=None)
def test_closed_form_is_that_of_the_markov_chain(
    p: float, q: float, cleanings: int, trainings: int
) -> None:
    limits = Limits(cleanings, trainings)
    ours = expected_visits(p, q, limits)
    counts = _walk_all_paths(p, q, limits)
    for stage in STAGES:
        assert ours[stage] == pytest.approx(counts.get(stage, 0.0), abs=1e-9)


def _walk_all_paths(p: float, q: float, limits: Limits) -> dict[str, float]:
    """Probability of being in each state, pushed forward through the state machine."""
    mass: dict[tuple[str, Tries], float] = {(COLLECT, Tries()): 1.0}
    counts: dict[str, float] = {}
    while mass:
        ahead: dict[tuple[str, Tries], float] = {}
        for (stage, tries), share in mass.items():
            counts[stage] = counts.get(stage, 0.0) + share
            if stage == MONITOR:
                continue
            tries = tries.after(stage)
            chance = {"gate": p, "evaluate": q}.get(stage, 1.0)
            for passed, part in ((True, chance), (False, 1.0 - chance)):
                to = following(stage, passed, tries, limits, TRAIN)
                if part and to != REJECTED:
                    ahead[to, tries] = ahead.get((to, tries), 0.0) + share * part
        mass = ahead
    return counts


def test_unknown_stages_are_no_stages() -> None:
    with pytest.raises(ValueError, match="no stage"):
        following("dance", True, Tries(), Limits(), TRAIN)


def test_a_release_takes_the_time_of_its_stages() -> None:
    cycle = LifecycleSpec("life", stages(), period_s=1.0, releases=1)
    record = simulate(cluster(cycle), 0)
    life = record.lifecycles[0]
    # Storage: 8 × 10 GB/s read, 8 × 5 GB/s write; NICs of 10 and 50 GB/s a node.
    collect = 60 + 1e12 / 10e9
    preprocess = max(600, 1e12 / 40e9) + 4e11 / 40e9
    gate = max(60, 4e11 / 10e9)
    train = 3600 + 1e10 / 40e9
    expected = collect + preprocess + gate + train + 600 + 1800
    assert life.releases[0].duration_s == pytest.approx(expected, rel=1e-9)
    by_stage = {visit.stage: visit for visit in life.visits}
    assert dict(by_stage["train"].held_s) == {"gpus": pytest.approx(16 * train)}
    assert by_stage["train"].written_bytes == 1e10
    assert record.ledger.imbalance() < 1e-9


def test_training_is_a_job_with_checkpoints_and_failures() -> None:
    training = TrainingJobSpec(
        "train",
        accelerators=16,
        pool="gpus",
        steps=2000,
        step_s=10.0,
        checkpoint_bytes=1e11,
        checkpoint_interval_s=600.0,
        restore_bytes=1e11,
    )
    hardware = FailureClass("hardware", 3e-6, detect_s=60, restart_s=120, repair_s=1800)
    cycle = LifecycleSpec(
        "life", stages(train=StageSpec()), period_s=5 * DAY, training=training, retrain=TRAIN
    )
    service = ServiceSpec("gpus", 1, 4, 100.0, (0.01,))
    cycle = replace(cycle, service=service, retrain_every_s=DAY / 4)
    record = simulate(cluster(cycle, failures=(hardware,)), 3)
    assert record.stopped == "done"
    trained = [job for job in record.jobs if job.name.startswith("life.train.")]
    assert len(trained) == sum(r.trainings for r in record.lifecycles[0].releases)
    assert all(job.status == "done" for job in record.jobs)
    assert sum(job.failures for job in trained) > 0
    assert sum(job.failures for job in record.jobs if job.kind != "training") > 0
    assert record.ledger.imbalance() < 1e-9


def test_equal_seeds_give_equal_records_and_halving_a_stage_keeps_the_luck() -> None:
    slow = StageSpec(human_s=7200.0, human_spread=0.5)
    cycle = LifecycleSpec(
        "life",
        stages(deploy=slow),
        period_s=30 * DAY,
        gate=CheckSpec(0.5),
        evaluation=CheckSpec(0.5),
        retrain_every_s=3 * DAY,
    )
    first, again = (simulate(cluster(cycle), 9).lifecycles for _ in range(2))
    assert first == again
    halved = replace(cycle, stages=stages(deploy=replace(slow, human_s=3600.0)))
    faster = simulate(cluster(halved), 9).lifecycles[0]
    pairs = list(zip(first[0].releases, faster.releases, strict=False))
    assert all((a.cleanings, a.trainings) == (b.cleanings, b.trainings) for a, b in pairs)
    assert faster.releases[0].duration_s < first[0].releases[0].duration_s


def test_real_outcomes_are_taken_in_turn() -> None:
    cycle = LifecycleSpec(
        "life",
        {},
        period_s=1e9,
        gate=CheckSpec(outcomes=((False, True), (True,))),
        evaluation=CheckSpec(outcomes=((False, False, True),)),
        retrain=COLLECT,
        window_s=1.0,
        retrain_every_s=0.0,
        releases=4,
    )
    releases = simulate(cluster(cycle), 0).lifecycles[0].releases
    assert [r.cleanings for r in releases] == [1, 0, 1, 0]
    assert [r.trainings for r in releases] == [3, 3, 3, 3]


def test_drift_is_seen_and_answered_by_a_release_that_cures_it() -> None:
    drift = DriftSpec(at_s=(4.5 * DAY,), before=(False,), after=(False, True))
    cycle = LifecycleSpec("life", stages(), period_s=20 * DAY, drift=drift)
    record = simulate(cluster(cycle), 1).lifecycles[0]
    assert [r.trigger for r in record.releases] == ["first", "drift"]
    seen = [window for window in record.windows if window.drifted]
    assert [window.alarm for window in seen] == [False, True]
    assert not any(window.drifted for window in record.windows if window.release == 2)


def test_the_horizon_cuts_a_life_cycle_without_loss() -> None:
    cycle = LifecycleSpec(
        "life", stages(), period_s=30 * DAY, service=ServiceSpec("gpus", 2, 2, 1.0, (0.1,))
    )
    record = simulate(cluster(cycle, horizon_s=2000.0), 0)
    assert record.stopped == "horizon"
    assert record.ledger.imbalance() < 1e-9
    assert not record.lifecycles[0].releases


def test_a_stage_and_its_service_must_fit_the_pool() -> None:
    service = ServiceSpec("gpus", 8, 3, 1.0, (0.1,))
    cycle = LifecycleSpec("life", stages(), period_s=DAY, service=service)
    with pytest.raises(InputError, match="wants 40 accelerators; pool gpus has 32"):
        simulate(cluster(cycle), 0)


def test_several_life_cycles_never_beat_the_bottleneck() -> None:
    demand = {"gpus": 16 * 3600.25 + 8 * 600.0}
    bound = sustained_per_s(demand, {"gpus": 32.0})["gpus"]
    cycles = [
        LifecycleSpec(
            f"life{number}",
            stages(deploy=StageSpec(), clean=StageSpec()),
            period_s=10 * DAY,
            retrain=TRAIN,
            retrain_every_s=0.0,
            window_s=1.0,
        )
        for number in range(6)
    ]
    record = simulate(cluster(*cycles, audit=False), 0)
    done = sum(len(life.releases) for life in record.lifecycles)
    assert 0.85 * bound * record.end_s < done <= bound * record.end_s


def test_what_is_kept_is_deleted_when_it_is_due() -> None:
    kept = [Kept("raw", 0.0, 3.0, 10.0), Kept("raw", 5.0, 4.0), Kept("models", 7.0, 1.0, 8.0)]
    assert held_bytes(kept, "raw", np.array([0.0, 5.0, 9.9, 10.0])).tolist() == [3, 7, 7, 4]
    assert peak_bytes(kept) == 8.0
    assert byte_seconds(kept, 20.0) == 3 * 10 + 4 * 15 + 1
    assert sustained_per_s({"a": 0.0}, {"a": 1.0}) == {"a": inf}


def test_waiting_times_are_lindleys() -> None:
    random = np.random.default_rng(0)
    gaps, services = random.exponential(1.0, 300), random.exponential(0.8, 300)
    wait, slow = 0.0, []
    for i in range(300):
        wait = 0.0 if i == 0 else max(wait + services[i - 1] - gaps[i], 0.0)
        slow.append(wait)
    assert np.allclose(waiting_times(gaps, services), slow)


def test_requests_wait_as_pollaczek_and_khinchine_say() -> None:
    random = np.random.default_rng(1)
    service = (0.01, 0.02, 0.09)
    waits, latency = answered(15.0, service, 300_000, random)
    assert np.mean(waits) == pytest.approx(mean_wait_s(15.0, np.array(service)), rel=0.05)
    assert np.mean(latency - waits) == pytest.approx(0.04, rel=0.01)
    assert mean_wait_s(25.0, np.array(service)) == inf


def test_cleaning_is_counted_when_it_is_done() -> None:
    assert Tries().after(CLEAN).after(TRAIN).after(TRAIN) == Tries(1, 2)

"""A rehearsal: its storage, its gangs, its cluster with killed workers, and its figures."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from dcsim.calibration import host_step_time, reference_profile
from dcsim.calibration.models import fit_specs
from dcsim.execution.rehearsal.cluster import Cluster
from dcsim.execution.rehearsal.figures import compare, median_outcome, median_times
from dcsim.execution.rehearsal.node import Shape, look_at
from dcsim.execution.rehearsal.nodes import Nodes
from dcsim.execution.rehearsal.pace import Pace, granted_share, slowed
from dcsim.execution.rehearsal.plan import (
    RehearsedJob,
    Times,
    at_load,
    constant_step,
    offered_load,
    predict,
    real_jobs,
    shortened,
)
from dcsim.execution.rehearsal.storage import CHUNK_BYTES, SharedStorage
from dcsim.records import InputError
from dcsim.scenario import load_scenario
from dcsim.scenario.resolved import Rehearsal
from dcsim.training.jobs import job as ready_job
from dcsim.training.run import run_job

SCENARIO = Path(__file__).parents[2] / "scenarios" / "local-cluster.yaml"
NODES = 2


@pytest.fixture(scope="module")
def nodes():
    with Nodes(NODES, 1) as started:
        yield started


@pytest.fixture
def storage(tmp_path):
    return SharedStorage(tmp_path, 1e9)


@pytest.fixture
def slow_storage(tmp_path):
    # 20 checkpoints of 0.4 MB take a second, so that a kill after 0.6 s meets a running job.
    return SharedStorage(tmp_path, 8e6)


def rehearsed(name, storage, kind="digits-mlp", **changes):
    more = {key: changes.pop(key) for key in ("submit_s", "kill_after_s") if key in changes}
    chosen = ready_job(kind, **changes)
    shape = look_at([chosen], storage)[0]
    fields = {"submit_s": 0.0, "priority": 0, "save_every": 10, "estimate_s": 1.0}
    return RehearsedJob(name, chosen, shape, 1e-3, **(fields | {"kill_after_s": None} | more))


def test_storage_gives_back_what_was_written(storage):
    content = np.random.default_rng(0).bytes(3 * CHUNK_BYTES + 5)
    storage.write("a", content)
    storage.write("b", b"")
    assert storage.has("a")
    assert not storage.has("c")
    assert storage.read("a") == content
    assert storage.read("b") == b""


def test_storage_keeps_its_rate_however_many_read_at_once(tmp_path):
    # A test never asserts how fast; that it is not faster than the limit must hold.
    storage = SharedStorage(tmp_path, 4e6)
    (tmp_path / "a").write_bytes(bytes(500_000))
    threads = [Thread(target=storage.read, args=("a",)) for _ in range(2)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun >= 2 * 500_000 / 4e6


def test_every_job_ends_as_it_would_alone(nodes, storage):
    jobs = [
        rehearsed("one", storage, max_steps=40),
        rehearsed("other", storage, "medical-classifier", max_steps=30),
    ]
    runs = Cluster(nodes, storage, ("easy", "best-fit")).run(jobs)
    for planned, run in zip(jobs, runs, strict=True):
        alone = run_job(planned.job)
        assert run.losses == tuple(alone.history.losses)
        assert run.computed_steps == planned.job.max_steps
        assert run.kills == 0
        assert 0.0 <= run.submit_s <= run.start_s < run.end_s


def test_a_killed_worker_costs_at_most_the_work_since_its_checkpoint(nodes, slow_storage):
    planned = rehearsed("victim", slow_storage, max_steps=200, epochs=50, kill_after_s=0.6)
    run = Cluster(nodes, slow_storage, ("easy", "best-fit")).run([planned])[0]
    assert run.kills == 1
    assert run.losses == tuple(run_job(planned.job).history.losses)
    # What the second worker computed begins at a checkpoint of the first.
    begun_at = planned.job.max_steps - run.computed_steps
    assert begun_at % planned.save_every == 0
    assert len(nodes) == NODES


def test_a_killed_gang_goes_on_as_one(nodes, slow_storage):
    planned = rehearsed("pair", slow_storage, workers=2, max_steps=200, epochs=50, kill_after_s=0.6)
    run = Cluster(nodes, slow_storage, ("easy", "best-fit")).run([planned])[0]
    alone = run_job(replace(planned.job, workers=1))
    assert run.kills == 1
    assert run.losses == pytest.approx(alone.history.losses, rel=1e-6)


def test_a_large_job_waits_and_a_short_one_goes_ahead(nodes, storage):
    first = rehearsed("first", storage, hidden="512-512", max_steps=150, epochs=50)
    pair = rehearsed("pair", storage, workers=2, max_steps=20)
    short = rehearsed("short", storage, max_steps=5)
    jobs = [
        replace(first, estimate_s=60.0),
        replace(pair, submit_s=0.001),
        replace(short, submit_s=0.002),
    ]
    runs = Cluster(nodes, storage, ("easy", "best-fit")).run(jobs)
    assert runs[2].start_s < runs[0].end_s <= runs[1].start_s


def test_a_job_that_fails_is_reported(nodes, storage):
    planned = rehearsed("broken", storage, max_steps=5)
    for data in storage.directory.glob("data-*"):
        data.unlink()
    with pytest.raises(FileNotFoundError):
        Cluster(nodes, storage, ("easy", "best-fit")).run([planned])


def shape(steps=100, values=1000):
    spec = fit_specs(quick=True)[1]
    calls = tuple(spec.build().operators(spec.batch))
    return Shape(
        operators=calls,
        evaluation=calls,
        evaluation_passes=2.0,
        validation_rows=600,
        task="classes",
        steps=steps,
        steps_per_epoch=50,
        data_bytes=1000,
        checkpoint_bytes=2000.0,
        values=values,
        dtype="float64",
    )


def pace(**changes):
    fields = {
        "host": reference_profile().host,
        "loop_s": 1e-6,
        "turn_s": 1e-5,
        "byte_s": 1e-9,
        "figures_s": {"classes": (1e-4, 2.5e-3)},
        "start_s": 0.0,
        "restart_s": 0.5,
        "granted": 1.0,
    }
    return Pace(**(fields | changes))


def planned_job(name="a", **changes):
    fields = {
        "job": ready_job("digits-mlp"),
        "shape": shape(),
        "step_s": 0.01,
        "submit_s": 0.0,
        "priority": 0,
        "save_every": 10,
        "estimate_s": 2.0,
        "kill_after_s": None,
    }
    return RehearsedJob(name, **(fields | changes))


def test_a_step_is_its_calls_its_loop_and_its_share_of_evaluations():
    one = shape()
    forward = host_step_time(one.operators, pace().host).value
    figures = 1e-4 + (2.5e-3 - 1e-4) / 2400 * 500
    assert pace().step_s(one, 1) == pytest.approx(
        forward + 1e-6 + 2 * (2 * forward + figures) / 100
    )


def test_an_exchange_takes_its_turns_and_its_bytes():
    # two ranks: two turns and the last word, every rank sums and copies half of 8000 bytes
    assert pace().exchange_s(shape(), 2) == pytest.approx(3e-5 + 8000 * 1e-9)
    assert pace().exchange_s(shape(), 4) == pytest.approx(7e-5 + 1.5 * 8000 * 1e-9)
    assert pace().exchange_s(shape(), 1) == 0.0


def test_a_slower_operator_takes_longer_in_every_limit():
    operator = next(iter(reference_profile().host.operators.values()))
    slow = slowed(operator, 2.0)
    assert slow.overhead_s == 2.0 * operator.overhead_s
    assert slow.peak_flops == operator.peak_flops / 2.0
    assert slow.bandwidth_bytes_per_s[-1] == operator.bandwidth_bytes_per_s[-1] / 2.0


def test_the_share_that_was_granted_counts_only_while_all_compute():
    marks = [[(0.0, 0.0), (10.0, 4.0)], [(2.0, 0.0), (6.0, 2.0), (12.0, 8.0)]]
    # from 2 s to 10 s: 3.2 s of the first, 2 s and then 4 s of the second
    assert granted_share(marks, 2) == pytest.approx(9.2 / 16.0)
    assert granted_share([[(0.0, 0.0), (1.0, 1.0)], [(2.0, 0.0), (3.0, 1.0)]], 1) == 1.0


def test_arrivals_are_stretched_to_the_load():
    jobs = [planned_job(submit_s=s) for s in (0.0, 1.0, 4.0)]
    assert offered_load(at_load(jobs, 1.5, 2.0), 2.0) == pytest.approx(1.5)
    assert at_load(jobs[:1], 1.5, 1.0) == jobs[:1]
    assert offered_load(jobs[:1], 1.0) == float("inf")


def test_a_shortened_job_has_less_of_everything_that_takes_time():
    cut = shortened([planned_job(kill_after_s=1.0)], 0.25)[0]
    assert cut.shape.steps == cut.job.max_steps == 25
    assert cut.shape.evaluations == 1
    assert (cut.estimate_s, cut.kill_after_s) == (0.5, 0.25)


def test_the_prediction_shares_processors_and_repeats_after_a_kill():
    policies = load_scenario(SCENARIO).policies
    cluster = Rehearsal(nodes=2, processors=None, storage_bytes_per_s=1e12, load=None)
    jobs = [planned_job("a"), planned_job("b")]
    assert [t.end_s for t in predict(jobs, pace(), policies, cluster, 1)] == pytest.approx(
        [2.0, 2.0], rel=1e-6
    )
    half = predict(jobs, pace(granted=0.5), policies, cluster, 1)
    assert half[0].end_s == pytest.approx(4.0, rel=1e-6)
    null = predict(jobs, pace(), policies, cluster, 1, constant_step(jobs))
    assert null[0].end_s == pytest.approx(2.0, rel=1e-6)
    killed = predict([planned_job(kill_after_s=0.55)], pace(), policies, cluster, 1)
    assert killed[0].end_s == pytest.approx(1.0 + 0.05 + 0.5, rel=1e-6)


def times(*rows):
    return [Times(*row) for row in rows]


def test_figures_of_a_known_case():
    measured = times((0, 0, 10, 1), (1, 3, 21, 1), (2, 6, 12, 1))
    predicted = times((0, 0, 11, 1), (1, 6, 25, 1), (2, 4, 12, 1))
    outcome = compare(measured, predicted)
    assert outcome.makespan_error == pytest.approx(25 / 21 - 1)
    assert outcome.wait_error == pytest.approx(7 / 6 - 1)
    assert outcome.median_completion_error == pytest.approx(0.1)
    assert outcome.kendall_tau == pytest.approx(1 / 3)
    assert compare(measured, measured).kendall_tau == 1.0


def test_medians_are_of_each_figure_by_itself():
    runs = [times((0, s, 10 * s, 1)) for s in (1.0, 3.0, 2.0)]
    assert median_times(runs) == times((0, 2.0, 20.0, 1))
    outcomes = [compare(run, runs[0]) for run in runs]
    assert median_outcome(outcomes).makespan_measured_s == 20.0


def test_errors_of_opposite_sign_do_not_cancel_over_runs():
    measured = [times((0, 1, end, 1)) for end in (8.0, 10.0, 12.5)]
    predicted = [times((0, 1, end, 1)) for end in (10.0, 12.0, 11.25)]
    outcome = median_outcome([compare(*pair) for pair in zip(measured, predicted, strict=True)])
    assert outcome.makespan_error == pytest.approx(0.2)
    assert outcome.wait_error == 0.0


def test_the_null_keeps_the_work_of_all_jobs():
    jobs = [planned_job(step_s=0.03), planned_job(shape=shape(steps=300), step_s=0.01)]
    constant = constant_step(jobs)
    assert constant == pytest.approx(0.015)
    assert 400 * constant == pytest.approx(sum(job.work_s for job in jobs))


def test_repeats_have_names_of_their_own_and_other_work_is_left_out():
    scenario = load_scenario(SCENARIO)
    first = replace(scenario.workload[0], repeats=2)
    found = real_jobs(replace(scenario, workload=(first,)))
    assert [work.name for work, _ in found] == ["letters", "letters-2"]
    with pytest.raises(InputError, match="no job of kind real"):
        real_jobs(replace(scenario, workload=()))


def test_the_scenario_has_what_a_rehearsal_needs():
    scenario = load_scenario(SCENARIO)
    found = real_jobs(scenario)
    assert len(found) >= 20
    assert scenario.policies.scheduler == "easy"
    assert scenario.rehearsal is not None
    assert scenario.rehearsal.load >= 0.9
    assert scenario.rehearsal.processors is None
    assert sum(work.kill_after_s is not None for work, _ in found) >= 3
    assert {chosen.workers for _, chosen in found} == {1, 2, 4}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("nodes: 4", "nodes: 2"), "4 workers are more than the 2 nodes"),
        (("nodes: 4", "nodes: 4\n  processors: 5"), "cannot use more than 4 processors"),
        (("kill: 2 s", "kill: 0 s"), "zero makes no sense"),
        (("storage: 60 MB/s", "storage: 60 MB"), "60 MB"),
    ],
)
def test_what_cannot_be_rehearsed_is_refused_in_a_sentence(tmp_path, change, message):
    path = tmp_path / "broken.yaml"
    path.write_text(SCENARIO.read_text().replace(*change))
    with pytest.raises(InputError) as caught:
        load_scenario(path)
    assert message in str(caught.value)


def children_of(folder: str) -> list[int]:
    """Processes that have this text in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if folder.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_an_interrupted_rehearsal(tmp_path, how):
    command = [sys.executable, "-m", "dcsim", "rehearse", str(SCENARIO), "--quick"]
    mark = f"DCSIM_TEST_MARK={tmp_path}"
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path)],
        env={**os.environ, "DCSIM_TEST_MARK": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (tmp_path / "prediction-1.json").exists() and process.poll() is None:
        time.sleep(0.2)
    time.sleep(3.0)
    assert len(children_of(mark)) > 1
    process.send_signal(how)
    process.wait(30)
    assert process.returncode == (130 if how == signal.SIGINT else -9)
    limit = time.monotonic() + 20
    while children_of(mark) and time.monotonic() < limit:
        time.sleep(0.2)
    assert not children_of(mark)


@pytest.mark.slow
def test_a_quick_rehearsal_prints_what_was_predicted_and_what_happened(tmp_path):
    command = [sys.executable, "-m", "dcsim", "rehearse", str(SCENARIO), "--quick", "--json"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], capture_output=True, text=True, check=True, timeout=300
    )
    document = json.loads(done.stdout)
    print(json.dumps({k: v for k, v in document.items() if k != "jobs"}))
    assert document["runs"] == 1
    assert len(document["jobs"]) >= 20
    assert set(document["null"]) == {
        "makespan",
        "mean_wait",
        "median_completion_error",
        "kendall_tau",
    }
    predicted = json.loads((tmp_path / "prediction-1.json").read_text())["jobs"]
    for told, written in zip(document["jobs"], predicted, strict=True):
        assert told["name"] == written["name"]
        assert told["start_predicted_s"] == written["start_s"]
        assert told["end_measured_s"] > told["start_measured_s"] >= told["submit_s"]

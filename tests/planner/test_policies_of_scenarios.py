"""Traces and policies as a scenario writes them, down to what the simulation does with them."""

from dataclasses import replace

import pytest

from dcsim.calibration import reference_profile
from dcsim.planner import run
from dcsim.records import InputError
from dcsim.scenario import load_scenario
from dcsim.simulation import Stragglers, WindowSpec

SCENARIO = """\
name: queue-and-training
seed: 3
cluster:
  nodes: [{name: main, node: hgx-h100, count: 8, spot: {stay: 90 d, notice: 2 min, away: 1 h}}]
workload:
  - {name: base, kind: training, model: llama3-8b, tokens: 2e9, global_batch: 256,
     accelerators: 32, user: ann}
  - {name: queue, kind: trace, file: jobs.csv, checkpoint: 30 min, resume: 2 min}
policies:
  scheduler: fairshare+easy
  quotas: [{owner: x, accelerators: 16}]
  windows: [{nodes: main, first: 6, last: 7, start: 1 h, end: 2 h}]
  tuning: {half_life: 1 d}
  rack: 2
  failures: {rates: llama3, detect: 3 min, shape: 0.8, lemons: {share: 5 %, factor: 10},
             together: [{kind: network, nodes: 2}],
             stragglers: {every: 1000 d, slowdown: 1.1, spread: 0.1}}
plan: {seeds: 2}
"""
JOBS = "job_id,submit,run,procs,est,user,vc\n" + "".join(
    f"j{i},{1000 + 200 * i},{600 + 97 * i},{2 ** (i % 5)},{9000},{'ab'[i % 2]},{'xy'[i % 2]}\n"
    for i in range(20)
)


@pytest.fixture
def written(tmp_path):
    (tmp_path / "jobs.csv").write_text(JOBS)
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO)
    return path


def test_jobs_of_a_trace_run_beside_training_and_tell_their_waits(written):
    scenario = load_scenario(written)
    result = run(scenario, reference_profile(), seed=1)
    jobs = result.tables["jobs"]
    assert (jobs["kind"] == "trace").sum() == 20
    assert (jobs["status"] == "done").all()
    assert jobs.loc[jobs["name"] == "queue#j0", "submit_s"].item() == 0.0
    waits = {(row["by"], row["class"]): row for row in result.summary["waits"]}
    assert waits["all", ""]["jobs"] == 20
    assert waits["group", "x"]["p95_s"] >= 0.0
    assert "queue.finish" in result.summary["metrics"]
    assert set(result.inputs) == {"scenario.yaml", "jobs.csv"}


def test_every_policy_reaches_the_simulation(written):
    from dcsim.planner.build import failure_classes
    from dcsim.planner.build_policies import policy_fields

    scenario = load_scenario(written)
    fields = policy_fields(scenario)
    assert fields["quota"] == {"x": 16}
    assert fields["windows"] == (WindowSpec("main", 6, 8, 3600.0, 7200.0),)
    assert fields["stragglers"] == Stragglers(1 / 86400e3, 1.1, 0.1, 600.0, 86400.0, True)
    assert fields["tuning"].half_life_s == 86400.0
    assert (fields["lemons"].share, fields["rack_nodes"]) == (0.05, 2)
    assert fields["spot"]["main"].notice_s == 120.0
    kinds = {kind.name: kind for kind in failure_classes(scenario.policies.failures)}
    assert kinds["network"].nodes_at_once == 2
    assert {(kind.detect_s, kind.shape) for kind in kinds.values()} == {(180.0, 0.8)}
    assert replace(scenario.policies.scheduling, migrate=True).migrate


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("jobs.csv,", "nowhere.csv,"), "no such file"),
        (("first: 6, last: 7", "first: 6, last: 8"), "nodes 0 to 7"),
        (("start: 1 h, end: 2 h", "start: 3 h, end: 2 h"), "write a later end"),
        (("fairshare+easy", "fairshair"), "did you mean"),
    ],
)
def test_faults_are_named(written, change, message):
    written.write_text(SCENARIO.replace(*change))
    with pytest.raises(InputError, match=message):
        load_scenario(written)

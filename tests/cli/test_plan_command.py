"""`dcsim plan` and `dcsim run` from the command line, on scenarios that take a second."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dcsim import store
from dcsim.cli.main import app

SMALL = """\
name: small
seed: 3
site: {region: us-virginia}
cluster:
  nodes: [{name: main, node: hgx-h100, count: 2}]
  storage: {system: nvme-pfs, servers: 10}
workload:
  - name: base
    kind: training
    model: llama3-8b
    tokens: 2e9
    global_batch: 64
    seq_len: 4096
plan:
  vary:
    cluster.nodes.main.count: [1, 2]
    cluster.nodes.main.node: [hgx-h100, hgx-h200]
    recompute: [none, full]
  finalists: 3
  seeds: 6
"""

HARD = "  - {metric: base.finish, by: %s, hard: true, confidence: 0.5}\n"
SOFT = "  - {metric: total.cost, at_most: %s}\n"

CANDIDATE_KEYS = {
    "id",
    "node_type",
    "nodes",
    "gpus",
    "tp",
    "pp",
    "vp",
    "dp",
    "cp",
    "ep",
    "micro_batch",
    "recompute",
    "zero_stage",
    "memory_device_bytes",
    "memory_capacity_bytes",
    "time_s",
    "cost_usd",
    "energy_kwh",
    "carbon_kg",
    "status",
    "why_not",
}


@pytest.fixture
def with_report() -> None:
    """Makes the PDF as well, which takes longer than all the rest."""


@pytest.fixture(autouse=True)
def _own_places(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    if "with_report" not in request.fixturenames:
        monkeypatch.setattr("dcsim.report.write_pdf", lambda directory: None, raising=False)


def dcsim(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def scenario(objectives: str = "", text: str = SMALL) -> str:
    Path("small.yaml").write_text(text + (f"objectives:\n{objectives}" if objectives else ""))
    return "small.yaml"


def document(*arguments: str) -> tuple[dict[str, Any], int]:
    ended = dcsim(*arguments, "--json")
    return json.loads(ended.stdout), ended.exit_code


def values(candidate: dict[str, Any]) -> tuple[float, float]:
    return candidate["time_s"]["value"], candidate["cost_usd"]["value"]


def test_a_plan_has_the_form_of_the_design() -> None:
    found, code = document("plan", scenario(HARD % "60 d" + SOFT % "1M USD"))
    assert code == 0
    assert (found["scenario"], found["seed"]) == ("small", 3)
    rows = {row["id"]: row for row in found["candidates"]}
    assert len(rows) == len(found["candidates"])
    for row in rows.values():
        assert row.keys() >= CANDIDATE_KEYS
        for name in ("time_s", "cost_usd", "energy_kwh", "carbon_kg"):
            figure = row[name]
            assert figure["low"] <= figure["value"] <= figure["high"]
        assert row["tp"] * row["pp"] * row["dp"] * row["cp"] == row["gpus"]
        assert (row["why_not"] == "") == (row["status"] == "recommended")
    chosen = rows[found["recommended"]]
    assert chosen["status"] == "recommended"
    assert chosen["memory_device_bytes"] <= chosen["memory_capacity_bytes"]
    able = [row for row in rows.values() if row["status"] != "infeasible"]
    for row in able:
        beaten = any(
            all(a <= b for a, b in zip(values(other), values(row), strict=True))
            and values(other) != values(row)
            for other in able
        )
        assert beaten == (row["status"] == "dominated")
        assert (row["id"] in found["frontier"]) != beaten
    for objective in found["objectives"]:
        assert objective["met"] == (objective["confidence"] >= objective["confidence_asked"])
    assert found["assumptions"]
    assert all(entry["source"] for entry in found["provenance"])


def test_the_report_has_the_same_bytes_when_it_is_made_again(with_report: None) -> None:
    path = scenario(HARD % "60 d")
    assert dcsim("run", path, "--out", "a").exit_code == 0
    assert dcsim("run", path, "--out", "b").exit_code == 0
    first, second = (Path(out, "report.pdf").read_bytes() for out in "ab")
    assert first == second


def test_results_are_stored_whole_and_add_up(with_report: None) -> None:
    ended = dcsim("plan", scenario(HARD % "60 d"), "--out", "results")
    assert ended.exit_code == 0
    assert "Recommended" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert store.verify("results") == []
    stored = store.read("results")
    assert (Path("results") / "report.pdf").read_bytes().startswith(b"%PDF")
    assert {
        "candidates",
        "breakdown",
        "jobs",
        "nodes",
        "links",
        "events",
        "ledger",
        "timeline",
        "money",
        "finalist_runs",
        "objectives",
        "sensitivity",
        "host_heldout",
        "published",
        "losses",
        "chain",
        "assumptions",
        "sources",
        "defaults",
    } <= stored.tables.keys()
    runs = stored.tables["finalist_runs"]
    chosen = next(c for c in stored.summary["candidates"] if c["status"] == "recommended")
    own = runs[runs["candidate"] == chosen["id"]]
    assert len(own) == 6
    assert own["finish_s"].median() == pytest.approx(chosen["time_s"]["value"])
    assert own["cost_usd"].median() == pytest.approx(chosen["cost_usd"]["value"])


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    path = scenario(HARD % "60 d")
    for out, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        assert dcsim("plan", path, "--out", out, "--seed", seed).exit_code == 0

    def content(out: str, name: str) -> bytes:
        return (Path(out) / name).read_bytes()

    for name in ("summary.json", "finalist_runs.parquet", "timeline.parquet"):
        assert content("a", name) == content("b", name)
    assert content("a", "summary.json") != content("c", "summary.json")


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(
    ("objectives", "expected"),
    [
        (HARD % "60 d" + SOFT % "1M USD", 0),
        (HARD % "1 min", 3),
        (HARD % "60 d" + SOFT % "1 USD", 4),
    ],
)
def test_exit_codes_say_how_it_ended(command: str, objectives: str, expected: int) -> None:
    found, code = document(command, scenario(objectives))
    assert code == expected
    assert store.read("reports/small").summary == found
    if command == "plan":
        assert (found["recommended"] is None) == (expected == 3)
        assert (found["nearest_miss"] is not None) == (expected == 3)
        if expected == 3:
            assert {"base.finish"} <= {b["constraint"] for b in found["binding_constraints"]}


def test_a_model_that_fits_nowhere_ends_with_3() -> None:
    text = SMALL.replace("llama3-8b", "llama3-405b").replace("hgx-h200", "hgx-a100")
    found, code = document("plan", scenario(text=text))
    assert code == 3
    assert found["frontier"] == []
    assert {row["status"] for row in found["candidates"]} == {"infeasible"}
    assert any("needs" in row["why_not"] for row in found["candidates"])
    refused, code = document("run", scenario(text=text))
    assert code == 3
    assert "needs" in refused["refused"]


def test_a_run_has_the_form_of_the_design() -> None:
    found, code = document("run", scenario(SOFT % "1M USD"))
    assert code == 0
    assert found.keys() >= {
        "scenario",
        "seed",
        "version",
        "metrics",
        "jobs",
        "ledger_s",
        "objectives",
        "assumptions",
        "provenance",
    }
    for figure in found["metrics"].values():
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert found["metrics"].keys() >= {"base.finish", "total.cost", "total.energy"}
    assert [job["name"] for job in found["jobs"]] == ["base"]
    assert sum(found["ledger_s"].values()) == pytest.approx(found["capacity_s"])
    assert store.verify("reports/small") == []


def test_a_real_job_runs_beside_the_simulated_one() -> None:
    real = "  - {name: probe, kind: real, job: mlp-3-5-2, parameters: {epochs: 3}, repeats: 2}\n"
    text = SMALL.replace("plan:\n", f"{real}plan:\n")
    found, code = document("plan", scenario(text=text), "--out", "with-job")
    assert code == 0
    again, _ = document("plan", scenario(text=text), "--out", "again")
    assert found == again
    tables = store.read("with-job").tables
    losses = tables["losses"]
    assert losses["loss"].iloc[-1] < losses["loss"].iloc[0]
    stages = set(tables["chain"]["stage"])
    assert {"measured step", "operator curve", "data sheet", "simulated run"} <= stages
    assert set(tables["jobs"]["name"]) == {"base", "probe", "probe#2"}
    assert any("mlp-3-5-2" in entry["source"] for entry in found["provenance"])


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_scenario_of_real_jobs_alone_needs_no_cluster(command: str) -> None:
    Path("real.yaml").write_text(
        "name: real\n"
        "cluster: {nodes: [{name: here, node: local, count: 1}]}\n"
        "workload: [{name: probe, kind: real, job: mlp-3-5-2, parameters: {epochs: 2}}]\n"
        "objectives: [{metric: probe.finish, by: 1 h}, {metric: total.failures, at_most: 0}]\n"
    )
    found, code = document(command, "real.yaml")
    assert code == 0
    assert [objective["met"] for objective in found["objectives"]] == [True, True]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("plan", "nowhere.yaml"), "nowhere.yaml"),
        (("plan", "small.yaml", "--profile", "nothing.json"), "nothing.json"),
        (("plan", "small.yaml", "--profile", "small.yaml"), "small.yaml"),
    ],
)
def test_wrong_input_ends_with_2_and_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    scenario()
    ended = dcsim(*arguments)
    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_interrupt_ends_with_130_and_leaves_earlier_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = scenario(HARD % "60 d")
    assert dcsim("plan", path, "--out", "results").exit_code == 0
    before = {p.name: p.read_bytes() for p in Path("results").iterdir() if p.is_file()}

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dcsim.planner.finalists.simulate", interrupted)
    ended = dcsim("plan", path, "--out", "results", "--seed", "9")
    assert ended.exit_code == 130
    assert before == {p.name: p.read_bytes() for p in Path("results").iterdir() if p.is_file()}

"""`dcsim compare`: what changed in and what changed out."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dcsim import api, store
from dcsim.cli.main import app
from dcsim.records import Result
from dcsim.scenario import with_override

SMALL = """\
name: small
seed: 3
cluster:
  nodes: [{name: main, node: hgx-h100, count: 1}]
workload:
  - {name: base, kind: training, model: llama3-8b, tokens: 1e9, global_batch: 64, seq_len: 4096}
plan: {finalists: 2, seeds: 4}
objectives: [{metric: total.cost, at_most: 300 USD}]
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results `a` (one node), `b` (two nodes), `plan`; and `seed`, as `a` with another seed."""
    place = tmp_path_factory.mktemp("compared")
    path = place / "small.yaml"
    path.write_text(SMALL)
    wider = with_override(path, "cluster.nodes.main.count", 2)
    results: dict[str, Result] = {
        "a": api.run(path),
        "b": api.run(wider),
        "seed": api.run(path, seed=4),
        "plan": api.plan(path),
    }
    for name, result in results.items():
        store.write(result, place / name)
    return place


def dcsim(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def document(*arguments: Any) -> dict[str, Any]:
    ended = dcsim(*arguments, "--json")
    assert ended.exit_code == 0, ended.stderr
    return json.loads(ended.stdout)


def test_a_changed_field_and_every_metric_are_shown(stored: Path) -> None:
    found = document("compare", stored / "a", stored / "b")
    changed = {(c["part"], c["name"]): (c["a"], c["b"]) for c in found["inputs"]}
    assert changed[("scenario", "cluster.nodes.main.count")] == (1, 2)
    assert not any(part in ("seed", "version", "kind") for part, _ in changed)
    a, b = (store.read(stored / name).summary for name in "ab")
    rows = {d["name"]: d for d in found["differences"] if d["group"] == "metrics"}
    assert rows.keys() == a["metrics"].keys()
    for name, row in rows.items():
        assert row["a"] == a["metrics"][name]["value"]
        assert row["b"] == b["metrics"][name]["value"]
        assert row["difference"] == row["b"] - row["a"]
    assert rows["total.finish"]["relative"] == pytest.approx(
        rows["total.finish"]["b"] / rows["total.finish"]["a"] - 1
    )
    assert found["objectives"][0]["a"]["met"] == a["objectives"][0]["met"]
    ledger = {d["name"]: d["b"] for d in found["differences"] if d["group"] == "ledger"}
    assert ledger == b["ledger_s"]


def test_the_largest_difference_comes_first(stored: Path) -> None:
    found = document("compare", stored / "a", stored / "b")
    for group in ("metrics", "money"):
        rows = [d["relative"] for d in found["differences"] if d["group"] == group]
        sizes = [float("inf") if r is None else abs(r) for r in rows]
        assert sizes == sorted(sizes, reverse=True)


def test_swapping_the_two_turns_the_signs(stored: Path) -> None:
    there = document("compare", stored / "a", stored / "b")["differences"]
    back = document("compare", stored / "b", stored / "a")["differences"]
    assert {(d["group"], d["name"]): d["difference"] for d in there} == {
        (d["group"], d["name"]): -d["difference"] for d in back
    }


def test_the_seed_alone(stored: Path) -> None:
    found = document("compare", stored / "a", stored / "seed")
    assert [(c["part"], c["a"], c["b"]) for c in found["inputs"]] == [("seed", 3, 4)]


def test_nothing_differs_from_itself(stored: Path) -> None:
    found = document("compare", stored / "plan", stored / "plan")
    assert found["inputs"] == []
    assert found["differences"]
    assert all(d["difference"] == 0 for d in found["differences"])
    assert "Nothing changed in" in dcsim("compare", stored / "plan", stored / "plan").stdout


def test_a_plan_beside_a_run_says_so(stored: Path) -> None:
    found = document("compare", stored / "plan", stored / "b")
    assert "One is a plan and the other a run" in found["note"]
    assert {"total.finish", "total.cost"} <= {d["name"] for d in found["differences"]}


def test_the_text_fits_a_terminal(stored: Path) -> None:
    for pair in (("a", "b"), ("plan", "b"), ("a", "a")):
        ended = dcsim("compare", *(stored / name for name in pair))
        assert ended.exit_code == 0
        assert max(map(len, ended.stdout.splitlines())) <= 80


def test_what_is_no_result_gives_one_sentence(stored: Path) -> None:
    ended = dcsim("compare", stored / "a", stored)
    assert ended.exit_code == 2
    assert "is not a results directory" in ended.stderr

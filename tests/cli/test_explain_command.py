"""`dcsim explain`: every tree begins with the stored value and recombines to it."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dcsim import api, store
from dcsim.cli.main import app
from dcsim.records import Explanation, InputError
from dcsim.store.comparison import metrics
from dcsim.store.explaining import explain, explainable

SCENARIO = """\
name: explained
seed: 3
site: {region: us-iowa}
cluster:
  nodes: [{name: main, node: hgx-h100, count: 3}]
workload:
  - {name: base, kind: training, model: llama3-8b, tokens: 4e9, global_batch: 64, seq_len: 4096}
  - name: later
    kind: training
    model: llama3-8b
    tokens: 1e9
    global_batch: 64
    seq_len: 4096
    accelerators: 16
policies: {checkpoint: {interval: 10 min}, failures: {rates: rsc1}, spares: 1}
money: {terms: %s}
plan: {vary: {cluster.nodes.main.count: [2, 3]}, finalists: 2, seeds: 5}
objectives:
  - {metric: total.cost, at_most: 800 USD}
  - {metric: base.finish, by: 2 d}
"""
IMPOSSIBLE = SCENARIO.replace("llama3-8b", "llama3-405b")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results `run`, `plan`, `bought`, and `none`, a plan without a candidate."""
    place = tmp_path_factory.mktemp("explained")
    for name, text in (("rent", SCENARIO % "rent"), ("buy", SCENARIO % "buy")):
        (place / f"{name}.yaml").write_text(text)
    (place / "none.yaml").write_text(IMPOSSIBLE % "rent")
    store.write(api.run(place / "rent.yaml"), place / "run")
    store.write(api.plan(place / "rent.yaml"), place / "plan")
    store.write(api.run(place / "buy.yaml"), place / "bought")
    store.write(api.plan(place / "none.yaml"), place / "none")
    return place


RESULTS = ["run", "plan", "bought", "none"]


def dcsim(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def nodes(tree: Explanation) -> Iterator[Explanation]:
    yield tree
    for child in tree.inputs:
        yield from nodes(child)


def recombined(node: Explanation) -> float:
    """The value from the inputs alone: the sum of summands, or what the formula says."""
    summands = [child.value for child in node.inputs if child.share is not None]
    if summands:
        return math.fsum(summands)
    values = {child.name: child.value for child in node.inputs}
    first, *rest = re.split(r" ([×÷+]) ", node.formula)
    result = values[first]
    for sign, name in zip(rest[::2], rest[1::2], strict=True):
        if sign == "×":
            result *= values[name]
        elif sign == "÷":
            result /= values[name]
        else:
            result += values[name]
    return result


@pytest.mark.parametrize("results", RESULTS)
def test_every_node_recombines_to_its_value(results: str, place: Path) -> None:
    stored = store.read(place / results)
    for name in explainable(stored):
        for node in nodes(explain(stored, name)):
            if node.inputs:
                again = recombined(node)
                assert again == pytest.approx(node.value, rel=1e-9, abs=1e-9), (name, node.name)
            for child in node.inputs:
                if child.share is not None and node.value:
                    assert child.share == pytest.approx(child.value / node.value)


@pytest.mark.parametrize("results", RESULTS)
def test_every_metric_is_explained_with_the_stored_value(results: str, place: Path) -> None:
    stored = store.read(place / results)
    figures = metrics(stored)
    assert set(figures) <= explainable(stored).keys()
    for name, figure in figures.items():
        found = explain(stored, name)
        assert (found.value, found.unit) == (figure["value"], figure["unit"])
        assert found.source
    for name, seconds in stored.summary["ledger_s"].items():
        assert explain(stored, f"ledger.{name}").value == seconds
    for objective in stored.summary["objectives"]:
        found = explain(stored, f"objectives.{objective['name']}.confidence")
        assert found.value == objective["confidence"]


def test_a_run_goes_down_to_operators_and_prices(place: Path) -> None:
    stored = store.read(place / "run")
    assert set(metrics(stored)) == set(stored.summary["metrics"])
    finish = {node.name for node in nodes(explain(stored, "base.finish"))}
    assert {"steps", "compute", "matrix products", "work lost to failures"} <= finish
    money = list(nodes(explain(stored, "total.cost")))
    listed = next(node for node in money if node.name == "listed")
    assert listed.value == 3.99
    assert "rent of hgx-h100" in listed.source
    carbon = {node.name: node for node in nodes(explain(stored, "total.carbon"))}
    assert carbon["carbon intensity"].value == pytest.approx(0.43)


def test_any_other_number_of_the_summary_is_found(place: Path) -> None:
    stored = store.read(place / "plan")
    row = stored.summary["candidates"][1]
    assert explain(stored, f"candidates.{row['id']}.cost_usd").value == row["cost_usd"]["value"]
    assert explain(stored, f"candidates.{row['id']}.cost_usd.low").value == row["cost_usd"]["low"]
    assert explain(stored, "screened.layouts").value == stored.summary["screened"]["layouts"]


def test_a_wrong_name_gets_the_nearest_one(place: Path) -> None:
    ended = dcsim("explain", place / "run", "totl.cost")
    assert ended.exit_code == 2
    assert 'did you mean "total.cost"' in ended.stderr
    for name in ("scenario", "candidates", "metrics.none", ""):
        with pytest.raises(InputError):
            explain(store.read(place / "run"), name)


def test_the_command_prints_a_tree_that_fits_and_one_document(place: Path) -> None:
    for results in RESULTS:
        listed = dcsim("explain", place / results)
        assert listed.exit_code == 0
        for line in listed.stdout.split("\n"):
            assert len(line) <= 80
    for metric in metrics(store.read(place / "run")):
        shown = dcsim("explain", place / "run", metric)
        assert shown.exit_code == 0
        assert metric in shown.stdout
        assert max(map(len, shown.stdout.splitlines())) <= 80
    document = json.loads(dcsim("explain", place / "run", "total.cost", "--json").stdout)
    assert document["name"] == "total.cost"
    assert sum(part["share"] for part in document["inputs"]) == pytest.approx(1.0)

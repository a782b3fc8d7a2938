"""`dcsim sweep`: every point once, whatever happens, with the same bytes each time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dcsim import api, store
from dcsim.cli.main import app
from dcsim.planner import sweep as sweeping
from dcsim.store.parquet import read_tables

SMALL = """\
name: small
seed: 3
cluster:
  nodes: [{name: main, node: hgx-h100, count: 1}]
workload:
  - {name: base, kind: training, model: llama3-8b, tokens: 1e9, global_batch: 64, seq_len: 4096}
plan: {finalists: 2, seeds: 4}
objectives: [{metric: total.cost, at_most: 200 USD}]
"""
COUNTS = "cluster.nodes.main.count=1,2"
SAVES = "policies.checkpoint.interval=10 min,1 h"


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)


def dcsim(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def sweep(out: str, *more: str, workers: int = 1) -> Any:
    return dcsim("sweep", "small.yaml", *more, "--out", out, "--workers", str(workers))


def files(directory: str) -> dict[str, bytes]:
    place = Path(directory)
    return {p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*.*")}


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the points that were computed, in their order."""
    done: list[int] = []
    original = sweeping.evaluate

    def counting(asked: Any, point: Any, *rest: Any) -> Any:
        done.append(point.index)
        return original(asked, point, *rest)

    monkeypatch.setattr(sweeping, "evaluate", counting)
    return done


def test_a_grid_holds_every_combination_and_equals_single_runs() -> None:
    ended = sweep("out", "--vary", COUNTS, "--vary", SAVES)
    assert ended.exit_code == 0, ended.stderr
    assert max(map(len, ended.stdout.splitlines())) <= 80
    document = json.loads(Path("out/sweep.json").read_text())
    assert [tuple(point["changes"].values()) for point in document["points"]] == [
        (1, "10 min"),
        (1, "1 h"),
        (2, "10 min"),
        (2, "1 h"),
    ]
    table = read_tables({"sweep": Path("out/sweep.parquet")})["sweep"]
    assert table["cluster.nodes.main.count"].tolist() == [1, 1, 2, 2]
    Path("wide.yaml").write_text(
        SMALL.replace("count: 1", "count: 2") + "policies: {checkpoint: {interval: 1 h}}\n"
    )
    alone = api.run("wide.yaml").summary["metrics"]
    assert document["points"][3]["metrics"] == json.loads(store.canonical_json(alone))
    assert table["total.cost"][3] == alone["total.cost"]["value"]
    assert Path("out/sweep.svg").read_bytes().startswith(b"<?xml")
    assert {p["status"] for p in document["points"]} <= {"done", "missed"}


def test_a_finished_point_is_never_repeated(evaluated: list[int]) -> None:
    sweep("out", "--vary", COUNTS)
    before = files("out")
    assert sweep("out", "--vary", COUNTS).exit_code == 0
    assert evaluated == [0, 1]
    assert files("out") == before
    sweep("out", "--vary", "cluster.nodes.main.count=1,2,4")
    assert evaluated == [0, 1, 2]
    sweep("out", "--vary", COUNTS, "--seed", "9")
    assert len(evaluated) == 5


def test_an_interrupt_keeps_what_is_finished(
    evaluated: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep("whole", "--vary", COUNTS, "--vary", SAVES)
    evaluated.clear()
    counting = sweeping.evaluate

    def interrupted(asked: Any, point: Any, *rest: Any) -> Any:
        if point.index == 2:
            raise KeyboardInterrupt
        return counting(asked, point, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(sweeping, "evaluate", interrupted)
        assert sweep("out", "--vary", COUNTS, "--vary", SAVES).exit_code == 130
    assert len(list(Path("out/points").iterdir())) == 2
    assert sweep("out", "--vary", COUNTS, "--vary", SAVES).exit_code == 0
    assert evaluated == [0, 1, 2, 3]
    assert files("out") == files("whole")


def test_a_damaged_point_is_made_again(evaluated: list[int]) -> None:
    sweep("out", "--vary", COUNTS)
    before = files("out")
    victim = next(Path("out/points").iterdir())
    victim.write_bytes(victim.read_bytes()[:40])
    sweep("out", "--vary", COUNTS)
    assert len(evaluated) == 3
    assert files("out") == before


@pytest.mark.slow
def test_the_number_of_workers_changes_no_byte() -> None:
    assert sweep("one", "--vary", COUNTS, "--vary", SAVES).exit_code == 0
    assert sweep("two", "--vary", COUNTS, "--vary", SAVES, workers=2).exit_code == 0
    assert files("one") == files("two")


@pytest.mark.slow
def test_a_killed_sweep_goes_on() -> None:
    arguments = ["sweep", "small.yaml", "--vary", "seed=1,2,3,4,5,6,7,8", "--out", "out"]
    arguments += ["--workers", "2"]
    for sent, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        running = subprocess.Popen(
            [sys.executable, "-m", "dcsim", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        had = len(list(Path("out/points").glob("*.json"))) if Path("out").exists() else 0
        limit = time.monotonic() + 120
        while len(list(Path("out").glob("points/*.json"))) <= had:
            assert time.monotonic() < limit
            time.sleep(0.02)
        os.killpg(running.pid, sent)
        assert running.wait(60) == code
        for path in Path("out").glob("points/*.json"):
            if not path.name.startswith("."):
                json.loads(path.read_text())
    assert dcsim(*arguments).exit_code == 0
    found = json.loads(Path("out/sweep.json").read_text())["points"]
    assert [point["seed"] for point in found] == list(range(1, 9))


def test_a_list_names_points_one_by_one() -> None:
    Path("points.csv").write_text(
        "cluster.nodes.main.count,site.region\n2,sweden\n\n1,\n", encoding="utf-8"
    )
    assert sweep("out", "--list", "points.csv").exit_code == 0
    found = json.loads(Path("out/sweep.json").read_text())
    assert [point["changes"] for point in found["points"]] == [
        {"cluster.nodes.main.count": 2, "site.region": "sweden"},
        {"cluster.nodes.main.count": 1},
    ]
    assert found["figure"] is None


def test_a_plan_can_be_swept_and_a_point_may_be_impossible() -> None:
    text = SMALL.replace("llama3-8b", "llama3-405b") + "policies: {failures: {rates: none}}\n"
    Path("small.yaml").write_text(text)
    for more in ((), ("--plan",)):
        ended = sweep("out", "--vary", COUNTS, *more)
        assert ended.exit_code == 0, ended.stderr
        points = json.loads(Path("out/sweep.json").read_text())["points"]
        assert all(point["reason"] for point in points)
        assert {point["status"] for point in points} <= {"refused", "infeasible"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--vary", "cluster.nodes.mian.count=1"], 'did you mean "main"'),
        (["--vary", "polices.spares=1"], 'did you mean "policies"'),
        (["--vary", "cluster.nodes.main.count=1,two"], '"two" is text'),
        (["--vary", "cluster.nodes.main.count"], "is not KEY=V1,V2"),
        (["--vary", "site.region=[sweden"], "cannot be read"),
        (["--vary", COUNTS, "--vary", COUNTS], "twice"),
        (["--vary", "seed=1,2", "--seed", "3"], "choose one"),
        (["--list", "none.csv"], "No such file"),
        ([], "nothing to sweep"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    arguments: list[str], says: str, evaluated: list[int]
) -> None:
    ended = sweep("out", *arguments)
    assert ended.exit_code == 2
    assert says in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert evaluated == []


def test_results_of_a_run_are_not_mixed_with_a_sweep() -> None:
    store.write(api.run("small.yaml"), "out")
    ended = sweep("out", "--vary", COUNTS)
    assert ended.exit_code == 2
    assert "name another one" in ended.stderr

"""`dcsim replay` as a user types it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dcsim.cli.main import app

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(5)
    path = tmp_path_factory.mktemp("traces") / "t.csv"
    lines = ["job_id,submit,run,procs,est,user,vc,status,priority"]
    for i in range(300):
        run = int(np.ceil(rng.lognormal(5, 1.5)))
        size = int(rng.choice([1, 2, 4, 8, 12]))
        user, vc = rng.choice(["ann", "bob", "eve"]), rng.choice(["red", "blue"])
        lines.append(f"j{i},{i * 60},{run},{size},{2 * run},{user},{vc},Pass,{i % 3}")
    lines += ["bad,x,5,1,5,ann,red,Pass,0", "none,5,5,0,5,ann,red,Pass,0"]
    path.write_text("\n".join(lines) + "\n")
    return path


def run(*arguments: object, code: int = 0) -> str:
    result = RUNNER.invoke(app, ["replay", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output


def test_the_terminal_stays_within_80_columns(trace: Path) -> None:
    for policy in ("easy", "fairshare+easy", "srtf"):
        text = run(trace, "--nodes", "5x4", "--policy", policy, "--audit")
        assert max(map(len, text.splitlines())) <= 80
        assert "waited for" in text
        assert "idle" in text


def test_preemptive_jobs_also_write_segments(trace: Path, tmp_path: Path) -> None:
    out = tmp_path / "jobs.csv"
    run(trace, "--nodes", "5x4", "--policy", "las", "--restart-cost", "30s", "--out", out)
    with (tmp_path / "segments.csv").open() as file:
        segments = list(csv.DictReader(file))
    assert list(segments[0]) == ["job_id", "start_s", "end_s", "gpus", "nodes", "end_reason"]
    assert {"completed", "preempted"} <= {row["end_reason"] for row in segments}
    with out.open() as file:
        jobs = {row["job_id"]: row for row in csv.DictReader(file)}
    for row in segments:
        if row["end_reason"] == "completed":
            assert jobs[row["job_id"]]["end_s"] == row["end_s"]
        held = sum(int(part.split(":")[1]) for part in row["nodes"].split())
        assert held == int(row["gpus"])


def test_json_is_one_document_with_every_answer(trace: Path, tmp_path: Path) -> None:
    found = json.loads(
        run(
            trace, "--nodes", "5x4", "--policy", "easy", "--json", "--p95-wait", "10min",
            "--replicas", "3", "--warmup", "1h", "--why", "j200", "--waits", tmp_path / "w.csv",
        )
    )  # fmt: skip
    assert found["dropped"] == {
        "submit or run time is not a number": 1,
        "asks for no accelerator": 1,
    }
    assert found["fewest"]["p95_s"] <= 600
    assert found["replicas"]["mean_s"]["ci95_low"] <= found["replicas"]["mean_s"]["value"]
    assert found["why"]["job_id"] == "j200"
    assert set(found["wait_by_user"]) == {"ann", "bob", "eve"}
    assert set(found["wait_by_group"]) == {"red", "blue"}
    assert set(found["wait_by_priority"]) == {"0", "1", "2"}
    assert found["allocated"].keys() == {"completed"}
    with (tmp_path / "w.csv").open() as file:
        for row in csv.DictReader(file):
            parts = sum(
                float(row[f"{name}_s"]) for name in ("quota", "capacity", "fragmentation", "policy")
            )
            assert parts == pytest.approx(float(row["wait_s"]))


def test_the_longest_wait_is_explained(trace: Path) -> None:
    text = run(trace, "--nodes", "5x4", "--policy", "fcfs", "--why", "j290")
    assert "job j290 asked for" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "no job called 'nobody'" in run(trace, "--gpus", 20, "--why", "nobody", code=2)


def test_pictures_of_a_window(trace: Path, tmp_path: Path) -> None:
    events, plot = tmp_path / "e.json", tmp_path / "p.svg"
    arguments = (trace, "--nodes", "5x4", "--trace-events", events, "--plot", plot)
    run(*arguments, "--window", "1h..3h", "--maintenance", "0-1@2h..3h")
    document = json.loads(events.read_text())
    assert {event["ph"] for event in document["traceEvents"]} >= {"X", "C", "M"}
    first = plot.read_bytes()
    assert first.startswith(b"<?xml")
    run(*arguments, "--window", "1h..3h", "--maintenance", "0-1@2h..3h")
    assert plot.read_bytes() == first
    assert "write FROM..UNTIL" in run(*arguments, "--window", "1h", code=2)


def test_generated_jobs_are_replayed_and_saved(trace: Path, tmp_path: Path) -> None:
    saved = tmp_path / "g.csv"
    arguments = (trace, "--gpus", 20, "--generate", 200, "--seed", 3, "--save-trace", saved)
    first = run(*arguments, "--json")
    assert json.loads(first)["jobs"] == 200
    assert run(saved, "--gpus", 20, "--json").replace("generic", "generated") == first


def test_published_statistics_are_a_trace_too(tmp_path: Path) -> None:
    path = tmp_path / "paper.yaml"
    path.write_text("jobs_per_day: 500\nrun: {median: 600, mean: 3000}\nsizes: {1: 8, 8: 2}\n")
    assert json.loads(run(path, "--gpus", 32, "--generate", 400, "--json"))["jobs"] == 400
    path.write_text("jobs_per_day: many\n")
    assert "jobs_per_day as a positive number" in run(path, "--gpus", 32, "--generate", 9, code=2)


def test_parts_of_accelerators_are_written_as_fractions(tmp_path: Path) -> None:
    path, out = tmp_path / "t.csv", tmp_path / "o.csv"
    path.write_text("job_id,submit,run,procs\na,0,5,0.25\nb,0,5,0.5\nc,0,5,2\n")
    run(path, "--nodes", "2x2", "--policy", "fcfs", "--fractional", "--placement", "fgd",
        "--out", out, "--audit")  # fmt: skip
    rows = [line.split(",")[4:] for line in out.read_text().splitlines()[1:]]
    assert rows == [["0.25", "0:0.25"], ["0.5", "0:0.5"], ["2", "1:2"]]
    assert "use --nodes NxG" in run(path, "--gpus", 4, "--fractional", code=2)
    assert "drop --fractional" in run(path, "--nodes", "2x2", "--fractional", "--why", "a", code=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--policy", "esay"), "did you mean easy"),
        (("--quota", "64"), "write user=N or vc=N"),
        (("--quota", "user=4", "--quota", "vc=4"), "not both at once"),
        (("--maintenance", "3"), "write nodes@from..to"),
        (("--maintenance", "0-9@1h..2h"), "nodes up to 9 of 5"),
        (("--reserve", "0@1h..2h=nobody"), "is called 'nobody'"),
        (("--tune", "half=3"), "write KEY=VALUE"),
        (("--placement", "worst"), "unknown placement 'worst'"),
        (("--restart-cost", "soon"), "--restart-cost"),
    ],
)
def test_wrong_options_are_one_sentence(trace: Path, arguments, message: str) -> None:
    text = run(trace, "--nodes", "5x4", *arguments, code=2)
    assert message in text
    assert len(text.strip().splitlines()) <= 2

"""Philly's JSON log and PAI's headerless tables, odd rows counted by reason."""

import json
from pathlib import Path

import numpy as np
import pytest

from dcsim.records import InputError
from dcsim.workload.traces import endings, prepared, read_trace


def attempt(start: str | None, end: str | None, *machines: int) -> dict[str, object]:
    detail = [
        {"ip": f"m{i}", "gpus": [f"gpu{g}" for g in range(n)]} for i, n in enumerate(machines)
    ]
    return {"start_time": start, "end_time": end, "detail": detail}


def philly_job(name: str, submitted: str | None, *attempts: object) -> dict[str, object]:
    return {
        "status": "Pass",
        "vc": "11cb48",
        "jobid": name,
        "attempts": list(attempts),
        "submitted_time": submitted,
        "user": "f9c7a9",
    }


def test_philly_sums_attempts_and_counts_what_is_odd(tmp_path: Path) -> None:
    day = "2017-10-07 "
    jobs = [
        philly_job("b", day + "01:00:00", attempt(day + "01:01:00", day + "01:02:00", 8, 8)),
        philly_job(
            "a",
            day + "00:00:00",
            attempt(day + "00:00:30", day + "00:10:30", 1),
            attempt(day + "00:20:00", day + "00:25:00", 2),
            attempt(day + "00:30:00", None, 2),
        ),
        philly_job("never", day + "00:00:00"),
        philly_job("undated", None, attempt(day + "00:00:30", day + "00:10:30", 1)),
        philly_job("open", day + "00:00:00", attempt(day + "00:00:30", "None", 1)),
        "noise",
    ]
    path = tmp_path / "cluster_job_log"
    path.write_text(json.dumps(jobs))
    trace = read_trace(path)
    assert trace.source_format == "philly"
    assert trace.job_id.tolist() == ["b", "a"]
    assert trace.submit_s.tolist() == [3600.0, 0.0]
    assert trace.run_s.tolist() == [60.0, 900.0]
    assert trace.wait_s.tolist() == [60.0, 30.0]
    assert trace.accelerators.tolist() == [16, 2]
    assert trace.dropped == {
        "never started (no attempt)": 1,
        "has no date of submission": 1,
        "no attempt has both a start and an end": 1,
        "entry is not a job": 1,
    }
    assert trace.odd == {
        "an attempt without start or end is left out": 1,
        "attempts differ in GPUs, the largest is taken": 1,
    }
    assert prepared(trace, 16).odd["submitted before the row above it"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"jobid": 1,\n  oops}]', "not JSON"),
        ('{"jobs": []}', "one JSON list of jobs"),
        ("[]", "no job that ran"),
    ],
)
def test_a_broken_philly_log_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cluster_job_log.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_trace(path)


TASKS = (
    "j1,worker,2,Terminated,100.0,400.0,600,29,100,V100\n"
    "j1,ps,1,Terminated,90.0,380.0,600,29,,\n"
    "j2,tensorflow,1,Failed,50.0,70.0,600,29,50,MISC\n"
    "j3,tensorflow,4,Running,60.0,,600,29,25,T4\n"
    "j4,worker,3,Terminated,60.0,80.0,600,29,33.333333333,T4,extra,fields\n"
    "nonsense\n"
)


def test_pai_reads_percent_and_takes_submission_from_the_job_table(tmp_path: Path) -> None:
    (tmp_path / "pai_task_table.csv").write_text(TASKS)
    (tmp_path / "pai_job_table.csv").write_text(
        "j1,i1,ann,Terminated,40.0,400.0\nj2,i2,bob,Failed,45.0,70.0\n"
    )
    for name in ("pai_task_table.csv", "pai_job_table.csv"):
        trace = read_trace(tmp_path / name)
        assert trace.source_format == "pai"
        assert trace.job_id.tolist() == ["j1", "j2", "j3"]
        assert trace.submit_s.tolist() == [40.0, 45.0, 60.0]
        assert trace.run_s.tolist()[:2] == [300.0, 20.0]
        assert trace.accelerators.tolist() == [2, 1, 1]
        assert trace.share is not None
        assert trace.share.tolist() == [1.0, 0.5, 1.0]
        assert trace.wait_s.tolist()[:2] == [60.0, 5.0]
        assert trace.user.tolist() == ["ann", "bob", ""]
        assert endings(trace.status).tolist() == ["completed", "failed", "running"]
        assert trace.dropped == {
            "line has not 10 fields": 2,
            "task asks for no accelerator": 1,
        }
        assert trace.odd["job is not in the job table"] == 1
        assert trace.odd["task without an end (still running)"] == 1
        assert len(prepared(trace, 8)) == 2


def test_pai_without_a_job_table_says_what_it_takes_for_submission(tmp_path: Path) -> None:
    path = tmp_path / "tasks.csv"
    path.write_text(TASKS)
    trace = read_trace(path)
    assert trace.submit_s.tolist() == [100.0, 50.0, 60.0]
    assert np.isnan(trace.wait_s).all()
    assert "no job table beside: the first start counts as submission" in trace.odd


def test_a_lone_pai_job_table_asks_for_its_tasks(tmp_path: Path) -> None:
    path = tmp_path / "pai_job_table.csv"
    path.write_text("j1,i1,ann,Terminated,40.0,400.0\n")
    with pytest.raises(InputError, match=r"put pai_task_table.csv beside it"):
        read_trace(path)


def test_bad_lines_are_counted_not_listed(tmp_path: Path) -> None:
    good = "job_id,submit,run,procs,user\n" + "".join(f"{i},{i},5,1,ann\n" for i in range(50))
    bad = "".join(f'{i},"x,{i}\n' if i % 2 else "\xff,,,,,,,\n" for i in range(5000))
    path = tmp_path / "t.csv"
    path.write_bytes((good + bad).encode("latin-1"))
    trace = prepared(read_trace(path), 4)
    assert len(trace) == 50
    assert sum(trace.dropped.values()) == 5000
    assert len(trace.dropped) <= 5


def test_ragged_swf_lines_are_counted(tmp_path: Path) -> None:
    row = "{} 0 10 100 4 -1 -1 8 200 -1 1 7 -1 -1 3 -1 -1 -1\n"
    path = tmp_path / "t.swf"
    path.write_text("; head\n" + row.format(1) + row.format(2).strip() + " 7 7 7\n" + row.format(3))
    trace = read_trace(path)
    assert trace.job_id.tolist() == ["1", "3"]
    assert trace.dropped == {"line has too many fields": 1}


def test_part_of_an_accelerator_is_kept_as_a_share(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("job_id,submit,run,procs,priority\na,0,5,0.25,3\nb,0,5,2,\n")
    trace = read_trace(path)
    assert trace.accelerators.tolist() == [1, 2]
    assert trace.share is not None
    assert trace.share.tolist() == [0.25, 1.0]
    assert trace.priority is not None
    assert trace.priority.tolist() == [3, 0]

"""Each trace format is read into the same arrays, with odd rows counted."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from dcsim.records import InputError
from dcsim.workload.traces import prepared, read_trace


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_generic_without_estimates_uses_the_run_time(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path / "t.csv", "job_id,submit,run,procs\na,0,5,2\nb,1.5,7,1\n"))
    assert trace.job_id.tolist() == ["a", "b"]
    assert prepared(trace, 8).est_s.tolist() == [5.0, 7.0]


def test_estimates_below_the_run_time_are_raised(tmp_path: Path) -> None:
    trace = read_trace(
        write(tmp_path / "t.csv", "job_id,submit,run,procs,est\na,0,5,2,3\nb,0,5,2,\n")
    )
    assert prepared(trace, 8).est_s.tolist() == [5.0, 5.0]


def test_packed_files_read_as_the_plain_ones_and_half_of_one_is_refused(tmp_path: Path) -> None:
    swf = "; Version: 2.2\n1 0 10 100 4 -1 -1 8 200 -1 1 7 -1 -1 3 -1 -1 -1\n"
    generic = "job_id,submit,run,procs\n" + "a,0,5,2\n" * 2000
    for name, text in (("t.swf", swf), ("t.csv", generic)):
        plain = read_trace(write(tmp_path / name, text))
        whole = gzip.compress(text.encode())
        (tmp_path / f"{name}.gz").write_bytes(whole)
        packed = read_trace(tmp_path / f"{name}.gz")
        assert packed.source_format == plain.source_format
        assert packed.run_s.tolist() == plain.run_s.tolist()
    (tmp_path / "half.csv").write_bytes(whole[: len(whole) - 10])
    with pytest.raises(InputError, match="not a whole gzip file"):
        read_trace(tmp_path / "half.csv")


def test_a_hundred_thousand_bad_lines_are_told_in_a_few(tmp_path: Path) -> None:
    bad = ["x,y,z,w\n", "1,,5,1\n", "1,1,-5,1\n", "1,1,5,0\n", "1,1,5,1,9,9\n", "1,nan,inf,9\n"]
    text = "job_id,submit,run,procs\nok,0,5,1\n" + "".join(bad) * 20_000
    trace = prepared(read_trace(write(tmp_path / "t.csv", text)), 8)
    assert trace.job_id.tolist() == ["ok"]
    assert sum(trace.dropped.values()) == len(bad) * 20_000
    assert len(trace.dropped) < 6


def test_swf_takes_allocated_processors_and_the_recorded_wait(tmp_path: Path) -> None:
    text = (
        "; Version: 2.2\n"
        "1 0 10 100 4 -1 -1 8 200 -1 1 7 -1 -1 3 -1 -1 -1\n"
        "2 5 -1 -1 -1 -1 -1 2 60 -1 5 7 -1 -1 3 -1 -1 -1\n"
    )
    trace = read_trace(write(tmp_path / "t.swf", text))
    assert trace.accelerators.tolist() == [4, 2]
    assert trace.wait_s[0] == 10
    assert np.isnan(trace.wait_s[1])
    assert trace.status.tolist() == ["completed", "cancelled"]
    assert prepared(trace, 8).dropped == {"run time is not positive": 1}


def test_helios_dates_count_from_the_first_submission(tmp_path: Path) -> None:
    text = (
        "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration\n"
        "1,u1,vcA,8,4,1,COMPLETED,2020-04-01 00:00:10,2020-04-01 00:01:10,2020-04-01 00:03:10,120\n"
        "2,u2,vcB,1,4,1,FAILED,2020-04-01 00:00:00,2020-04-01 00:00:00,2020-04-01 00:00:30,30\n"
    )
    trace = read_trace(write(tmp_path / "t.csv", text))
    assert trace.source_format == "helios"
    assert trace.submit_s.tolist() == [10.0, 0.0]
    assert trace.wait_s.tolist() == [60.0, 0.0]
    assert trace.run_s.tolist() == [120.0, 30.0]
    assert trace.group.tolist() == ["vcA", "vcB"]


def test_sacct_reads_gpus_limits_and_leaves_steps_out(tmp_path: Path) -> None:
    text = (
        "JobID|User|Partition|Submit|Start|End|Elapsed|Timelimit|AllocTRES|State\n"
        "10|ann|gpu|2026-01-01T00:00:00|2026-01-01T00:10:00|2026-01-01T01:10:00|01:00:00|"
        "1-02:00:00|billing=8,cpu=64,gres/gpu:h100=16,node=2|COMPLETED\n"
        "10.batch|||2026-01-01T00:00:00|2026-01-01T00:10:00|2026-01-01T01:10:00|01:00:00|||COMPLETED\n"
        "11|bob|gpu|2026-01-01T00:00:30|Unknown|Unknown|00:00:00|UNLIMITED|gres/gpu=4|CANCELLED\n"
    )
    trace = read_trace(write(tmp_path / "t.csv", text))
    assert trace.job_id.tolist() == ["10", "11"]
    assert trace.accelerators.tolist() == [16, 4]
    assert trace.est_s[0] == 26 * 3600
    assert trace.run_s[0] == 3600
    assert np.isnan(trace.est_s[1])


def test_openb_pods_that_never_ended_are_dropped(tmp_path: Path) -> None:
    text = (
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,"
        "deletion_time,scheduled_time\n"
        "p0,1,1,1,1000,,LS,Running,5,105,15\np1,1,1,1,1000,,LS,Pending,5,,\n"
    )
    trace = read_trace(write(tmp_path / "t.csv", text))
    assert trace.run_s[0] == 90
    assert prepared(trace, 8).dropped == {"submit or run time is not a number": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("job_id,submit,run,procs\n", "the trace has no jobs"),
        ("a,b\n1,2\n", "belong to no known trace format"),
    ],
)
def test_a_file_that_is_no_trace_gives_one_sentence(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_trace(write(tmp_path / "t.csv", text))


def test_a_named_format_says_which_column_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "job_id,submit,run\n1,2,3\n")
    with pytest.raises(InputError, match="needs the column 'procs'"):
        read_trace(path, "generic")


def test_ragged_and_wordy_lines_are_counted_by_reason(tmp_path: Path) -> None:
    text = "job_id,submit,run,procs\n1,0,5,1\n2,0,5,1,9,9\n3,zero,5,1\n4,0,many,1\n5,0,5,x\n"
    trace = prepared(read_trace(write(tmp_path / "t.csv", text)), 4)
    assert trace.dropped == {
        "line has too many fields": 1,
        "submit or run time is not a number": 2,
        "asks for no accelerator": 1,
    }
    assert trace.job_id.tolist() == ["1"]

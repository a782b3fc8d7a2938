"""Generated traces keep to the shape they are drawn from."""

import os
from pathlib import Path

import numpy as np
import pytest

from dcsim.records import InputError
from dcsim.workload.traces import Trace, endings, prepared, read_trace
from dcsim.workload.traces.generate import fit, generate
from dcsim.workload.traces.published import published
from dcsim.workload.traces.write import write_trace


def seasonal_trace(jobs: int = 6000) -> Trace:
    """Heavy-tailed runs, bursts of submissions and a strong day."""
    rng = np.random.default_rng(3)
    day = rng.integers(0, 28, jobs) * 86400.0
    submit = np.sort(np.floor(day + np.clip(rng.normal(14 * 3600, 3 * 3600, jobs), 0, 86399)))
    submit[1::3] = submit[::3][: submit[1::3].size]  # every third job comes with the one before
    run = np.floor(np.clip(rng.lognormal(6.5, 2.2, jobs), 1, 10 * 86400))
    size = 2 ** rng.choice(6, jobs, p=[0.5, 0.2, 0.1, 0.1, 0.06, 0.04])
    run = np.where(size >= 16, run * 3, run)
    users = rng.choice(["ann", "bob", "eve"], jobs, p=[0.7, 0.2, 0.1]).astype(object)
    # short jobs fail far more often than long ones, as in every published trace
    ended = np.where(rng.random(jobs) < np.where(run < 600, 0.5, 0.1), "failed", "completed")
    ended = ended.astype(object)
    factor = rng.choice([1.0, 1.5, 3.0, 10.0], jobs)
    return Trace(
        job_id=np.array([str(i) for i in range(jobs)], dtype=object),
        submit_s=np.sort(submit),
        run_s=run,
        accelerators=size.astype(np.int64),
        est_s=np.ceil(run * np.where(run > 3600, factor, 10.0)),
        user=users,
        group=np.full(jobs, "", dtype=object),
        status=ended,
        wait_s=np.full(jobs, np.nan),
        source_format="generic",
    )


def figures(trace: Trace) -> dict[str, float]:
    gaps = np.diff(np.sort(trace.submit_s))
    columns = {
        "run": trace.run_s,
        "est": trace.est_s,
        "gpus": trace.accelerators,
        "gpu_time": trace.run_s * trace.accelerators,
        "gap": gaps,
        "run that failed": trace.run_s[trace.status == "failed"],
        "run that completed": trace.run_s[trace.status == "completed"],
        "est by run": trace.est_s / trace.run_s,
    }
    found = {f"mean {name}": float(column.mean()) for name, column in columns.items()}
    return found | {f"median {name}": float(np.median(column)) for name, column in columns.items()}


@pytest.mark.parametrize("seed", [1, 2])
def test_means_and_medians_are_within_five_percent(seed: int) -> None:
    trace = seasonal_trace()
    copy = generate(fit(trace), 5000, np.random.default_rng(seed))
    wanted, got = figures(trace), figures(copy)
    for name, value in wanted.items():
        # a gap is a whole number of seconds: half of one is the least that can be asked
        assert got[name] == pytest.approx(value, rel=0.05, abs=0.51), name
    failed = (copy.status == "failed").mean()
    assert failed == pytest.approx((trace.status == "failed").mean(), abs=0.01)
    assert (copy.user == "ann").mean() == pytest.approx(0.7, abs=0.02)


def test_the_day_comes_back() -> None:
    trace = seasonal_trace()
    copy = generate(fit(trace), len(trace), np.random.default_rng(1))
    for period_s, count in ((3600, 24), (86400, 7)):
        was, now = (
            np.bincount((t.submit_s // period_s).astype(int) % count, minlength=count)
            for t in (trace, copy)
        )
        many = was >= 100
        assert now[many] == pytest.approx(was[many], rel=0.05)


def test_stated_endings_have_run_times_of_their_own() -> None:
    shape = published(
        {
            "jobs_per_day": 500,
            "sizes": {1: 3, 8: 1},
            "status": {
                "completed": {"weight": 3, "median": 900, "mean": 9000, "longest": 172800},
                "failed": {"weight": 1, "median": 60, "mean": 600},
            },
            "users": {"ann": 3, "bob": 1},
            "hour_of_day": [1] * 8 + [4] * 8 + [2] * 8,
            "day_of_week": [2, 2, 2, 2, 2, 1, 1],
        }
    )
    trace = generate(shape, 14_000, np.random.default_rng(1))
    failed = trace.status == "failed"
    assert failed.mean() == pytest.approx(0.25, abs=0.001)
    assert np.median(trace.run_s[failed]) == pytest.approx(60, rel=0.05)
    assert trace.run_s[failed].mean() == pytest.approx(600, rel=0.05)
    assert trace.run_s[~failed].mean() == pytest.approx(9000, rel=0.05)
    assert np.median(trace.run_s[~failed]) == pytest.approx(900, rel=0.05)
    assert trace.run_s.max() <= 172800 * 1.05
    assert (trace.user[failed] == "ann").mean() == pytest.approx(0.75, abs=0.02)
    hour = np.bincount((trace.submit_s // 3600).astype(int) % 24, minlength=24) / len(trace)
    assert hour[8:16].sum() == pytest.approx(4 / 7, rel=0.05)


def test_one_seed_gives_one_trace_and_it_reads_back(tmp_path: Path) -> None:
    shape = fit(seasonal_trace(500))
    first, second = (generate(shape, 300, np.random.default_rng(5)) for _ in range(2))
    assert (first.submit_s == second.submit_s).all()
    write_trace(first, tmp_path / "t.csv")
    back = read_trace(tmp_path / "t.csv")
    for name in ("submit_s", "run_s", "accelerators", "est_s", "user", "status"):
        assert (getattr(back, name) == getattr(first, name)).all()


def test_published_statistics_are_met() -> None:
    shape = published(
        {
            "jobs_per_day": 2000,
            "run": {"median": 874, "mean": 18006},
            "sizes": {1: 80, 8: 15, 64: 5},
            "estimate_factors": [1, 2, 4],
            "status": {"completed": 0.6, "failed": 0.4},
            "day_peak": 1.5,
            "weekend": 0.5,
        }
    )
    trace = generate(shape, 20_000, np.random.default_rng(1))
    assert trace.run_s.mean() == pytest.approx(18006, rel=0.05)
    assert np.median(trace.run_s) == pytest.approx(874, rel=0.05)
    assert np.diff(trace.submit_s).mean() == pytest.approx(86400 / 2000, rel=0.05)
    assert (trace.accelerators == 8).mean() == pytest.approx(0.15, abs=0.001)
    assert (trace.est_s / trace.run_s).mean() == pytest.approx(7 / 3, rel=0.05)
    weekend = ((trace.submit_s // 86400) % 7 >= 5) & (trace.submit_s < 7 * 86400)
    week = (trace.submit_s < 7 * 86400).sum()
    assert weekend.sum() / week == pytest.approx(2 * 0.5 / 7, rel=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"jobs_per_day": -1}, "jobs_per_day as a positive number"),
        ({"run": {"median": 10, "mean": 5}}, "not below its median"),
        ({"sizes": {}}, "sizes as weights"),
        ({"estimate_factors": [0.5]}, "below the run time"),
        ({"run": {"median": 10, "mean": 90, "longest": 20}}, "no lognormal run times up to 20 s"),
        ({"hour_of_day": [1, 2]}, "24 positive weights"),
        ({"sizes": {"two": 1}}, "whole number of accelerators"),
        ({"status": {}}, "status as weights"),
    ],
)
def test_wrong_statistics_are_named(change: dict[str, object], message: str) -> None:
    good = {"jobs_per_day": 10, "run": {"median": 5, "mean": 9}, "sizes": {1: 1}}
    with pytest.raises(InputError, match=message):
        published({**good, **change})


@pytest.mark.parametrize(
    "name", ["philly_dev.csv", "sdsc_sp2_1998_first5k.swf", "openb_pod_list_default.csv"]
)
def test_published_traces_are_met(name: str) -> None:
    traces = os.environ.get("DCSIM_TRACES")
    if not traces:
        pytest.skip("DCSIM_TRACES is not set")
    trace = prepared(read_trace(Path(traces) / name), 10**6)
    copy = prepared(generate(fit(trace), len(trace), np.random.default_rng(1)), 10**6)
    wanted, got = published_figures(trace), published_figures(copy)
    for figure, value in wanted.items():
        assert got[figure] == pytest.approx(value, rel=0.05, abs=0.51), figure


def published_figures(trace: Trace) -> dict[str, float]:
    """Means and medians of all that a fit takes, by ending as well, and counts by hour and day."""
    found = {}
    ends = endings(trace.status)
    for ending in ["", *sorted(set(ends.tolist()))]:
        mine = np.ones(len(trace), bool) if not ending else ends == ending
        found[f"jobs {ending}"] = float(mine.sum())
        columns = (trace.run_s, trace.accelerators, trace.est_s)
        for name, column in zip(("run", "gpus", "est"), columns, strict=True):
            found[f"mean {name} {ending}"] = float(column[mine].mean())
            found[f"median {name} {ending}"] = float(np.median(column[mine]))
    gaps = np.diff(np.sort(trace.submit_s))
    found |= {"mean gap": float(gaps.mean()), "median gap": float(np.median(gaps))}
    for period_s, count in ((3600, 24), (86400, 7)):
        cell = (trace.submit_s // period_s).astype(int) % count
        found |= {
            f"{period_s} s {i}": float(jobs)
            for i, jobs in enumerate(np.bincount(cell, minlength=count))
        }
    return found

"""Every policy of the general replay against a brute force on small random cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ranked_oracle import Case, Job, simulate

from dcsim.records import InputError
from dcsim.simulation.replay import Options, Replay, Tuning, Window, audit, replay
from dcsim.simulation.replay.ranked_log import END_REASONS
from dcsim.workload.traces import Trace

N_NODES, PER_NODE = 3, 4

ORACLE = {
    "fcfs": ("submitted", "block", False),
    "sjf": ("estimate", "block", False),
    "firstfit": ("submitted", "skip", False),
    "easy": ("submitted", "reserve", False),
    "priority": ("priority", "block", False),
    "priority+easy": ("priority", "reserve", False),
    "fairshare": ("fair", "block", False),
    "fairshare+easy": ("fair", "reserve", False),
    "drf": ("dominant", "block", False),
    "drf+firstfit": ("dominant", "skip", False),
    "srtf": ("remaining", "skip", True),
    "las": ("attained", "skip", True),
    "priority+preempt": ("priority", "block", True),
    "priority+firstfit+preempt": ("priority", "skip", True),
}

rows = st.lists(
    st.tuples(
        st.integers(0, 30),  # submit
        st.integers(1, 20),  # run
        st.integers(1, 12),  # accelerators
        st.integers(0, 15),  # estimate beyond the run
        st.sampled_from(["ann", "bob", "eve"]),
        st.integers(0, 4),  # priority
    ),
    min_size=1,
    max_size=14,
)
windows = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(1, 2),
        st.integers(0, 40),
        st.integers(1, 20),
        st.sampled_from([None, "ann"]),
    ),
    max_size=2,
)


def make_trace(jobs) -> Trace:
    jobs = sorted(jobs, key=lambda row: row[0])
    submit, run, procs, more, user, priority = zip(*jobs, strict=True)
    n = len(jobs)
    blank = np.full(n, "", dtype=object)
    return Trace(
        job_id=np.array([str(i) for i in range(n)], dtype=object),
        submit_s=np.array(submit, float),
        run_s=np.array(run, float),
        accelerators=np.array(procs, np.int64),
        est_s=np.array(run, float) + np.array(more),
        user=np.array(user, dtype=object),
        group=blank,
        status=blank,
        wait_s=np.full(n, np.nan),
        source_format="generic",
        priority=np.array(priority, np.int64),
    )


def oracle_jobs(trace: Trace) -> list[Job]:
    assert trace.priority is not None
    scale = max(1, int(np.abs(trace.priority).max()))
    return [
        Job(i, *values, user=str(trace.user[i]), priority=trace.priority[i] / scale)
        for i, values in enumerate(
            zip(
                trace.submit_s.tolist(),
                trace.run_s.tolist(),
                trace.accelerators.tolist(),
                trace.est_s.tolist(),
                strict=True,
            )
        )
    ]


def segments_of(done: Replay) -> list[list[tuple[float, float, str]]]:
    held = done.stretches()
    found: list[list[tuple[float, float, str]]] = [[] for _ in range(len(done.trace))]
    for job, start, end, reason in zip(
        held.job.tolist(), held.start_s.tolist(), held.end_s.tolist(), held.reason.tolist(),
        strict=True,
    ):  # fmt: skip
        found[job].append((start, end, END_REASONS[reason]))
    return found


def compare(jobs, policy: str, pool: bool, options: Options, **case) -> None:
    trace = make_trace(jobs)
    order, rule, preempt = ORACLE[policy]
    nodes, per_node = (1, N_NODES * PER_NODE) if pool else (N_NODES, PER_NODE)
    expected = simulate(
        Case(order, rule, preempt, nodes, per_node, pool, **case), oracle_jobs(trace)
    )
    ran = [segments for segments in expected if segments]
    if not ran:
        return
    done = replay(trace, policy, N_NODES, PER_NODE, pool=pool, options=options)
    got = segments_of(done)
    assert [[s[2] for s in job] for job in got] == [[s[2] for s in job] for job in ran]
    flat = [t for job in got for s in job for t in s[:2]]
    assert flat == pytest.approx([t for job in ran for s in job for t in s[:2]], abs=1e-6)
    assert audit(done) == []


@pytest.mark.parametrize("policy", ORACLE)
@settings(max_examples=25, deadline=None)
@given(jobs=rows, pool=st.booleans(), restart=st.sampled_from([0.0, 2.0]))
def test_policies_equal_brute_force(policy: str, jobs, pool: bool, restart: float) -> None:
    # windows before time 0 change nothing but lead every policy through the general loop
    options = Options(
        restart_s=restart,
        tuning=Tuning(las_threshold_s=20.0, half_life_s=15.0),
        windows=(Window(0, 1, -20.0, -10.0),),
    )
    compare(jobs, policy, pool, options, restart=restart, threshold=20.0, half_life=15.0)


@pytest.mark.parametrize("policy", ["easy", "firstfit", "srtf", "fairshare+easy"])
@pytest.mark.parametrize("mode", ["pack", "spread"])
@settings(max_examples=15, deadline=None)
@given(jobs=rows)
def test_other_placements_equal_brute_force(policy: str, mode: str, jobs) -> None:
    compare(jobs, policy, False, Options(placement=mode), mode=mode)


@pytest.mark.parametrize("policy", ["fcfs", "easy", "srtf", "drf"])
@settings(max_examples=20, deadline=None)
@given(jobs=rows, pool=st.booleans())
def test_quotas_equal_brute_force(policy: str, jobs, pool: bool) -> None:
    jobs = [(*job[:2], min(job[2], 7), *job[3:]) for job in jobs]
    options = Options(quota={"": 7}, quota_by="user")
    compare(jobs, policy, pool, options, quota=7)


@pytest.mark.parametrize("policy", ["fcfs", "easy", "firstfit", "srtf", "las"])
@settings(max_examples=40, deadline=None)
@given(jobs=rows, closed=windows, pool=st.booleans())
def test_windows_equal_brute_force(policy: str, jobs, closed, pool: bool) -> None:
    jobs = [*jobs, (0, 1, 1, 0, "ann", 0)]
    spans = [(first, first + n, a, a + b, who) for first, n, a, b, who in closed]
    spans = [(f, min(last, N_NODES), a, b, who) for f, last, a, b, who in spans]
    options = Options(windows=tuple(Window(f, g, a, b, who) for f, g, a, b, who in spans))
    compare(jobs, policy, pool, options, windows=tuple(spans), threshold=3600.0)


def test_a_job_above_its_quota_is_dropped_with_that_reason() -> None:
    trace = make_trace([(0, 5, 8, 0, "ann", 0), (0, 5, 2, 0, "bob", 0)])
    options = Options(quota={"ann": 4}, quota_by="user")
    done = replay(trace, "easy", N_NODES, PER_NODE, pool=False, options=options)
    assert done.trace.dropped == {"asks for more than its quota": 1}
    assert done.trace.user.tolist() == ["bob"]


def test_a_preempted_job_pays_its_restart_and_keeps_its_work() -> None:
    long, short = (0, 100, 4, 0, "ann", 0), (10, 5, 4, 0, "bob", 0)
    options = Options(restart_s=7.0)
    done = replay(make_trace([long, short]), "srtf", 1, 4, pool=True, options=options)
    assert segments_of(done) == [
        [(0.0, 10.0, "preempted"), (15.0, 15.0 + 7.0 + 90.0, "completed")],
        [(10.0, 15.0, "completed")],
    ]


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("esay", "did you mean easy"),
        ("srtf+easy", "does not combine with 'easy'"),
        ("drf+preempt", "does not combine with 'preempt'"),
        ("priority+easy+preempt", "drop \\+easy"),
    ],
)
def test_a_policy_that_does_not_exist_is_one_sentence(policy: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        replay(make_trace([(0, 1, 1, 0, "ann", 0)]), policy, 1, 1, pool=True)


def test_conservative_takes_no_window() -> None:
    options = Options(windows=(Window(0, 1, 0.0, 1.0),))
    trace = make_trace([(0, 1, 1, 0, "ann", 0)])
    with pytest.raises(InputError, match="conservative takes no placement, quota or window"):
        replay(trace, "conservative", 1, 1, pool=True, options=options)

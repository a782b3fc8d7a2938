"""Why jobs wait, what idles, how many nodes suffice, how sure it is: held to plain counts."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.records import InputError
from dcsim.simulation.replay import Options, Replay, replay, summarise
from dcsim.simulation.replay.replicas import replicate
from dcsim.simulation.replay.search import fewest_nodes
from dcsim.simulation.replay.sweep import IDLE_REASONS, WAIT_REASONS, sweep
from dcsim.simulation.replay.trace_events import trace_events
from dcsim.simulation.replay.why import why
from dcsim.workload.traces import Trace

rows = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.integers(1, 20),
        st.integers(1, 9),
        st.integers(1, 30),
        st.sampled_from(["ann", "bob"]),
    ),
    min_size=1,
    max_size=14,
)


def make_trace(jobs) -> Trace:
    submit, run, procs, est, user = zip(*jobs, strict=True)
    n = len(jobs)
    blank = np.full(n, "", dtype=object)
    return Trace(
        job_id=np.array([f"j{i}" for i in range(n)], dtype=object),
        submit_s=np.array(submit, float),
        run_s=np.array(run, float),
        accelerators=np.array(procs, np.int64),
        est_s=np.array(est, float),
        user=np.array(user, dtype=object),
        group=blank,
        status=blank,
        wait_s=np.full(n, np.nan),
        source_format="generic",
    )


def fits(free: list[int], need: int, size: int, pool: bool) -> bool:
    if pool:
        return sum(free) >= need
    whole, rest = divmod(need, size)
    full = sum(f == size for f in free)
    others = sum(f >= rest for f in free) - whole
    return full >= whole and (rest == 0 or others > 0)


def counted(done: Replay, pool: bool, quota: int | None) -> tuple[np.ndarray, dict[str, float]]:
    """Wait by reason and idle accelerator-seconds, looked up second by second."""
    held, trace = done.stretches(), done.trace
    size = done.per_node
    waited = np.zeros((len(trace), 4))
    idle = dict.fromkeys(IDLE_REASONS, 0.0)
    for now in range(int(trace.submit_s.min()), int(done.end_s.max())):
        free = [size] * done.n_nodes
        used = {"ann": 0, "bob": 0}
        running = set()
        for i in range(held.job.size):
            if held.start_s[i] <= now < held.end_s[i]:
                running.add(int(held.job[i]))
                used[str(trace.user[held.job[i]])] += int(held.gpus[i])
                if pool:
                    free[0] -= int(held.gpus[i])
                else:
                    for k in range(held.offsets[i], held.offsets[i + 1]):
                        free[held.nodes[k]] -= int(held.counts[k])
        queue = [
            j
            for j in range(len(trace))
            if trace.submit_s[j] <= now < done.end_s[j] and j not in running
        ]
        could = False
        for j in queue:
            need = int(trace.accelerators[j])
            if quota is not None and used[str(trace.user[j])] + need > quota:
                reason = 0
                could |= need <= sum(free)
            elif need > sum(free):
                reason = 1
            elif not fits(free, need, size, pool):
                reason = 2
            else:
                reason, could = 3, True
            waited[j, reason] += 1
        idle["no_demand" if not queue else "held_back" if could else "fragmented"] += sum(free)
    return waited, idle


@pytest.mark.parametrize("policy", ["fcfs", "easy", "conservative", "srtf", "drf"])
@settings(max_examples=20, deadline=None)
@given(jobs=rows, pool=st.booleans(), limited=st.booleans())
def test_reasons_equal_a_count_of_every_second(policy, jobs, pool: bool, limited: bool) -> None:
    quota = 9 if limited and policy != "conservative" else None
    options = Options(quota={"": 9} if quota else {}, quota_by="user")
    done = replay(make_trace(jobs), policy, 3, 4, pool=pool, options=options)
    if pool:
        done = replace(done, n_nodes=1, per_node=12)
    found = sweep(done)
    waited, idle = counted(done, pool, quota)
    assert found.waited_s == pytest.approx(waited, abs=1e-9)
    assert found.mean_idle() == pytest.approx(idle)
    assert (found.busy + found.idle.sum(axis=1) == 12).all()


def test_why_names_the_holder_and_the_reason() -> None:
    jobs = [(0, 100, 6, 100, "ann"), (10, 20, 8, 20, "bob"), (11, 5, 2, 5, "eve")]
    done = replay(make_trace(jobs), "easy", 2, 4, pool=False)
    found = why(done, "j1")
    assert found.waited_s == {"quota": 0.0, "capacity": 90.0, "fragmentation": 0.0, "policy": 0.0}
    assert found.holders[0].job_id == "j0"
    assert found.holders[0].share == pytest.approx(6 / 8)
    assert (found.ahead, found.overtaken_by, found.freed_by) == (0, 1, ("j0",))
    with pytest.raises(InputError, match="no job called 'j9'"):
        why(done, "j9")


def test_scattered_accelerators_are_told_from_too_few() -> None:
    jobs = [(0, 50, 3, 50, "ann"), (0, 50, 3, 50, "ann"), (1, 5, 2, 5, "bob")]
    done = replay(make_trace(jobs), "fcfs", 2, 4, pool=False)
    assert dict(zip(WAIT_REASONS, sweep(done).waited_s[2], strict=True))["fragmentation"] == 49


def seeded(jobs: int, seed: int) -> Trace:
    rng = np.random.default_rng(seed)
    run = np.ceil(rng.lognormal(4, 1.5, jobs))
    return make_trace(
        list(
            zip(
                np.sort(rng.integers(0, 40 * jobs, jobs)).tolist(),
                run.tolist(),
                rng.choice([1, 2, 4, 8], jobs).tolist(),
                (run * 2).tolist(),
                ["ann"] * jobs,
                strict=True,
            )
        )
    )


@pytest.mark.parametrize("policy", ["fcfs", "easy"])
@pytest.mark.parametrize("seed", range(6))
def test_the_fewest_nodes_equal_exhaustive_search(policy: str, seed: int) -> None:
    trace = seeded(150, seed)
    for target in (0.0, 60.0, 600.0):
        found = fewest_nodes(trace, policy, 4, target, pool=False)
        p95 = {
            n: np.percentile(replay(trace, policy, n, 4, pool=False).wait_s, 95)
            for n in range(2, found.nodes + 1)
        }
        assert found.nodes == min(n for n, value in p95.items() if value <= target)


def test_replicas_depend_on_the_seed_alone_and_surround_the_mean() -> None:
    def copies(seed: int, replicas: int):
        return replicate(
            seeded(200, 1), "easy", 4, 4, pool=False, replicas=replicas, jitter_s=60.0, seed=seed
        )

    few, many = copies(1, 3), copies(1, 8)
    assert (few.mean_s == many.mean_s[:3]).all()
    assert not (copies(2, 3).mean_s == few.mean_s).all()
    value, low, high = many.interval(many.mean_s)
    assert low < value < high


def test_the_summary_tells_useful_from_allocated_and_compares_recorded_waits() -> None:
    trace = make_trace([(0, 100, 2, 100, "ann"), (0, 50, 2, 50, "bob"), (0, 50, 2, 50, "bob")])
    trace = replace(
        trace,
        status=np.array(["COMPLETED", "FAILED", "CANCELLED by 7"], dtype=object),
        wait_s=np.array([0.0, 10.0, np.nan]),
        priority=np.array([1, 1, 2]),
    )
    done = replay(trace, "fcfs", 1, 4, pool=False)
    summary = summarise(done, sweep(done))
    assert summary["allocated"] == {"cancelled": 100.0, "completed": 200.0, "failed": 100.0}
    error = summary["recorded_against_simulated"]["all jobs"]
    assert error["recorded"]["jobs"] == 2
    assert error["error"] == -1.0
    assert summary["wait_by_priority"]["1"]["jobs"] == 2
    assert set(summary["wait_by_user"]) == {"ann", "bob"}
    json.dumps(summary)


def test_a_warm_up_leaves_early_jobs_out() -> None:
    trace = make_trace([(0, 100, 4, 100, "ann"), (10, 5, 4, 5, "bob"), (200, 5, 4, 5, "bob")])
    done = replay(trace, "fcfs", 1, 4, pool=False)
    assert summarise(done)["wait"]["max_s"] == 90
    assert summarise(done, warmup_s=50.0)["wait"] == {
        "jobs": 1, "mean_s": 0.0, "p50_s": 0.0, "p95_s": 0.0, "max_s": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize("pool", [True, False])
def test_trace_events_show_each_accelerator_once(pool: bool) -> None:
    done = replay(seeded(150, 3), "srtf", 3, 4, pool=pool)
    document = trace_events(done, sweep(done), 100.0, 4000.0)
    rows: dict[tuple[int, int], list[tuple[float, float]]] = {}
    opened = 0
    for event in document["traceEvents"]:
        if event["ph"] == "X":
            assert 0 <= event["ts"] <= event["ts"] + event["dur"] <= 3900e6
            span = (event["ts"], event["ts"] + event["dur"])
            rows.setdefault((event["pid"], event["tid"]), []).append(span)
        opened += {"b": 1, "e": -1}.get(event["ph"], 0)
    assert opened == 0
    for spans in rows.values():
        spans.sort()
        assert all(a[1] <= b[0] + 1e-3 for a, b in pairwise(spans))
    assert max(row for _, row in rows) < (12 if pool else 4)

"""Elastic jobs against a plain loop, and their even sharing against one-by-one giving."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.records import InputError
from dcsim.scheduling.elastic import shared_evenly
from dcsim.simulation.replay import Options, audit, replay, summarise
from dcsim.simulation.replay.sweep import sweep
from dcsim.workload.traces import Trace

CAPACITY = 8

rows = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.integers(1, 20),
        st.integers(1, 4),
        st.integers(1, 4),
        st.integers(0, 6),
    ),
    min_size=1,
    max_size=12,
)


def make_trace(jobs) -> Trace:
    jobs = sorted(jobs, key=lambda job: job[0])
    n = len(jobs)
    blank = np.full(n, "", dtype=object)
    least = np.array([job[2] for job in jobs], np.int64)
    asked = np.minimum(least + np.array([job[3] for job in jobs]) - 1, CAPACITY)
    return Trace(
        job_id=np.array([str(i) for i in range(n)], dtype=object),
        submit_s=np.array([job[0] for job in jobs], float),
        run_s=np.array([job[1] for job in jobs], float),
        accelerators=asked,
        est_s=np.array([job[1] for job in jobs], float),
        user=blank,
        group=blank,
        status=blank,
        wait_s=np.full(n, np.nan),
        source_format="generic",
        least=least,
        most=np.minimum(asked + np.array([job[4] for job in jobs]), CAPACITY),
    )


def one_by_one(least: list[int], most: list[int], capacity: int) -> list[int]:
    given = list(least)
    for _ in range(capacity - sum(least)):
        open_jobs = [i for i in range(len(given)) if given[i] < most[i]]
        if open_jobs:
            given[min(open_jobs, key=lambda i: (given[i], i))] += 1
    return given


@settings(max_examples=60, deadline=None)
@given(
    jobs=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 9)), min_size=1, max_size=6),
    more=st.integers(0, 30),
)
def test_even_sharing_equals_giving_one_by_one(jobs, more: int) -> None:
    least = np.array([a for a, _ in jobs])
    most = least + np.array([b for _, b in jobs])
    capacity = int(least.sum()) + more
    assert shared_evenly(least, most, capacity).tolist() == one_by_one(
        least.tolist(), most.tolist(), capacity
    )


def plain_replay(trace: Trace, restart: float) -> list[list[tuple[float, float, int]]]:
    assert trace.least is not None
    assert trace.most is not None
    n = len(trace)
    found: list[list[tuple[float, float, int]]] = [[] for _ in range(n)]
    left = trace.run_s.tolist()
    state: dict[int, tuple[float, float, int]] = {}
    waiting = list(range(n))

    def end(j: int) -> float:
        since, overhead, size = state[j]
        return since + overhead + left[j] * int(trace.accelerators[j]) / size

    now = float("-inf")
    while waiting or state:
        coming = [float(t) for t in trace.submit_s if t > now]
        now = min(coming + [end(j) for j in state])
        for j in [j for j in state if end(j) == now]:
            since, _, size = state.pop(j)
            found[j].append((since, now, size))
        while waiting and trace.submit_s[waiting[0]] <= now:
            needed = sum(int(trace.least[j]) for j in state) + int(trace.least[waiting[0]])
            if needed > CAPACITY:
                break
            state[waiting.pop(0)] = (now, 0.0, 0)
        jobs = sorted(state)
        sizes = one_by_one(
            [int(trace.least[j]) for j in jobs], [int(trace.most[j]) for j in jobs], CAPACITY
        )
        for j, size in zip(jobs, sizes, strict=True):
            since, overhead, old = state[j]
            if size == old:
                continue
            if old:
                done = max(0.0, now - since - overhead)
                left[j] -= done * old / int(trace.accelerators[j])
                found[j].append((since, now, old))
            state[j] = (now, restart if old else 0.0, size)
    return found


@settings(max_examples=60, deadline=None)
@given(jobs=rows, restart=st.sampled_from([0.0, 3.0]))
def test_elastic_jobs_equal_a_plain_loop(jobs, restart: float) -> None:
    trace = make_trace(jobs)
    expected = plain_replay(trace, restart)
    done = replay(trace, "elastic", CAPACITY, 1, pool=True, options=Options(restart_s=restart))
    held = done.stretches()
    for j in range(len(trace)):
        mine = held.job == j
        got = np.stack([held.start_s[mine], held.end_s[mine], held.gpus[mine]], 1)
        assert got == pytest.approx(np.array(expected[j]), abs=1e-6)
    assert audit(done) == []
    found = sweep(done)
    assert found.waited_s.sum() == pytest.approx(done.wait_s.sum(), abs=1e-6)
    assert summarise(done, found)["restart_s"] >= -1e-6


def test_a_job_without_limits_keeps_its_size() -> None:
    trace = replace(make_trace([(0, 10, 3, 1, 5), (2, 5, 6, 1, 0)]), least=None, most=None)
    elastic = replay(trace, "elastic", CAPACITY, 1, pool=True)
    fcfs = replay(trace, "fcfs", CAPACITY, 1, pool=True)
    assert elastic.start_s.tolist() == fcfs.start_s.tolist()
    assert elastic.end_s.tolist() == fcfs.end_s.tolist()


def test_elastic_jobs_need_a_pool() -> None:
    with pytest.raises(InputError, match="use --gpus N"):
        replay(make_trace([(0, 1, 1, 1, 0)]), "elastic", 2, 4, pool=False)

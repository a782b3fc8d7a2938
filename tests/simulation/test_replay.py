"""Replay against brute force on small cases and against published reference schedules."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.records import InputError
from dcsim.simulation.replay import PLAIN_POLICIES, Replay, audit, replay, summarise
from dcsim.workload.traces import Trace, read_trace


def make_trace(rows: list[tuple[float, float, int, float]]) -> Trace:
    submit, run, procs, est = (np.array(column) for column in zip(*rows, strict=True))
    n = len(rows)
    blank = np.full(n, "", dtype=object)
    return Trace(
        job_id=np.array([str(i) for i in range(n)], dtype=object),
        submit_s=submit.astype(float),
        run_s=run.astype(float),
        accelerators=procs.astype(np.int64),
        est_s=est.astype(float),
        user=blank,
        group=blank,
        status=blank,
        wait_s=np.full(n, np.nan),
        source_format="generic",
    )


class BruteNodes:
    """Free accelerators node by node; a pool is nodes of one accelerator with any-fit."""

    def __init__(self, n_nodes: int, per_node: int, pool: bool) -> None:
        self.free = [per_node] * n_nodes
        self.per_node, self.pool = per_node, pool

    def copy(self) -> "BruteNodes":
        twin = BruteNodes(len(self.free), self.per_node, self.pool)
        twin.free = list(self.free)
        return twin

    def choose(self, need: int) -> dict[int, int] | None:
        if self.pool:
            chosen = [i for i, f in enumerate(self.free) if f][:need]
            return dict.fromkeys(chosen, 1) if len(chosen) == need else None
        taken: dict[int, int] = {}
        whole, rest = (need // self.per_node, need % self.per_node)
        empty = [i for i, f in enumerate(self.free) if f == self.per_node]
        if len(empty) < whole:
            return None
        taken = dict.fromkeys(empty[:whole], self.per_node)
        if rest:
            fitting = [(f, i) for i, f in enumerate(self.free) if f >= rest and i not in taken]
            if not fitting:
                return None
            taken[min(fitting)[1]] = rest
        return taken

    def take(self, placement: dict[int, int], sign: int = 1) -> None:
        for node, count in placement.items():
            self.free[node] -= sign * count
            assert self.free[node] >= 0


def brute_force(rows, policy: str, n_nodes: int, per_node: int, pool: bool) -> list[float]:
    """The rules of the reference, written for clarity: every pass looks at everything."""
    order = sorted(range(len(rows)), key=lambda j: (rows[j][0], j))
    est = {j: max(rows[j][3], rows[j][1]) for j in order}
    cluster = BruteNodes(n_nodes, per_node, pool)
    start: dict[int, float] = {}
    held: dict[int, dict[int, int]] = {}
    waiting = list(order)
    times = sorted({rows[j][0] for j in order})
    while times:
        now = times.pop(0)
        for j in [j for j in held if start[j] + rows[j][1] == now]:
            cluster.take(held.pop(j), -1)
        queue = [j for j in waiting if rows[j][0] <= now]
        if policy == "sjf":
            queue.sort(key=lambda j: (est[j], rows[j][0], order.index(j)))
        head_blocked = False
        then, shadow = cluster, float("inf")
        for j in queue:
            need = rows[j][2]
            placement = cluster.choose(need)
            if placement is None:
                if policy in ("fcfs", "sjf"):
                    break
                if policy == "easy" and not head_blocked:
                    head_blocked = True
                    then, head_need = cluster.copy(), need
                    for end in sorted({start[i] + est[i] for i in held}):
                        for i in held:
                            if start[i] + est[i] == end:
                                then.take(held[i], -1)
                        shadow = end
                        if then.choose(need) is not None:
                            break
                continue
            if head_blocked and now + est[j] > shadow:
                if pool:
                    if sum(then.free) - need < head_need:
                        continue
                    for node in [i for i, f in enumerate(then.free) if f][:need]:
                        then.free[node] -= 1
                else:
                    then.take(placement)
                    if then.choose(head_need) is None:
                        then.take(placement, -1)
                        continue
            cluster.take(placement)
            held[j], start[j] = placement, now
            waiting.remove(j)
            times = sorted({*times, now + rows[j][1]})
    return [start[j] for j in range(len(rows))]


def brute_conservative(rows, n_nodes: int, per_node: int) -> list[float]:
    """Reservations of time and nodes over unit time steps; all times are small whole numbers."""
    horizon = 2000
    free = np.full((horizon, n_nodes), per_node)
    order = sorted(range(len(rows)), key=lambda j: (rows[j][0], j))
    est = {j: int(max(rows[j][3], rows[j][1])) for j in order}
    reserved: dict[int, int] = {}
    where: dict[int, dict[int, int]] = {}
    started: set[int] = set()

    def take(j: int, begin: int, sign: int) -> None:
        for node, count in where[j].items():
            free[begin : reserved[j] + est[j], node] -= sign * count

    def reserve(j: int, now: int) -> None:
        cluster = BruteNodes(n_nodes, per_node, pool=False)
        for t in range(now, horizon):
            cluster.free = free[t : t + est[j]].min(axis=0).tolist()
            placement = cluster.choose(rows[j][2])
            if placement is not None:
                reserved[j], where[j] = t, placement
                return take(j, t, 1)

    now = -1
    while len(started) < len(rows):
        now += 1
        ended = [j for j in started if reserved[j] + int(rows[j][1]) == now]
        early = [j for j in ended if est[j] > rows[j][1]]
        for j in early:
            take(j, now, -1)
        for j in [j for j in order if early and j in reserved and j not in started]:
            if reserved[j] > now:
                take(j, reserved[j], -1)
                reserve(j, now)
        for j in order:
            if rows[j][0] == now:
                reserve(j, now)
        started |= {j for j, t in reserved.items() if t == now}
    return [float(reserved[j]) for j in range(len(rows))]


jobs = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 20), st.integers(1, 12), st.integers(1, 30)),
    min_size=1,
    max_size=14,
)


@pytest.mark.parametrize("policy", ["fcfs", "sjf", "firstfit", "easy"])
@settings(max_examples=60, deadline=None)
@given(rows=jobs)
def test_pool_equals_brute_force(policy: str, rows) -> None:
    done = replay(make_trace(rows), policy, 12, 1, pool=True)
    assert done.start_s.tolist() == brute_force(rows, policy, 12, 1, True)


@pytest.mark.parametrize("policy", ["fcfs", "sjf", "firstfit", "easy"])
@settings(max_examples=60, deadline=None)
@given(rows=jobs)
def test_nodes_equal_brute_force(policy: str, rows) -> None:
    done = replay(make_trace(rows), policy, 3, 4, pool=False)
    assert done.start_s.tolist() == brute_force(rows, policy, 3, 4, False)
    assert audit(done) == []


def test_a_started_job_may_free_a_refused_one_from_the_node_that_the_head_needs() -> None:
    rows = [
        (4, 13, 10, 26), (8, 11, 4, 22), (1, 16, 2, 32), (21, 16, 3, 24), (1, 9, 7, 9),
        (19, 17, 1, 17), (12, 13, 1, 13), (1, 15, 2, 15), (9, 14, 1, 14), (20, 2, 1, 8),
    ]  # fmt: skip
    done = replay(make_trace(rows), "easy", 5, 3, pool=False)
    assert done.start_s.tolist() == brute_force(rows, "easy", 5, 3, False)
    assert done.start_s[3] == 23


def test_a_reservation_falls_due_on_an_idle_cluster() -> None:
    rows = [
        (0, 10, 3, 15), (4, 12, 1, 12), (4, 9, 8, 9), (1, 18, 2, 36), (2, 13, 3, 13),
        (3, 10, 2, 10), (4, 13, 4, 13),
    ]  # fmt: skip
    for pool in (True, False):
        nodes, per_node = (8, 1) if pool else (1, 8)
        done = replay(make_trace(rows), "conservative", nodes, per_node, pool=pool)
        assert done.start_s.tolist() == [0, 10, 33, 1, 2, 10, 19] == brute_conservative(rows, 1, 8)


@settings(max_examples=40, deadline=None)
@given(rows=jobs)
def test_conservative_equals_brute_force(rows) -> None:
    done = replay(make_trace(rows), "conservative", 12, 1, pool=True)
    assert done.start_s.tolist() == brute_conservative(rows, 1, 12)


@settings(max_examples=40, deadline=None)
@given(rows=jobs)
def test_conservative_on_nodes_equals_brute_force(rows) -> None:
    done = replay(make_trace(rows), "conservative", 3, 4, pool=False)
    assert done.start_s.tolist() == brute_conservative(rows, 3, 4)
    assert audit(done) == []


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(rows=jobs)
def test_one_node_is_a_pool_for_conservative_too(rows) -> None:
    pool = replay(make_trace(rows), "conservative", 1, 12, pool=True)
    nodes = replay(make_trace(rows), "conservative", 1, 12, pool=False)
    assert pool.start_s.tolist() == nodes.start_s.tolist()
    spread = replay(make_trace(rows), "conservative", 3, 4, pool=False)
    assert audit(spread) == []


def test_the_audit_sees_an_accelerator_held_twice() -> None:
    trace = make_trace([(0, 10, 3, 10), (0, 10, 3, 10)])
    good = replay(trace, "fcfs", 2, 2, pool=True)
    bad = Replay(trace, "fcfs", 2, 2, np.zeros(2), np.full(2, 10.0))
    assert audit(good) == []
    assert audit(bad) == ["6 accelerators held at once of 4"]


def test_what_cannot_run_is_dropped_with_its_reason() -> None:
    rows = [(0, 5, 2, 5), (1, 0, 1, 5), (2, 5, 0, 5), (3, 5, 9, 5), (4, float("nan"), 1, 5)]
    done = replay(make_trace(rows), "fcfs", 4, 1, pool=True)
    assert len(done.trace) == 1
    assert sorted(done.trace.dropped.values()) == [1, 1, 1, 1]
    with pytest.raises(InputError, match="no job of the trace can run"):
        replay(make_trace(rows[1:]), "fcfs", 4, 1, pool=True)


def test_the_order_of_the_trace_is_kept_when_submits_are_not_sorted() -> None:
    done = replay(make_trace([(5, 2, 3, 2), (0, 4, 6, 4)]), "fcfs", 2, 4, pool=False)
    assert done.start_s.tolist() == [5.0, 0.0]
    assert done.offsets is not None
    assert done.offsets.tolist() == [0, 1, 3]


def test_the_summary_counts_by_size_and_flags_a_queue_that_only_grows() -> None:
    heavy = make_trace([(i, 10, 4, 10) for i in range(200)])
    summary = summarise(replay(heavy, "fcfs", 4, 1, pool=True))
    assert summary["unstable_queue"]
    assert summary["wait_by_size"]["3-4"]["jobs"] == 200
    light = make_trace([(20 * i, 10, 4, 10) for i in range(200)])
    assert not summarise(replay(light, "fcfs", 4, 1, pool=True))["unstable_queue"]


def _reference(name: str) -> Path:
    truth = os.environ.get("DCSIM_TRUTH")
    if not truth:
        pytest.skip("DCSIM_TRUTH is not set")
    return Path(truth) / "scheduling" / name


@pytest.mark.parametrize("policy", PLAIN_POLICIES)
def test_start_times_equal_the_published_reference(policy: str) -> None:
    expected = np.loadtxt(
        _reference(f"bench1500_pool1024_{policy}.csv"), delimiter=",", skiprows=1, usecols=1
    )
    trace = read_trace(_reference("bench1500.csv"))
    assert replay(trace, policy, 1024, 1, pool=True).start_s.tolist() == expected.tolist()


def test_placements_equal_the_published_reference() -> None:
    expected = [
        line.split(",")[2].split(";")
        for line in _reference("bench1500_128x8_fcfs_nodes.csv").read_text().split()[1:]
    ]
    done = replay(read_trace(_reference("bench1500.csv")), "fcfs", 128, 8, pool=False)
    assert done.nodes is not None
    assert done.counts is not None
    assert done.offsets is not None
    got = [
        [f"{done.nodes[i]}:{done.counts[i]}" for i in range(begin, end)]
        for begin, end in zip(done.offsets[:-1], done.offsets[1:], strict=True)
    ]
    assert got == expected

"""Placement rules, and schedulers against the reference schedules and their definition."""

import csv
import heapq
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.records import InputError
from dcsim.scheduling.placement import best_fit, pack, spread
from dcsim.scheduling.policies import PLACEMENTS, placement, scheduler
from dcsim.scheduling.protocol import ClusterView, QueuedJob, RunningJob


def ints(*values):
    return np.array(values, dtype=np.int64)


def test_small_job_goes_to_the_fullest_node_that_fits():
    nodes, counts = best_fit(ints(8, 3, 2, 3), ints(8, 8, 8, 8), 3)
    assert (nodes.tolist(), counts.tolist()) == ([1], [3])


def test_large_job_takes_free_nodes_and_one_remainder():
    nodes, counts = best_fit(ints(8, 5, 8, 8), ints(8, 8, 8, 8), 20)
    assert (nodes.tolist(), counts.tolist()) == ([0, 2, 1], [8, 8, 4])


def test_best_fit_refuses_scattered_room():
    assert best_fit(ints(4, 4, 4), ints(8, 8, 8), 8) is None
    assert best_fit(ints(8, 3), ints(8, 8), 12) is None


def test_pack_takes_neighbours_and_spread_levels():
    assert [a.tolist() for a in pack(ints(0, 2, 4, 4), ints(4, 4, 4, 4), 5)] == [[1, 2], [2, 3]]
    nodes, counts = spread(ints(1, 4, 4), ints(4, 4, 4), 6)
    assert (nodes.tolist(), counts.tolist()) == ([0, 1, 2], [1, 3, 2])


@given(
    st.sampled_from(sorted(PLACEMENTS)),
    st.lists(st.integers(0, 4), min_size=1, max_size=6),
    st.integers(1, 24),
)
def test_placements_give_what_is_free_and_asked_for(name, free, need):
    free = np.array(free, dtype=np.int64)
    found = placement(name)(free, np.full_like(free, 4), need)
    if found is None:
        assert name in ("best-fit", "fgd") or free.sum() < need
    else:
        nodes, counts = found
        assert counts.sum() == need
        assert len(set(nodes.tolist())) == len(nodes)
        assert np.all((counts > 0) & (counts <= free[nodes]))


def replay(name, jobs, nodes, size):
    """Start times of (submit, run, need, estimate) rows by rules R1 to R3."""
    decide, place = scheduler(name), placement("best-fit")
    free = np.full(nodes, size, dtype=np.int64)
    pool = np.zeros(nodes, dtype=np.int64)
    starts, queue, running, ends = {}, [], {}, []
    arrivals = sorted(range(len(jobs)), key=lambda i: (jobs[i][0], i))
    upcoming = 0
    while upcoming < len(arrivals) or ends:
        next_arrival = jobs[arrivals[upcoming]][0] if upcoming < len(arrivals) else np.inf
        now = min(next_arrival, ends[0][0] if ends else np.inf)
        while ends and ends[0][0] == now:
            done = running.pop(heapq.heappop(ends)[1])
            free[done.nodes] += done.counts
        while upcoming < len(arrivals) and jobs[arrivals[upcoming]][0] == now:
            i = arrivals[upcoming]
            queue.append(QueuedJob(i, jobs[i][2], now, jobs[i][3]))
            upcoming += 1
        view = ClusterView(now, free, np.full(nodes, size, dtype=np.int64), pool)
        for start in decide(view, queue, tuple(running.values()), place).starts:
            submit, run, _need, estimate = jobs[start.job]
            assert submit <= now
            free[start.nodes] -= start.counts
            assert free.min() >= 0
            starts[start.job] = now
            running[start.job] = RunningJob(start.job, start.nodes, start.counts, now + estimate)
            heapq.heappush(ends, (now + run, start.job))
        queue = [job for job in queue if job.job not in starts]
    return [starts[i] for i in range(len(jobs))]


def test_easy_fills_the_gap_and_keeps_the_head_on_time():
    # Head (1) waits for 8 until t = 100; job 2 fits and ends in time, job 3 would not.
    jobs = [(0, 100, 6, 100), (1, 50, 8, 50), (2, 98, 2, 98), (3, 98, 2, 98)]
    assert replay("easy", jobs, 1, 8) == [0, 100, 2, 150]
    assert replay("fcfs", jobs, 1, 8) == [0, 100, 150, 150]
    assert replay("firstfit", jobs, 1, 8) == [0, 100, 2, 150]


def test_shortest_first_orders_by_estimate():
    jobs = [(0, 10, 1, 10), (1, 50, 1, 50), (2, 5, 1, 5)]
    assert replay("sjf", jobs, 1, 1) == [0, 15, 10]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20)), min_size=1, max_size=12))
def test_one_server_follows_lindleys_recursion(rows):
    jobs = [(submit, run, 1, run) for submit, run in sorted(rows)]
    assert replay("fcfs", jobs, 1, 1) == lindley(jobs)
    assert replay("easy", jobs, 1, 1) == lindley(jobs)


def lindley(jobs):
    """Start times on a single server."""
    starts, free_at = [], 0
    for submit, run, *_ in jobs:
        starts.append(max(submit, free_at))
        free_at = starts[-1] + run
    return starts


@pytest.mark.skipif("DCSIM_TRUTH" not in os.environ, reason="DCSIM_TRUTH is not set")
@pytest.mark.parametrize(
    ("name", "case", "nodes", "size"),
    [
        ("fcfs", "bench1500_128x8_fcfs_nodes.csv", 128, 8),
        ("fcfs", "bench1500_pool1024_fcfs.csv", 1, 1024),
        ("sjf", "bench1500_pool1024_sjf.csv", 1, 1024),
        ("firstfit", "bench1500_pool1024_firstfit.csv", 1, 1024),
        ("easy", "bench1500_pool1024_easy.csv", 1, 1024),
    ],
)
def test_reference_schedules(name, case, nodes, size):
    folder = Path(os.environ["DCSIM_TRUTH"]) / "scheduling"
    with (folder / "bench1500.csv").open() as lines:
        rows = [
            (int(r["submit"]), int(r["run"]), int(r["procs"]), max(int(r["est"]), int(r["run"])))
            for r in csv.DictReader(lines)
        ]
    with (folder / case).open() as lines:
        reader = csv.DictReader(lines)
        column = next(c for c in reader.fieldnames or () if c.startswith("start"))
        expected = [int(r[column]) for r in reader]
    assert replay(name, rows, nodes, size) == expected


@pytest.mark.parametrize("find", [scheduler, placement])
def test_unknown_names_are_met_with_known_ones(find):
    with pytest.raises(InputError, match="there is no"):
        find("nonsense")

"""Sharing accelerators: a plain replay gives the same places, and FGD what its formula says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.records import InputError
from dcsim.scheduling.sharing import BEST_FIT, FGD, WHOLE, Mix, choose_node, fragmentation
from dcsim.simulation.replay import Options, audit
from dcsim.simulation.replay.sharing import replay_sharing
from dcsim.workload.traces import Trace

N_NODES, PER_NODE = 3, 2

rows = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.integers(1, 15),
        st.one_of(
            st.tuples(st.just(1), st.sampled_from([200, 300, 500, 700])),
            st.tuples(st.integers(1, 5), st.just(WHOLE)),
        ),
    ),
    min_size=1,
    max_size=14,
)


def make_trace(jobs) -> Trace:
    jobs = sorted(jobs, key=lambda job: job[0])
    n = len(jobs)
    blank = np.full(n, "", dtype=object)
    return Trace(
        job_id=np.array([str(i) for i in range(n)], dtype=object),
        submit_s=np.array([job[0] for job in jobs], float),
        run_s=np.array([job[1] for job in jobs], float),
        accelerators=np.array([job[2][0] for job in jobs], np.int64),
        est_s=np.array([job[1] for job in jobs], float),
        user=blank,
        group=blank,
        status=blank,
        wait_s=np.full(n, np.nan),
        source_format="generic",
        share=np.array([job[2][1] / WHOLE for job in jobs]),
    )


def plain_fragmentation(node: list[int], mix) -> float:
    """Expected thousandths that a job of the mix could not use (FGD, section 4.1)."""
    total = 0.0
    for (procs, milli), share in mix.items():
        able = [r for r in node if r >= milli]
        total += share * (sum(node) if len(able) < min(procs, len(node)) else sum(node) - sum(able))
    return total


def options_on(node: list[int], procs: int, milli: int) -> list[list[tuple[int, int]]]:
    """Each way to put at most a node's worth there: (gpu, thousandths) pairs."""
    if milli < WHOLE:
        return [[(g, milli)] for g, left in enumerate(node) if left >= milli]
    free = [g for g, left in enumerate(node) if left == WHOLE]
    return [[(g, WHOLE) for g in free[:procs]]] if len(free) >= procs else []


def plain_replay(trace: Trace, policy: str, placement: str) -> list[tuple[float, dict[int, int]]]:
    assert trace.share is not None
    asked = list(
        zip(
            trace.accelerators.tolist(),
            np.rint(trace.share * WHOLE).astype(int).tolist(),
            strict=True,
        )
    )
    mix = {kind: asked.count(kind) / len(asked) for kind in asked}
    room = [[WHOLE] * PER_NODE for _ in range(N_NODES)]

    def score(n: int, way: list[tuple[int, int]]) -> tuple[float, ...]:
        after = list(room[n])
        for gpu, milli in way:
            after[gpu] -= milli
        left_on_gpu = room[n][way[0][0]] if way[0][1] < WHOLE else 0
        return {
            "best-fit": (sum(room[n]), n, left_on_gpu, way[0][0]),
            "spread": (-sum(room[n]), n, left_on_gpu, way[0][0]),
            "pack": (n, left_on_gpu, way[0][0]),
            "fgd": (
                round(plain_fragmentation(after, mix) - plain_fragmentation(room[n], mix), 6),
                n,
                way[0][0],
            ),
        }[placement]

    def place(procs: int, milli: int) -> list[tuple[int, int, int]] | None:
        whole, rest = divmod(procs, PER_NODE)
        if procs <= PER_NODE:
            whole, rest = 0, procs
        empty = [n for n in range(N_NODES) if min(room[n]) == WHOLE]
        if len(empty) < whole:
            return None
        taken = [(n, g, WHOLE) for n in empty[:whole] for g in range(PER_NODE)]
        if rest:
            ways = [
                (n, way)
                for n in range(N_NODES)
                if n not in empty[:whole]
                for way in options_on(room[n], rest, milli)
            ]
            if not ways:
                return None
            n, way = min(ways, key=lambda item: score(*item))
            taken += [(n, gpu, units) for gpu, units in way]
        return taken

    held: dict[int, list[tuple[int, int, int]]] = {}
    found: dict[int, tuple[float, dict[int, int]]] = {}
    waiting = list(range(len(asked)))
    times = sorted(set(trace.submit_s.tolist()))
    while times:
        now = times.pop(0)
        for j in [j for j in held if found[j][0] + trace.run_s[j] == now]:
            for n, g, units in held.pop(j):
                room[n][g] += units
        for j in [j for j in waiting if trace.submit_s[j] <= now]:
            taken = place(*asked[j])
            if taken is None:
                if policy == "fcfs":
                    break
                continue
            by_node: dict[int, int] = {}
            for n, g, units in taken:
                room[n][g] -= units
                by_node[n] = by_node.get(n, 0) + units
            held[j], found[j] = taken, (now, by_node)
            waiting.remove(j)
            times = sorted({*times, now + float(trace.run_s[j])})
    return [found[j] for j in range(len(asked))]


@pytest.mark.parametrize("placement", ["best-fit", "pack", "spread", "fgd"])
@pytest.mark.parametrize("policy", ["fcfs", "firstfit"])
@settings(max_examples=25, deadline=None)
@given(jobs=rows)
def test_sharing_equals_a_plain_replay(policy: str, placement: str, jobs) -> None:
    trace = make_trace(jobs)
    done = replay_sharing(trace, policy, N_NODES, PER_NODE, Options(placement=placement))
    assert done.nodes is not None
    assert done.counts is not None
    assert done.offsets is not None
    got = [
        (
            float(done.start_s[j]),
            dict(
                zip(
                    done.nodes[done.offsets[j] : done.offsets[j + 1]].tolist(),
                    done.counts[done.offsets[j] : done.offsets[j + 1]].tolist(),
                    strict=True,
                )
            ),
        )
        for j in range(len(trace))
    ]
    assert got == plain_replay(trace, policy, placement)
    assert audit(done) == []


def test_fragmentation_of_a_node_by_hand() -> None:
    """Left are 700, 300 and 1000: a job of 500 cannot use 300, one of 2 whole ones nothing."""
    mix = Mix(np.array([1, 2]), np.array([500, 1000]), np.array([0.25, 0.75]))
    room = np.array([700, 300, 1000])
    assert fragmentation(room, mix) == pytest.approx(0.25 * 300 + 0.75 * 2000)


def test_fgd_fills_what_nobody_else_could_use_where_best_fit_does_not() -> None:
    """Node 0 has 400 and 1000 left, node 1 twice 500; a job asks for 400, others for 500."""
    mix = Mix(np.array([1, 1]), np.array([400, 500]), np.array([0.1, 0.9]))
    room = np.array([[400, 1000], [500, 500]])
    frag = np.array([fragmentation(node, mix) for node in room])
    assert choose_node(room, 1, 400, BEST_FIT, mix, frag) == (1, 0)
    assert choose_node(room, 1, 400, FGD, mix, frag) == (0, 0)


def test_what_does_not_share_is_refused() -> None:
    trace = make_trace([(0, 1, (1, 500))])
    with pytest.raises(InputError, match="takes the policies fcfs, sjf, firstfit"):
        replay_sharing(trace, "easy", 1, 1, Options())
    with pytest.raises(InputError, match="takes the placements"):
        replay_sharing(trace, "fcfs", 1, 1, Options(placement="best"))
    with pytest.raises(InputError, match="neither quotas nor windows"):
        replay_sharing(trace, "fcfs", 1, 1, Options(quota={"": 1}))


def test_a_trace_without_shares_takes_whole_accelerators() -> None:
    trace = replace(make_trace([(0, 5, (1, 500)), (0, 5, (1, 500))]), share=None)
    done = replay_sharing(trace, "fcfs", 1, 1, Options())
    assert done.start_s.tolist() == [0.0, 5.0]

"""Collectives against closed forms and their limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.cost.collectives import CollectiveParameters, collective_time

IDEAL = CollectiveParameters(efficiency=(1.0, 1.0), step_s=0.0)
GB = 1e9


def seconds(
    kind: str,
    size: float,
    group: int,
    stride: int = 1,
    node: int = 8,
    inner: float = 400 * GB,
    outer: float = 50 * GB,
    reduces: bool = False,
    total: int = 4096,
) -> float:
    out = collective_time(
        kind,
        size,
        group,
        stride,
        np.array([[float(node)], [float(total)]]),
        np.array([[inner], [outer]]),
        np.zeros((2, 1)),
        np.array([[reduces], [False]]),
        IDEAL,
    )
    return float(np.ravel(out)[0])


@pytest.mark.parametrize("group", [2, 3, 4, 8])
def test_rings_inside_a_node_move_the_textbook_volume(group: int) -> None:
    moved = (group - 1) / group * GB / (400 * GB)
    assert seconds("all_gather", GB, group) == pytest.approx(moved)
    assert seconds("reduce_scatter", GB, group) == pytest.approx(moved)
    assert seconds("all_reduce", GB, group) == pytest.approx(2 * moved)
    assert seconds("all_to_all", GB, group) == pytest.approx(moved)


def test_a_ring_across_nodes_uses_every_members_link() -> None:
    # 64 ranks on 8 nodes: each node's 8 NICs carry the ring together, 400 GB/s in sum.
    assert seconds("all_gather", GB, 64) == pytest.approx(63 / 64 * GB / (400 * GB))
    # One rank a node: its own NIC only.
    assert seconds("all_gather", GB, 8, stride=8) == pytest.approx(7 / 8 * GB / (50 * GB))


def test_leaving_the_fast_domain_costs_an_all_to_all_much_and_an_all_reduce_little() -> None:
    inside, across = seconds("all_to_all", GB, 8), seconds("all_to_all", GB, 16)
    assert across > 4 * inside
    assert seconds("all_reduce", GB, 16) < 1.5 * seconds("all_reduce", GB, 8)


def test_switches_that_reduce_halve_a_large_all_reduce() -> None:
    ring, switch = seconds("all_reduce", GB, 8), seconds("all_reduce", GB, 8, reduces=True)
    assert switch == pytest.approx(ring / (2 * 7 / 8))
    assert seconds("all_reduce", GB, 4, reduces=True) == seconds("all_reduce", GB, 4)


def test_a_group_of_one_is_free_and_neighbours_take_the_nearest_tier() -> None:
    for kind in ("all_reduce", "all_gather", "reduce_scatter", "all_to_all", "p2p"):
        assert seconds(kind, GB, 1) == 0.0
    assert seconds("p2p", GB, 4, stride=1) == pytest.approx(1 / 400)
    assert seconds("p2p", GB, 4, stride=8) == pytest.approx(1 / 50)


@given(
    kind=st.sampled_from(["all_reduce", "all_gather", "all_to_all", "p2p"]),
    group=st.sampled_from([2, 4, 8, 16, 64]),
    stride=st.sampled_from([1, 2, 8]),
    size=st.floats(1e3, 1e10),
    factor=st.floats(1.0, 10.0),
)
def test_more_bandwidth_is_never_slower(
    kind: str, group: int, stride: int, size: float, factor: float
) -> None:
    slow = seconds(kind, size, group, stride)
    assert seconds(kind, size, group, stride, inner=400 * GB * factor) <= slow * (1 + 1e-12)
    assert seconds(kind, size, group, stride, outer=50 * GB * factor) <= slow * (1 + 1e-12)

"""Collectives as flows: closed forms on idle fabrics, symmetry against all flows."""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from dcsim import catalogue
from dcsim.cost.collective_fit import shipped_collective_fit
from dcsim.cost.collective_forms import Shares, Span, StartUp, load
from dcsim.cost.collective_forms import seconds as seconds_of
from dcsim.cost.collective_torus import ON_TORUS, torus_load
from dcsim.records import InputError
from dcsim.simulation.fluid_batch import simulate_flows
from dcsim.simulation.fluid_collectives import (
    ALGORITHMS,
    chains,
    collective_flows,
    collective_seconds,
    places_of,
    tree_edges,
)
from dcsim.simulation.fluid_symmetry import (
    all_to_all_by_symmetry,
    kind_of,
    symmetry_classes,
)
from dcsim.topology import build_fabric

FAST, NIC = 450e9, 50e9
SIZE = 1e9


@dataclass(frozen=True)
class Net:
    topology: str = "rail-optimised"
    radix: int = 64
    oversubscription: float = 1.0
    nic_bytes_per_s: float | None = NIC
    options: dict = field(default_factory=lambda: {"routing": "static"})


@dataclass(frozen=True)
class Group:
    count: int
    name: str = "main"
    node: object = field(default_factory=lambda: catalogue.node("hgx-h100"))


def fabric(nodes, **network):
    return build_fabric(Net(**network), [Group(nodes)])


def seconds(nodes, kind, algorithm, **network):
    one = fabric(nodes, **network)
    return collective_flows(one, kind, algorithm, range(8 * nodes), SIZE).seconds(one)


def test_one_node():
    ring = 2 * 7 / 8 * SIZE / FAST
    assert seconds(1, "all_reduce", "ring") == pytest.approx(ring)
    assert seconds(1, "all_reduce", "hierarchical") == pytest.approx(ring)
    assert seconds(1, "all_gather", "ring") == pytest.approx(ring / 2)
    assert seconds(1, "all_reduce", "in-switch") == pytest.approx(9 / 8 * SIZE / FAST)
    assert seconds(1, "all_to_all", "direct") == pytest.approx(7 / 8 * SIZE / FAST)
    assert seconds(1, "broadcast", "ring") == pytest.approx(SIZE / FAST)
    assert seconds(1, "p2p", "direct") == pytest.approx(SIZE / FAST)


@pytest.mark.parametrize("nodes", [4, 16])
def test_several_nodes_are_bound_by_their_nics(nodes):
    n = 8 * nodes
    assert seconds(nodes, "all_reduce", "ring") == pytest.approx(2 * (n - 1) / n * SIZE / (8 * NIC))
    assert seconds(nodes, "all_reduce", "hierarchical") == pytest.approx(
        max(2 * 7 / 8 * SIZE / FAST, 2 * (nodes - 1) / nodes * SIZE / 8 / NIC)
    )
    # An inner vertex of one tree is a leaf of the other: up and down twice half the buffer.
    assert seconds(nodes, "all_reduce", "tree") == pytest.approx(2 * SIZE / (8 * NIC))
    assert seconds(nodes, "all_to_all", "direct") == pytest.approx(
        max((n - 8) / n * SIZE / NIC, 0.0), rel=0.02
    )


def test_two_nodes_exchange_the_buffer_once_by_trees():
    assert seconds(2, "all_reduce", "in-switch") == pytest.approx(
        max(SIZE / (8 * NIC), 9 / 8 * SIZE / FAST)
    )


def test_oversubscription_costs_an_all_to_all_and_spares_an_all_reduce():
    # Four leaves of 48: three quarters of the bytes go up, through a third of the capacity.
    narrow = {"topology": "fat-tree", "radix": 64, "oversubscription": 3.0}
    wide = {**narrow, "oversubscription": 1.0}
    assert seconds(24, "all_to_all", "direct", **narrow) == pytest.approx(0.75 * SIZE / (NIC / 3))
    assert seconds(24, "all_to_all", "direct", **wide) == pytest.approx(184 / 192 * SIZE / NIC)
    assert seconds(24, "all_reduce", "ring", **narrow) == pytest.approx(
        seconds(24, "all_reduce", "ring", **wide), rel=1e-6
    )


def torus(chip, nodes, dims):
    board = replace(catalogue.node("hgx-h100"), accelerator=chip, accelerators=4, fast_domain=0)
    return build_fabric(Net(topology="torus", options={"dims": dims}), [Group(nodes, node=board)])


def closed_form(kind, algorithm, size, width, ranks, fast, shares, start):
    span = Span(np.array([[width], [ranks]], dtype=float), np.array([[fast], [NIC]]))
    return float(seconds_of(algorithm, load(kind, algorithm, size, span), span, shares, start)[0])


@pytest.mark.parametrize(("kind", "algorithm"), sorted(ALGORITHMS))
@pytest.mark.parametrize("nodes", [1, 2, 4, 16])
def test_flows_agree_with_the_closed_form_within_five_percent(nodes, kind, algorithm):
    one = fabric(nodes)
    fit = shipped_collective_fit()
    real = Shares(0.82, 0.7, 0.94, 0.85, 4e-6)
    for shares, start in ((Shares(in_switch=1.0), StartUp()), (real, fit.start)):
        for size in (1e6, 1e9):
            args = (kind, algorithm, range(8 * nodes), size, shares, start)
            closed = closed_form(kind, algorithm, size, 8, 8 * nodes, FAST, shares, start)
            assert collective_seconds(one, *args) == pytest.approx(closed, rel=0.05)


FABRICS = {
    "two tiers": ({"topology": "fat-tree", "radix": 16}, "hgx-h100", 8, 8, FAST),
    "three tiers": ({"topology": "fat-tree", "radix": 8}, "hgx-h100", 8, 8, FAST),
    "rails": ({"topology": "rail-optimised", "radix": 16}, "hgx-h100", 8, 8, FAST),
    "one rack": ({}, "gb200-nvl72", 1, 72, 900e9),
    "two racks": ({"radix": 144}, "gb200-nvl72", 2, 72, 900e9),
}


@pytest.mark.parametrize(("kind", "algorithm"), sorted(ALGORITHMS))
@pytest.mark.parametrize("name", FABRICS)
def test_closed_forms_hold_on_every_kind_of_fabric(name, kind, algorithm):
    network, node, count, width, fast = FABRICS[name]
    one = build_fabric(Net(**network), [Group(count, node=catalogue.node(node))])
    ranks = len(one.accelerator_node)
    shares = Shares(0.82, 0.7, 0.94, 0.85, 4e-6)
    start = shipped_collective_fit().start
    closed = closed_form(kind, algorithm, SIZE, width, ranks, fast, shares, start)
    flows = collective_seconds(one, kind, algorithm, range(ranks), SIZE, shares, start)
    assert flows == pytest.approx(closed, rel=0.05)


@pytest.mark.parametrize(("kind", "algorithm"), sorted(ON_TORUS.items()))
@pytest.mark.parametrize(
    ("chip", "nodes", "dims"),
    [
        ("TPU-v5p", 16, "4x4x4"),
        ("TPU-v5p", 16, "2x4x8"),
        ("TPU-v5p", 9, "3x3x4"),
        ("TPU-v5e", 8, "8x4"),
        ("TPU-v5e", 8, "1x32"),
    ],
)
def test_closed_forms_hold_on_a_torus(chip, nodes, dims, kind, algorithm):
    one = torus(chip, nodes, dims)
    sides = tuple(map(int, dims.split("x")))
    ranks = len(one.accelerator_node)
    link = one.capacity_bytes_per_s[one.link_kinds.index("ici")]
    shares, start = Shares(net_ring=0.8, net_hop_s=1e-6), shipped_collective_fit().start
    span = Span(np.array([[1.0], [ranks]]), np.ones((2, 1)))
    work = torus_load(kind, SIZE, sides, link)
    closed = float(seconds_of(algorithm, work, span, shares, start)[0])
    flows = collective_seconds(one, kind, algorithm, range(ranks), SIZE, shares, start)
    assert flows == pytest.approx(closed, rel=0.05)


def test_on_a_cube_a_bucket_uses_all_links_of_a_chip():
    one = torus("TPU-v5p", 16, "4x4x4")
    rate = catalogue.accelerator("TPU-v5p").link_bytes_per_s
    done = collective_flows(one, "all_reduce", "bucket", range(64), SIZE).seconds(one)
    assert done == pytest.approx(2 * 63 / 64 * SIZE / rate)
    far = collective_flows(one, "all_to_all", "direct", range(64), SIZE).seconds(one)
    assert far == pytest.approx(3 * SIZE / rate)  # mean distance: one hop in each dimension


def test_the_edge_of_a_rack_follows_from_the_topology():
    racks = build_fabric(Net(), [Group(2, node=catalogue.node("gb200-nvl72"))])
    inside = collective_seconds(racks, "all_to_all", "direct", range(72), SIZE)
    across = collective_seconds(racks, "all_to_all", "direct", range(36, 108), SIZE)
    assert across > 5 * inside
    ring_inside = collective_seconds(racks, "all_reduce", "ring", range(72), SIZE)
    ring_across = collective_seconds(racks, "all_reduce", "ring", range(36, 108), SIZE)
    assert ring_across < 1.1 * ring_inside


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 100])
def test_trees_are_binary_and_complementary(count):
    edges = tree_edges(count)
    assert sorted(child for child, _ in edges) == list(range(1, count))
    children = Counter(parent for _, parent in edges)
    assert max(children.values(), default=0) <= 2
    inner = {parent for parent in children if parent}
    shifted = {(parent + 1) % count for parent in inner}
    assert len(inner & shifted) <= (count % 2) + 1


def test_every_channel_visits_every_rank_and_changes_domain_on_one_rail():
    places = places_of(fabric(4), range(32))
    left = Counter()
    for channel in range(8):
        order = chains(places, channel)
        assert [sorted(chain) for chain in order] == [sorted(m) for m in places.of]
        for here, there in zip(order, [*order[1:], order[0]], strict=True):
            assert here[-1] % 8 == there[0] % 8
            left[here[-1]] += 1
    assert set(left.values()) == {1}


def test_unequal_domains_and_unknown_algorithms_are_refused():
    one = fabric(2)
    with pytest.raises(InputError, match="equally many ranks"):
        collective_flows(one, "all_reduce", "ring", range(12), SIZE)
    with pytest.raises(InputError, match="there is no all_reduce by magic"):
        collective_flows(one, "all_reduce", "magic", range(16), SIZE)
    assert ("all_reduce", "magic") not in ALGORITHMS


@pytest.mark.parametrize(
    "network",
    [
        {"topology": "fat-tree", "radix": 8},
        {"topology": "fat-tree", "radix": 24, "oversubscription": 3.0},
        {"topology": "rail-optimised", "radix": 8},
        {"topology": "rail-optimised", "radix": 16},
        {"topology": "rail-only", "radix": 8},
        {"topology": "dragonfly", "radix": 11},
    ],
)
def test_the_merged_all_to_all_equals_all_flows(network):
    one = fabric(8, **network)
    merged = all_to_all_by_symmetry(one, np.arange(64), 1e6)
    assert merged.pairs.sum() == 64 * 63
    pairs = [(i, j) for i in range(64) for j in range(64) if i != j]
    spread = [one.spread(i, j) for i, j in pairs]
    done = simulate_flows(
        one.capacity_bytes_per_s,
        np.zeros(len(one.link_names)),
        [links for links, _ in spread],
        np.full(len(pairs), 1e6),
        np.array([shares @ one.latency_s[links] for links, shares in spread]),
        usage=[shares for _, shares in spread],
    )
    _, rank_class = symmetry_classes(one, np.arange(64))
    of_kind = dict(zip(merged.kinds, merged.completion_s.tolist(), strict=True))
    expected = [of_kind[rank_class[i], kind_of(one, merged.link_class, i, j)] for i, j in pairs]
    assert done == pytest.approx(expected, rel=1e-9)


def test_static_routing_on_a_full_tree_is_as_even_as_spreading():
    one = fabric(8, topology="fat-tree", radix=8)
    merged = all_to_all_by_symmetry(one, np.arange(64), 1e6)
    routes = [one.route(i, j) for i in range(64) for j in range(64) if i != j]
    count = len(routes)
    done = simulate_flows(
        one.capacity_bytes_per_s, one.latency_s, routes, np.full(count, 1e6), np.zeros(count)
    )
    assert merged.last_s == pytest.approx(done.max(), rel=1e-9)


def test_classes_tell_links_apart_that_play_different_parts():
    one = fabric(8, topology="fat-tree", radix=8)
    link_class, rank_class = symmetry_classes(one, np.arange(64))
    assert set(rank_class.tolist()) == {0}
    kinds = {kind: set() for kind in one.link_kinds}
    for kind, which in zip(one.link_kinds, link_class.tolist(), strict=True):
        kinds[kind].add(which)
    assert all(len(classes) == 2 for classes in kinds.values())  # up and down
    half = symmetry_classes(one, np.arange(32))[0]
    assert len(np.unique(half)) > len(np.unique(link_class))

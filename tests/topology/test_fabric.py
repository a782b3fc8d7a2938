"""Fabrics: published counts of parts, routes that hang together, faults said in a sentence."""

import json
from collections import Counter

import networkx as nx
import numpy as np
import pytest
from fabric_scenes import Group, Net, fabric, is_connected, names, node_type
from hypothesis import given
from hypothesis import strategies as st

from dcsim.records import InputError
from dcsim.topology import build_fabric, tiers

EVERY = [
    {"topology": "fat-tree", "nodes": 4},
    {"topology": "fat-tree", "nodes": 40, "radix": 32},
    {"topology": "fat-tree", "nodes": 40, "radix": 16, "oversubscription": 3.0},
    {"topology": "fat-tree", "nodes": 24, "radix": 32, "planes": 2},
    {"topology": "fat-tree", "nodes": 24, "radix": 32, "nics": 2},
    {"topology": "rail-optimised", "nodes": 40, "radix": 16},
    {"topology": "rail-optimised", "nodes": 40, "radix": 16, "relay": 0},
    {"topology": "rail-only", "nodes": 40, "radix": 16},
    {"topology": "dragonfly", "nodes": 24, "radix": 15},
    {"topology": "torus", "nodes": 8, "node": node_type("TPU-v5p", 8, 0)},
    {"topology": "torus", "nodes": 8, "node": node_type("TPU-v5e", 8, 0), "dims": "16x4"},
    {"topology": "fat-tree", "nodes": 6, "node": node_type("GB200", 36, 72), "radix": 64},
]


# DGX SuperPOD reference architecture with DGX B200 systems, table of larger component
# counts (docs.nvidia.com/dgx-superpod, "DGX SuperPOD Architecture"): scalable units, nodes,
# GPUs, leaf, spine and core switches, cables node-leaf, leaf-spine, spine-core.
SUPERPOD = [
    (2, 64, 512, 16, 8, 0, 512, 512, 0),
    (4, 128, 1024, 32, 16, 0, 1024, 1024, 0),
    (8, 256, 2048, 64, 32, 0, 2048, 2048, 0),
    (16, 512, 4096, 128, 128, 64, 4096, 4096, 4096),
    (32, 1024, 8192, 256, 256, 128, 8192, 8192, 8192),
    (64, 2048, 16384, 512, 512, 256, 16384, 16384, 16384),
]


@pytest.mark.parametrize("row", SUPERPOD[:5], ids=lambda row: f"{row[0]}-units")
def test_part_counts_are_those_of_the_superpod(row):
    _, nodes, gpus, leaves, spines, cores, node_leaf, leaf_spine, spine_core = row
    one = fabric("rail-optimised", nodes)
    assert one.accelerator_count == gpus
    assert one.parts.count("leaf switch") == leaves
    assert one.parts.count("spine switch") == spines
    assert one.parts.count("core switch") == cores
    assert one.parts.count("nic cable") == node_leaf
    assert one.parts.count("leaf-spine cable") == leaf_spine
    assert one.parts.count("spine-core cable") == spine_core


@pytest.mark.slow
def test_part_counts_are_those_of_the_largest_superpod():
    test_part_counts_are_those_of_the_superpod(SUPERPOD[-1])


def test_parts_have_price_and_power():
    one = fabric(nodes=64, radix=64)
    assert one.parts.price_usd == sum(p.count * p.price_usd for p in one.parts.lines) > 0.0
    assert one.parts.power_w > 64 * 25.0
    assert one.parts.source is not None


@pytest.mark.parametrize("scene", EVERY, ids=lambda s: "-".join(map(str, s.values()))[:40])
def test_every_pair_has_a_route_without_gaps(scene):
    one = fabric(**scene, storage=3)
    rng = np.random.default_rng(1)
    ends = one.accelerator_count + one.node_count + one.storage_count
    assert one.storage(2) == ends - 1
    for _ in range(200):
        source, target = rng.integers(0, ends, 2).tolist()
        if one.node_count and min(source, target) >= one.host(one.node_count):
            continue  # servers do not talk to each other on rails
        route = one.route(source, target, 7)
        assert (len(route) == 0) == (source == target)
        assert is_connected(one, source, target, 7)
        assert np.array_equal(route, one.route(source, target, 7))


@pytest.mark.parametrize("scene", EVERY, ids=lambda s: "-".join(map(str, s.values()))[:40])
def test_links_come_in_pairs_with_capacity_and_names_of_their_own(scene):
    one = fabric(**scene, storage=3)
    assert len(set(one.link_names)) == len(one.link_names)
    assert (one.capacity_bytes_per_s > 0.0).all()
    assert (one.latency_s > 0.0).all()
    ends = Counter(tuple(sorted(name.split("#")[0].split(">"))) for name in one.link_names)
    assert all(count % 2 == 0 for count in ends.values())


def test_the_fast_domain_is_used_inside_and_left_to_go_outside():
    one = fabric(nodes=2, node=node_type("GB200", 36, 72))
    assert names(one, one.route(3, 70)) == ["main-0.3>fast-0", "fast-0>main-1.34"]
    two = fabric(nodes=4, node=node_type("GB200", 36, 72), radix=512)
    assert names(two, two.route(3, 75)) == ["main-0.nic3>leaf-0", "leaf-0>main-2.nic3"]


def test_rails_keep_traffic_of_one_position_off_the_spines():
    one = fabric("rail-optimised", 12, radix=16)
    same = one.route(1, 3 * 8 + 1)
    assert {one.link_kinds[link] for link in same} == {"nic"}
    other = names(one, one.route(1, 3 * 8 + 5))
    assert other[:3] == ["main-0.1>fast-0", "fast-0>main-0.5", "main-0.nic5>leaf-0-rail-5"]
    direct = fabric("rail-optimised", 12, radix=16, relay=0)
    assert "leaf-spine" in {direct.link_kinds[link] for link in direct.route(1, 3 * 8 + 5)}


def test_rail_only_has_no_path_between_rails_but_through_nodes():
    one = fabric("rail-only", 40, radix=16)
    for source, target in ((0, 39 * 8 + 3), (17, 200)):
        kinds = [one.link_kinds[link] for link in one.route(source, target)]
        assert kinds[:2] == ["fast", "fast"]
        assert kinds[2] == kinds[-1] == "nic"


def test_static_routing_is_by_target_and_spreads_evenly():
    one = fabric(nodes=64, radix=64, routing="static")
    down = Counter()
    for target in range(64, 512):
        chosen = {tuple(names(one, one.route(source, target))[1:2]) for source in range(8)}
        assert len(chosen) == 1  # one leaf, one way to a target
        down[chosen.pop()] += 1
    assert max(down.values()) - min(down.values()) <= 1


def test_ecmp_spreads_by_seed_and_repeats():
    one = fabric(nodes=64, radix=64)
    ways = Counter(tuple(one.route(0, 500, seed).tolist()) for seed in range(400))
    assert len(ways) >= 32 * 0.9
    assert max(ways.values()) < 40


def test_a_non_blocking_tree_has_as_much_above_a_leaf_as_below():
    for over in (1.0, 2.0, 3.0):
        one = fabric(nodes=96, radix=64, oversubscription=over)
        rate = Counter()
        for name, kind, capacity in zip(
            one.link_names, one.link_kinds, one.capacity_bytes_per_s, strict=True
        ):
            if name.startswith("leaf-0>"):
                rate[kind] += capacity
        assert rate["nic"] / rate["leaf-spine"] == pytest.approx(over, rel=0.05)


def test_planes_split_each_nic():
    one = fabric(nodes=24, radix=32, planes=2)
    assert set(one.capacity_bytes_per_s[[k == "nic" for k in one.link_kinds]]) == {25e9}
    taken = {names(one, one.route(0, 100, seed))[0] for seed in range(20)}
    assert taken == {"main-0.nic0>plane-0-leaf-0", "main-0.nic0>plane-1-leaf-0"}


def test_fewer_nics_than_accelerators_are_shared():
    one = fabric(nodes=8, nics=2)
    assert one.route(0, 40)[0] == one.route(3, 40)[0] != one.route(4, 40)[0]
    assert one.capacity_bytes_per_s[one.route(0, 40)[0]] == 4 * 50e9


def test_a_failed_spine_is_routed_around_and_a_degraded_cable_is_narrower():
    whole = fabric(nodes=64, radix=64)
    ways = {name.split("#")[0].split(">")[1] for name in whole.link_names if "leaf-0>s" in name}
    spines = sorted(ways)
    one = fabric(nodes=64, radix=64, damaged={spines[0]: 0.0, f"leaf-0~{spines[1]}": 0.5})
    assert not [name for name in one.link_names if f">{spines[0]}" in name]
    for seed in range(40):
        assert spines[0] not in " ".join(names(one, one.route(0, 500, seed)))
    narrow = [i for i, name in enumerate(one.link_names) if name == f"leaf-0>{spines[1]}"]
    assert set(one.capacity_bytes_per_s[narrow].tolist()) == {25e9}


def test_a_pair_that_failures_cut_off_is_named():
    one = fabric(nodes=8, radix=32, damaged={"leaf-0": 0.0})
    with pytest.raises(InputError, match="no path is left from accelerator 0 of main-0"):
        one.route(0, 63)


@given(st.integers(2, 96), st.sampled_from([4, 8, 16, 36, 64]), st.sampled_from([1.0, 2.0, 3.0]))
def test_no_switch_has_more_cables_than_ports(nodes, radix, over):
    for topology in ("fat-tree", "rail-optimised", "rail-only", "dragonfly"):
        try:
            one = fabric(topology, nodes, 2, radix=radix, oversubscription=over, nics=4)
        except InputError:
            continue
        ports = Counter(
            name.split("#")[0].split(">")[0]
            for name, kind in zip(one.link_names, one.link_kinds, strict=True)
            if kind != "fast"
        )
        switches = {
            n: c
            for n, c in ports.items()
            if "leaf" in n or "spine" in n or "core" in n or "router" in n
        }
        assert max(switches.values()) <= radix


@pytest.mark.parametrize(
    ("scene", "sentence"),
    [
        ({"topology": "mesh"}, '"mesh" is no topology'),
        ({"radix": 4, "nodes": 400}, "more than three levels"),
        ({"radix": 4, "oversubscription": 9.0}, "cannot be oversubscribed"),
        ({"topology": "dragonfly", "radix": 7, "nodes": 400}, "dragonfly groups"),
        ({"topology": "torus", "dims": "3x3"}, '"3x3" is no torus of 64 chips'),
        ({"routing": "random"}, '"random" is no routing'),
        ({"planes": 0}, "network.planes: 0 is not a whole number of at least 1"),
        ({"damaged": {"leaf-9": 0.0}}, '"leaf-9" names no switch'),
        ({"damaged": {"leaf-0": 2.0}}, "cannot keep 2.0"),
        ({"nic_bytes_per_s": 0.0, "node": node_type(nic=0.0)}, "has no NIC"),
        ({"topology": "graph"}, "needs a GraphML or JSON file"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_sentence(scene, sentence):
    with pytest.raises(InputError) as caught:
        fabric(**{"nodes": 8, **scene})
    assert sentence in str(caught.value)
    assert len(caught.value.faults) == 1


def ring(kinds="node", **cable):
    """Four nodes, a leaf for each pair, a cable between the leaves."""
    graph = nx.Graph()
    for index in range(4):
        graph.add_node(f"n{index}", kind=kinds)
        graph.add_edge(f"n{index}", f"s{index // 2}", capacity="400 Gb/s")
    graph.add_edge("s0", "s1", **{"capacity": "1.6 Tb/s", "latency": "1 us", **cable})
    return graph


def user_fabric(path, graph, nodes=4):
    if path.suffix == ".json":
        path.write_text(json.dumps(nx.node_link_data(graph, edges="edges")))
    else:
        nx.write_graphml(graph, path)
    net = Net("graph", options={"file": str(path)})
    return build_fabric(net, [Group("main", node_type(), nodes)])


@pytest.mark.parametrize("suffix", ["json", "graphml"])
def test_a_users_own_graph(tmp_path, suffix):
    one = user_fabric(tmp_path / f"own.{suffix}", ring())
    assert names(one, one.route(0, 31)) == ["main-0.nic0>s0", "s0>s1", "s1>main-3.nic0"]
    trunk = one.link_names.index("s0>s1")
    assert one.capacity_bytes_per_s[trunk] == 200e9
    assert one.latency_s[trunk] == 1e-6


def test_nodes_cabled_to_each_other_have_a_route(tmp_path):
    graph = ring()
    graph.add_edge("n0", "n3", capacity=1e9)
    one = user_fabric(tmp_path / "own.json", graph)
    route = one.route(one.host(0), one.host(3))
    assert names(one, route) == ["main-0.nic1>main-0~main-3", "main-0~main-3>main-3.nic0"]


@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        (ring(capacity=0), 'the capacity between "s0" and "s1" is 0; use a value above 0'),
        (ring(capacity="400 Gb"), 'capacity between "s0" and "s1"'),
        (ring(capacity=None), 'the cable between "s0" and "s1" has no capacity'),
        (ring(kinds="gpu"), "the graph has 0 vertices of kind node, the scenario 4"),
    ],
)
def test_a_broken_graph_gives_one_sentence(tmp_path, graph, sentence):
    with pytest.raises(InputError) as caught:
        user_fabric(tmp_path / "own.json", graph)
    assert sentence in str(caught.value)
    assert len(caught.value.faults) == 1


def test_an_unreachable_pair_is_named(tmp_path):
    graph = ring()
    graph.remove_edge("s0", "s1")
    with pytest.raises(InputError, match='no path joins "main-0" and "main-2"'):
        user_fabric(tmp_path / "own.json", graph)


def test_a_self_loop_is_named(tmp_path):
    graph = ring()
    graph.add_edge("s1", "s1", capacity=1.0)
    with pytest.raises(InputError, match='the cable at "s1" ends where it begins'):
        user_fabric(tmp_path / "own.json", graph)


@pytest.mark.parametrize("text", ["", "{}", "[]", "no graph"])
def test_what_is_no_graph_is_said(tmp_path, text):
    for suffix in ("json", "graphml"):
        path = tmp_path / f"own.{suffix}"
        path.write_text(text)
        with pytest.raises(InputError):
            fabric("graph", 4, file=str(path))


def test_tiers_of_a_users_own_graph_follow_its_cables(tmp_path):
    path = tmp_path / "own.json"
    graph = ring(capacity="400 Gb/s")
    graph.add_node("disk", kind="storage")
    graph.add_edge("disk", "s0", capacity="100 Gb/s")
    path.write_text(json.dumps(nx.node_link_data(graph, edges="edges")))
    found = tiers(Net("graph", options={"file": str(path)}), node_type(), 4)
    assert found.names == ("fast", "leaf", "graph")
    assert found.size.tolist() == [8, 16, 32]
    # One 400 Gb/s cable for a node's 8 accelerators, and one between two pairs of nodes.
    assert found.bandwidth_bytes_per_s.tolist() == [450e9, 50e9 / 8, 50e9 / 16]


def test_tiers_of_known_clusters():
    found = tiers(Net("fat-tree"), node_type(), 2048)
    assert found.names == ("fast", "leaf", "pod", "core")
    assert found.size.tolist() == [8, 32, 1024, 16384]
    assert found.bandwidth_bytes_per_s.tolist() == [450e9, 50e9, 50e9, 50e9]
    assert found.reduces.tolist() == [True, False, False, False]
    assert (np.diff(found.latency_s) > 0).all()
    rails = tiers(Net("rail-optimised", oversubscription=2.0), node_type(), 128)
    assert rails.names == ("fast", "unit", "spine")
    assert rails.size.tolist() == [8, 336, 1024]
    assert rails.bandwidth_bytes_per_s.tolist() == [450e9, 50e9, 25e9]


def test_the_edge_of_a_rack_is_a_tier():
    found = tiers(Net("fat-tree"), node_type("GB200", 72, 72), 8)
    assert found.size.tolist() == [72, 576]
    assert found.bandwidth_bytes_per_s.tolist() == [900e9, 50e9]


def test_a_node_on_its_own_has_one_tier():
    found = tiers(Net(), node_type(), 1)
    assert found.names == ("fast",)
    assert found.size.tolist() == [8]
    alone = tiers(Net(), node_type(accelerators=1, fast_domain=1), 1)
    assert alone.size.tolist() == [1]


@given(
    st.integers(1, 300),
    st.sampled_from(["fat-tree", "rail-optimised", "rail-only", "dragonfly", "torus"]),
    st.sampled_from([16, 32, 64]),
)
def test_tiers_grow_outwards_and_end_with_everything(count, topology, radix):
    found = tiers(Net(topology, radix=radix), node_type(), count)
    assert found.size[-1] == 8 * count
    assert (np.diff(found.size) > 0).all()
    assert (np.diff(found.bandwidth_bytes_per_s) <= 0).all()
    assert (found.latency_s >= 0).all()

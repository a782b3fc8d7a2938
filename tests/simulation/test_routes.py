"""Bundles between nodes and storage against what the fabric was built of."""

import numpy as np
import pytest
from simulation_scenes import cluster, training

from dcsim import catalogue
from dcsim.scenario.resolved import Network, NodeGroup
from dcsim.simulation import PoolSpec, StorageSpec, simulate, storage_routes
from dcsim.topology import build_fabric

NODE = catalogue.node("hgx-h100")
NICS = NODE.accelerators * NODE.nic_bytes_per_s


def fabric(topology, nodes, servers, oversubscription=1.0, server_rate=10e9):
    network = Network(topology, 64, oversubscription, None)
    return build_fabric(network, [NodeGroup("main", NODE, nodes)], servers, server_rate)


def narrowest(routes, group, side):
    bundles = getattr(routes, side)[group]
    return routes.capacity_bytes_per_s[list(bundles)].min(initial=np.inf)


@pytest.mark.parametrize("topology", ["fat-tree", "rail-optimised", "torus"])
def test_slow_servers_are_the_only_bottleneck_of_a_wide_fabric(topology):
    routes = storage_routes(fabric(topology, 32, 6))
    for side in ("to_storage", "from_storage"):
        for group in range(int(routes.node_group.max()) + 1):
            assert narrowest(routes, group, side) == pytest.approx(60e9)
    assert len(routes.names) == 2


def test_few_nodes_leave_no_bottleneck_but_their_nics():
    assert storage_routes(fabric("fat-tree", 1, 64, server_rate=50e9)).names == ()


def test_no_storage_no_routes():
    routes = storage_routes(fabric("fat-tree", 3, 0))
    assert routes.names == ()
    assert routes.node_group.tolist() == [0, 0, 0]


def test_oversubscribed_uplinks_bind_a_leaf():
    """What leaves a leaf without servers is the sum of its uplinks."""
    built = fabric("fat-tree", 24, 64, oversubscription=8, server_rate=50e9)
    routes = storage_routes(built)
    ends = [name.split("#")[0].split(">") for name in built.link_names]
    uplinks = sum(
        rate
        for (tail, head), rate in zip(ends, built.capacity_bytes_per_s, strict=True)
        if tail == "leaf-0" and head.startswith("spine")
    )
    for side in ("to_storage", "from_storage"):
        assert narrowest(routes, 0, side) == pytest.approx(uplinks)
    assert uplinks < np.bincount(routes.node_group)[0] * NICS


def test_servers_on_the_same_leaf_relieve_its_uplinks():
    routes = storage_routes(fabric("fat-tree", 24, 64, oversubscription=8, server_rate=50e9))
    last = int(routes.node_group[-1])
    assert narrowest(routes, last, "to_storage") > narrowest(routes, 0, "to_storage")


def test_a_job_on_one_leaf_gets_its_uplinks_and_one_on_two_leaves_twice_that():
    routes = storage_routes(fabric("fat-tree", 24, 64, oversubscription=8, server_rate=50e9))
    sizes = np.bincount(routes.node_group)
    uplink = narrowest(routes, 0, "to_storage")
    assert sizes[0] == sizes[1]
    for leaves in (1, 2):
        nodes = int(sizes[:leaves].sum())
        job = training("job", 8 * nodes, steps=1, checkpoint_bytes=uplink * 100.0)
        spec = cluster(
            job,
            pools=(PoolSpec("main", NODE.name, 24, 8, NICS),),
            storage=StorageSpec(64, 50e9, 50e9),
            routes=routes,
        )
        (done,) = simulate(spec, 1).jobs
        assert done.seconds["checkpoint"] == pytest.approx(100.0 / leaves)

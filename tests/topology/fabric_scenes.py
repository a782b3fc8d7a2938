"""Small fabrics that several tests use."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from dcsim.catalogue.records import NodeType
from dcsim.records import Source
from dcsim.topology import Fabric, build_fabric

SOURCE = Source("invented for tests", "assumption")


@dataclass(frozen=True)
class Net:
    """What `scenario.resolved.Network` is to the topology."""

    topology: str = "fat-tree"
    radix: int = 64
    oversubscription: float = 1.0
    nic_bytes_per_s: float | None = None
    options: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """What `scenario.resolved.NodeGroup` is to the topology."""

    name: str
    node: NodeType
    count: int


def node_type(accelerator="H100-SXM", accelerators=8, fast_domain=8, nic=50e9) -> NodeType:
    """A node with a NIC for each accelerator."""
    return NodeType(
        name="test-node",
        accelerator=accelerator,
        accelerators=accelerators,
        fast_domain=fast_domain,
        nic_bytes_per_s=nic,
        nic_latency_s=2e-6,
        cpu_cores=8,
        host_memory_bytes=1e12,
        local_storage_bytes=1e12,
        local_storage_bytes_per_s=1e9,
        idle_w=1.0,
        peak_w=2.0,
        rack_units=1.0,
        price_usd=1.0,
        rent_usd_per_accelerator_hour=1.0,
        rent_low_usd_per_accelerator_hour=1.0,
        rent_high_usd_per_accelerator_hour=1.0,
        source=SOURCE,
        price_source=SOURCE,
    )


def fabric(topology="fat-tree", nodes=8, storage=0, damaged=None, node=None, **network) -> Fabric:
    """A fabric of equal nodes; further keys are the network's or its options."""
    keys = ("radix", "oversubscription", "nic_bytes_per_s")
    known = {key: network.pop(key) for key in keys if key in network}
    net = Net(topology, options=network, **known)
    groups = [Group("main", node or node_type(), nodes)]
    return build_fabric(net, groups, storage, damaged=damaged)


def names(one: Fabric, route) -> list[str]:
    """Names of the links of a route."""
    return [one.link_names[link] for link in route]


def is_connected(one: Fabric, source: int, target: int, seed: int = 0) -> bool:
    """Whether each link of the route starts where the one before it ends."""
    path = [name.split("#")[0].split(">") for name in names(one, one.route(source, target, seed))]
    # A chip or a NIC of a node counts as the node, but on a torus, where chips forward.
    keep = 2 if one.topology == "torus" else 1
    ends = [[".".join(end.split(".")[:keep]) for end in link] for link in path]
    joined = all(before[1] == after[0] for before, after in pairwise(ends))
    return joined and len(np.unique(one.route(source, target, seed))) == len(path)

"""Collectives of 16,384 accelerators as flows on a three-tier fabric.

    python benchmarks/flows_scale.py

Prints wall seconds of building the fabric, making the flows and solving them, and the peak
memory of the whole process. The all-to-all is merged by symmetry; at 256 accelerators the
merged solution is compared with the unmerged one, flow by flow. Loading compiled kernels
is not counted.
"""

import resource
import time
from dataclasses import dataclass, field

import numpy as np

from dcsim import catalogue
from dcsim.catalogue.records import NodeType
from dcsim.simulation.fluid_batch import simulate_flows
from dcsim.simulation.fluid_collectives import collective_flows
from dcsim.simulation.fluid_compiled import compiled
from dcsim.simulation.fluid_symmetry import all_to_all_by_symmetry, kind_of
from dcsim.topology import Fabric, build_fabric

GIB = 2.0**30


@dataclass(frozen=True)
class Net:
    """A fat tree with static routing."""

    radix: int
    topology: str = "fat-tree"
    oversubscription: float = 1.0
    nic_bytes_per_s: float | None = None
    options: dict = field(default_factory=lambda: {"routing": "static"})


@dataclass(frozen=True)
class Group:
    """Nodes of one type."""

    count: int
    node: NodeType
    name: str = "main"


def fabric(nodes: int, radix: int) -> Fabric:
    """A fabric of 8 x H100 nodes."""
    return build_fabric(Net(radix), [Group(nodes, catalogue.node("hgx-h100"))])


def say(what: str, begin: float, result: str) -> None:
    """One line of the report."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{what:<44}{time.perf_counter() - begin:>7.2f} s{peak:>7.2f} GiB  {result}", flush=True)


def all_reduce(algorithm: str) -> None:
    """One GiB over all accelerators, fabric included."""
    begin = time.perf_counter()
    one = fabric(2048, 64)
    flows = collective_flows(one, "all_reduce", algorithm, range(16384), GIB)
    seconds = flows.seconds(one)
    say(f"all-reduce by {algorithm}, {len(flows.routes)} flows", begin, f"{seconds * 1e3:.3f} ms")


def merged_all_to_all() -> None:
    """268 million flows merged by symmetry, fabric included."""
    begin = time.perf_counter()
    one = fabric(2048, 64)
    merged = all_to_all_by_symmetry(one, np.arange(16384), GIB / 16384)
    kinds = f"{len(merged.pairs)} kinds of {int(merged.pairs.sum())} flows"
    say(f"all-to-all, {kinds}", begin, f"{merged.last_s * 1e3:.3f} ms")


def check_at_256() -> None:
    """The merged solution against every flow by itself, on three tiers."""
    begin = time.perf_counter()
    one = fabric(32, 16)
    merged = all_to_all_by_symmetry(one, np.arange(256), 1e6)
    routes = [one.route(i, j) for i in range(256) for j in range(256) if i != j]
    count = len(routes)
    done = simulate_flows(
        one.capacity_bytes_per_s, one.latency_s, routes, np.full(count, 1e6), np.zeros(count)
    )
    of_kind = {kind: end for (_, kind), end in zip(merged.kinds, merged.completion_s, strict=True)}
    pairs = [(i, j) for i in range(256) for j in range(256) if i != j]
    known: dict = {}
    expected = np.array([of_kind[kind_of(one, merged.link_class, i, j, known)] for i, j in pairs])
    worst = np.abs(done / expected - 1.0).max()
    say(f"all-to-all of 256, {count} flows unmerged", begin, f"differs by at most {worst:.1e}")


def main() -> None:
    """Run everything once."""
    compiled()
    check_at_256()
    for algorithm in ("hierarchical", "ring", "tree", "in-switch"):
        all_reduce(algorithm)
    merged_all_to_all()


if __name__ == "__main__":
    main()

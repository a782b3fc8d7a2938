"""What a scenario's storage keys mean for the simulation: tiers of data, levels of saves."""

from dataclasses import dataclass

from dcsim.catalogue.records import NodeType
from dcsim.scenario.resolved import CheckpointPolicy, Storage
from dcsim.simulation.spec import CacheSpec, OriginSpec, ServerLoss, UpkeepSpec

#: Share of the reading rate at which a node's drives write: 33.8 of 55.4 GB/s on an Azure
#: ND H200 v5, 8.2 of 9.3 on an ND A100 v4 (Azure/AI-benchmarking-guide); the cautious one.
LOCAL_WRITE_SHARE = 0.6

#: Share of a node's memory that can hold training data, and the rate of reading it;
#: assumptions: the rest is the job's own, and one socket's memory copies at 100 GB/s.
MEMORY_SHARE = 0.5
MEMORY_BYTES_PER_S = 100e9

#: Rate at which one accelerator copies its state into host memory: half of a PCIe 5.0 x16
#: link; an assumption.
SNAPSHOT_BYTES_PER_S = 25e9

#: Operations a second of one metadata server; an assumption, from memory of published
#: rates of parallel file systems.
METADATA_OPERATIONS_PER_S = 1e5


@dataclass(frozen=True, slots=True)
class LocalSaves:
    """Checkpoints on the nodes' own drives: seconds to save, seconds to come back."""

    interval_s: float | None = None
    save_s: float = 0.0
    restore_s: float = 0.0


def caches(storage: Storage, node: NodeType) -> tuple[CacheSpec, ...]:
    """Where a node keeps training data, memory before drives."""
    found = []
    if storage.cache in ("host-memory", "all"):
        size = node.host_memory_bytes * MEMORY_SHARE
        found.append(CacheSpec("host memory", size, MEMORY_BYTES_PER_S, MEMORY_BYTES_PER_S))
    if storage.cache in ("node-local", "all") and node.local_storage_bytes > 0.0:
        rate = node.local_storage_bytes_per_s
        drives = CacheSpec("drives", node.local_storage_bytes, rate, rate * LOCAL_WRITE_SHARE)
        found.append(drives)
    return tuple(found)


def origin(storage: Storage) -> OriginSpec | None:
    """The object store that data comes from at first, if there is one."""
    rate = storage.origin_bytes_per_s
    return OriginSpec("object store", rate) if rate is not None else None


def upkeep(storage: Storage) -> UpkeepSpec | None:
    """How servers are lost and rebuilt; None where none is."""
    loss = storage.loss
    if loss is None:
        return None
    return UpkeepSpec(
        held_bytes=storage.system.server_capacity_bytes * loss.fill,
        failures_per_s=1.0 / loss.mttf_s if loss.mttf_s is not None else 0.0,
        losses=tuple(ServerLoss(time, server) for time, server in loss.lost),
        detect_s=loss.detect_s,
        replace_s=loss.replace_s,
        rebuild="single" if loss.rebuild == "single" else "declustered",
        rebuild_bytes_per_s=loss.rate_bytes_per_s or float("inf"),
    )


def local_saves(
    policy: CheckpointPolicy, node: NodeType, nodes: int, nic_bytes_per_s: float, size_bytes: float
) -> LocalSaves:
    """Saves on the drives of `nodes` nodes; further copies go to other nodes at the same time.

    A copy crosses the NICs, so a save takes the longer of writing all copies and sending
    all but the first.
    """
    rate = node.local_storage_bytes_per_s
    if policy.local_interval_s is None or rate <= 0.0:
        return LocalSaves()
    copies = min(policy.local_copies, nodes)
    part = size_bytes / nodes
    writing = copies * part / (rate * LOCAL_WRITE_SHARE)
    sending = (copies - 1) * part / nic_bytes_per_s
    return LocalSaves(policy.local_interval_s, max(writing, sending), part / rate)


def snapshot_s(policy: CheckpointPolicy, accelerators: int, size_bytes: float) -> float:
    """Pause of a job whose checkpoints are written behind it: copying to host memory."""
    return 0.0 if policy.blocking else size_bytes / (accelerators * SNAPSHOT_BYTES_PER_S)

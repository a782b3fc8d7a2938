"""Closed forms of redundant storage: checkpoints, writes, degraded reads, rebuilds, durability.

Servers are equal and data is striped evenly over them, so every server carries the same
load and the storage is as fast as its servers together. SI units.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcsim.cost.durability import annual_loss_probability, mean_time_to_loss_s

Floats = NDArray[np.float64]

YEAR_S = 365.25 * 86400.0

#: Bytes of a checkpoint for each parameter: 16-bit weights (2), 32-bit master weights (4)
#: and two 32-bit moments (8), as MLPerf Storage v2.0 writes them (mlcommons/storage
#: @caa90c9, mlpstorage/config.py): 105, 912 and 5,290 "GB" of Llama 3 8B, 70B and 405B are
#: GiB of 14 bytes a parameter. Its 18 "TB" of the 1T model count the weights twice
#: (docs/decisions/0054).
CHECKPOINT_BYTES_PER_PARAMETER = 14.0


def checkpoint_bytes(parameters: ArrayLike) -> Floats:
    """Size of a training checkpoint: weights, master weights and both moments of Adam."""
    return np.asarray(parameters, dtype=np.float64) * CHECKPOINT_BYTES_PER_PARAMETER


def write_overhead(data_parts: int, parity_parts: int) -> float:
    """Bytes written for each byte of data: (k + m) / k; the number of copies where k is 1."""
    return (data_parts + parity_parts) / data_parts


def write_s(
    size_bytes: ArrayLike, overhead: float, servers: int, server_bytes_per_s: float
) -> Floats:
    """Time to write data at its amplification over all servers."""
    return np.asarray(size_bytes, dtype=np.float64) * overhead / (servers * server_bytes_per_s)


def degraded_reading(lost: ArrayLike, servers: int, data_parts: int) -> Floats:
    """Bytes read from drives for each byte of data while `lost` servers are not rebuilt.

    The share lost / servers of all parts must be computed from k others: 1 + share (k - 1).
    """
    return 1.0 + np.asarray(lost, dtype=np.float64) / servers * (data_parts - 1.0)


def degraded_read_bytes_per_s(
    lost: int, servers: int, data_parts: int, server_bytes_per_s: float
) -> float:
    """What clients read from the servers that are left while `lost` are not rebuilt."""
    extra = float(degraded_reading(lost, servers, data_parts))
    return (servers - lost) * server_bytes_per_s / extra


@dataclass(frozen=True, slots=True)
class RebuildLimits:
    """What limits a rebuild of one server: drives and ports of one server, bytes/s, and the
    rate at which one server may restore (inf: no limit of its own)."""

    read_bytes_per_s: float
    write_bytes_per_s: float
    port_bytes_per_s: float = float("inf")
    restore_bytes_per_s: float = float("inf")


def rebuild_bytes_per_s(limits: RebuildLimits, peers: int, data_parts: int, single: bool) -> float:
    """Restored bytes/s on idle storage.

    Each restored byte reads k others. Declustered, all `peers` read, send, receive and
    write; onto a single replacement, only that one receives and writes.
    """
    targets = 1 if single else peers
    reading = peers * min(limits.read_bytes_per_s, limits.port_bytes_per_s) / data_parts
    receiving = targets * limits.port_bytes_per_s / data_parts
    writing = targets * min(limits.write_bytes_per_s, limits.restore_bytes_per_s)
    return min(reading, receiving, writing)


def rebuild_s(
    held_bytes: float, limits: RebuildLimits, peers: int, data_parts: int, single: bool
) -> float:
    """Time to restore what one server held, on idle storage."""
    return held_bytes / rebuild_bytes_per_s(limits, peers, data_parts, single)


@dataclass(frozen=True, slots=True)
class Durability:
    """How long data lasts: mean time until one group loses data, and what a year risks."""

    groups: int
    repair_s: float
    mean_time_to_loss_s: float
    annual_loss_probability: float


def durability(
    servers: int, data_parts: int, parity_parts: int, failures_per_s: float, repair_s: float
) -> Durability:
    """Durability of `servers` in groups of k + m, by the exact chain of `cost.durability`.

    Raises InputError unless the rate and the repair time are positive.
    """
    devices = data_parts + parity_parts
    groups = max(servers // devices, 1)
    mean = mean_time_to_loss_s(devices, parity_parts, failures_per_s, repair_s)
    return Durability(groups, repair_s, mean, annual_loss_probability(mean, groups, YEAR_S))

"""Closed forms of an undisturbed cluster, vectorised: what screening shares with simulation."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcsim.simulation.spec import FailureClass, StorageSpec

Floats = NDArray[np.float64]


def storage_rates(
    storage: StorageSpec, nodes: ArrayLike, nic_bytes_per_s: ArrayLike
) -> tuple[Floats, Floats]:
    """Bytes/s at which a job on `nodes` nodes reads and writes when it is alone.

    The smallest of disks, server ports and NICs; both results have the broadcast shape of
    the arguments. Limits of the fabric's core (`StorageRoutes`) are not in it.
    """
    nics = np.asarray(nodes, dtype=float) * np.asarray(nic_bytes_per_s, dtype=float)
    ports = storage.servers * storage.port_bytes_per_s
    read = storage.servers * storage.read_bytes_per_s
    write = storage.servers * storage.write_bytes_per_s / storage.write_overhead
    return np.minimum(nics, min(read, ports)), np.minimum(nics, min(write, ports))


def failure_rate(failures: Iterable[FailureClass]) -> float:
    """Failures per accelerator-second of all classes together."""
    return float(sum(failure.per_accelerator_s for failure in failures))


def job_mtbf_s(failures: Iterable[FailureClass], accelerators: ArrayLike) -> Floats:
    """Mean time between failures of a job on `accelerators`; inf without failures."""
    rate = np.asarray(accelerators, dtype=float) * failure_rate(failures)
    return np.divide(1.0, rate, out=np.full(rate.shape, np.inf), where=rate > 0.0)


def mean_downtime_s(failures: Iterable[FailureClass]) -> float:
    """Mean time from a failure until the restore read begins: detection and restart."""
    classes = tuple(failures)
    rate = failure_rate(classes)
    if not rate:
        return 0.0
    weighted = sum(f.per_accelerator_s * (f.detect_s + f.restart_s) for f in classes)
    return float(weighted / rate)

"""Training on data that comes from shared storage: busy accelerators and samples per second.

The workloads are those of MLPerf Storage; their constants are in `data/storage_workloads.csv`.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

MEBIBYTE = 2.0**20
#: The largest number of accelerators that `accelerators_supported` looks at.
MOST_ACCELERATORS = 1_000_000


@dataclass(frozen=True, slots=True)
class StorageWorkload:
    """One batch: what it reads, how long it computes, and how busy accelerators must stay.

    `jitter` is the share of the compute time that one accelerator loses to its own input
    pipeline; `jitter_growth` how it grows with the logarithm of those that wait for each other.
    """

    name: str
    samples_per_batch: float
    bytes_per_sample: float
    compute_s: float
    busy_threshold: float
    jitter: float
    jitter_growth: float
    source: str


@cache
def workloads() -> Mapping[str, StorageWorkload]:
    """The known workloads by name (`unet3d-h100`), with their fitted jitter."""
    data = files("dcsim.cost").joinpath("data")
    fit = json.loads(data.joinpath("storage-fit.json").read_text(encoding="utf-8"))["parameters"]
    text = data.joinpath("storage_workloads.csv").read_text(encoding="utf-8")
    return {
        row["workload"]: StorageWorkload(
            row["workload"],
            float(row["samples_per_batch"]),
            float(row["bytes_per_sample"]),
            float(row["compute_s"]),
            float(row["busy_threshold"]),
            fit["jitter_" + row["workload"].split("-")[0]],
            fit["jitter_growth"],
            row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    }


def batch_s(
    workload: StorageWorkload, accelerators: ArrayLike, peak_bytes_per_s: ArrayLike
) -> Floats:
    """Time of one batch on `accelerators` that share storage of `peak_bytes_per_s`.

    Input is prefetched, so a batch takes the longer of two: computing, stretched by waiting
    for the slowest of n at the barrier, `compute (1 + jitter (1 + growth ln n))` (the maximum
    of n delays with an exponential tail grows with ln n), and reading n batches at the peak.
    Broadcasts; seconds.
    """
    n = np.asarray(accelerators, dtype=float)
    waiting = workload.jitter * (1.0 + workload.jitter_growth * np.log(n))
    read_bytes = n * workload.samples_per_batch * workload.bytes_per_sample
    return np.maximum(
        workload.compute_s * (1.0 + waiting), read_bytes / np.asarray(peak_bytes_per_s, dtype=float)
    )


def busy_share(
    workload: StorageWorkload, accelerators: ArrayLike, peak_bytes_per_s: ArrayLike
) -> Floats:
    """Accelerator utilisation: compute time ÷ batch time, 0 to 1."""
    return workload.compute_s / batch_s(workload, accelerators, peak_bytes_per_s)


def samples_per_s(
    workload: StorageWorkload, accelerators: ArrayLike, peak_bytes_per_s: ArrayLike
) -> Floats:
    """Samples per second of all accelerators together."""
    n = np.asarray(accelerators, dtype=float)
    return n * workload.samples_per_batch / batch_s(workload, n, peak_bytes_per_s)


def accelerators_supported(workload: StorageWorkload, peak_bytes_per_s: float) -> int:
    """Most accelerators that stay at least as busy as the workload demands; 0 if none does.

    Utilisation falls with the number, so bisection finds it; at most `MOST_ACCELERATORS`.
    """
    low, high = 0, MOST_ACCELERATORS
    while low < high:
        middle = (low + high + 1) // 2
        if busy_share(workload, middle, peak_bytes_per_s) >= workload.busy_threshold:
            low = middle
        else:
            high = middle - 1
    return low

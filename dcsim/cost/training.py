"""What a training step costs: time, its exposed parts, memory and FLOPs of many layouts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.records.profile import Profile
from dcsim.workload.table import TrainingTable

Floats = NDArray[np.float64]

#: The exposed parts of an iteration, in the order in which outputs list them.
PARTS: tuple[str, ...] = (
    "compute_s",
    "tp_s",
    "pp_bubble_s",
    "dp_s",
    "ep_s",
    "cp_s",
    "optimizer_s",
    "other_s",
)

#: What limits an iteration, in the order of the codes in `TrainingEstimates.bottleneck`.
BOTTLENECKS: tuple[str, ...] = (
    "matrix products",
    "attention",
    "memory traffic",
    "host launches",
    "tensor-parallel communication",
    "pipeline bubble",
    "data-parallel communication",
    "expert-parallel communication",
    "context-parallel communication",
    "optimizer",
)


@dataclass(frozen=True, slots=True)
class TrainingEstimates:
    """Predictions for the rows of a table, in their order; every array has shape (n,).

    `low_s` and `high_s` bound a 90 % prediction interval of `iteration_s`. The eight
    parts are exposed seconds of one iteration and sum to `iteration_s`. Memory is that of
    the fullest rank: allocated by the framework, reserved by its allocator, and of the
    whole device, which is what must fit. FLOPs are those of one iteration over all
    accelerators: model FLOPs with causal attention halved, with full attention, and
    hardware FLOPs (recomputation counted, causal halved). `mfu` and `hfu` are shares of
    the dense 16-bit peak (causal halved). Times are given also where `fits` is false.
    """

    iteration_s: Floats
    low_s: Floats
    high_s: Floats
    compute_s: Floats
    tp_s: Floats
    pp_bubble_s: Floats
    dp_s: Floats
    ep_s: Floats
    cp_s: Floats
    optimizer_s: Floats
    other_s: Floats
    memory_bytes: Floats
    memory_reserved_bytes: Floats
    memory_device_bytes: Floats
    fits: NDArray[np.bool_]
    model_flops: Floats
    model_flops_full_attention: Floats
    hardware_flops: Floats
    tokens_per_s_per_gpu: Floats
    mfu: Floats
    hfu: Floats
    bottleneck: NDArray[np.int64]


def estimate_training(table: TrainingTable, profile: Profile) -> TrainingEstimates:
    """Time, parts, memory and FLOPs of every row of `table`.

    The parameters are `profile.training`'s, or the shipped fit where that is empty. Rows
    are independent of one another: any split into chunks gives the same bytes.
    """
    raise NotImplementedError

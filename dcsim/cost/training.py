"""What a training step costs: time, its exposed parts, memory and FLOPs of many layouts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.cost.communication import (
    context_parallel_s,
    data_parallel_s,
    expert_parallel_s,
    hand_over_s,
    stage_weights,
    tensor_parallel_s,
)
from dcsim.cost.flops import step_flops
from dcsim.cost.intervals import prediction_interval
from dcsim.cost.layer import HeadTime, LayerTime, head_time, layer_time
from dcsim.cost.memory import memory_of
from dcsim.cost.parameters import Values, shipped_fit
from dcsim.cost.pipeline import DEFERRED, PipelineTime, pipeline_time
from dcsim.cost.rates import DeviceRates, Rates, rates_of
from dcsim.cost.shapes import Shapes, shapes_of
from dcsim.records.profile import Profile, TrainingFit
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

#: Ranks that share a host, for the slowdown that grows with the number of hosts.
ACCELERATORS_PER_NODE = 8.0

#: Share of the optimiser's traffic (zeroing, clipping) that ZeRO 1 and 2 do not shard.
UNSHARDED_OPTIMIZER = 0.2


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


@dataclass(frozen=True, slots=True)
class StepModel:
    """The step's anatomy before it is summed up; arrays of shape (n,) or (1,)."""

    shapes: Shapes
    layer: LayerTime
    head: HeadTime
    pipeline: PipelineTime
    tp_s: Floats
    cp_s: Floats
    ep_s: Floats
    dp_s: Floats
    optimizer_s: Floats
    step_s: Floats
    jitter: Floats


def step_model(table: TrainingTable, rates: Rates) -> StepModel:
    """Every component of an iteration under `rates`."""
    uneven = rates.interleaves
    shapes = shapes_of(table, uneven)
    layer = layer_time(table, shapes, rates)
    head = head_time(table, shapes, rates)
    tp_s = tensor_parallel_s(table, shapes, rates.network)
    cp_s = context_parallel_s(table, shapes, layer, rates.network)
    ep_s = expert_parallel_s(table, shapes, rates.network)
    pipeline = pipeline_time(
        shapes,
        table.layers.astype(float),
        layer,
        tp_s + cp_s + ep_s,
        head,
        hand_over_s(table, shapes, rates.network),
        np.asarray(DEFERRED)[table.schedule],
        rates,
    )
    nodes = np.maximum(table.accelerators / ACCELERATORS_PER_NODE, 1.0)
    return StepModel(
        shapes=shapes,
        layer=layer,
        head=head,
        pipeline=pipeline,
        tp_s=tp_s,
        cp_s=cp_s,
        ep_s=ep_s,
        dp_s=data_parallel_s(table, shapes, pipeline.mean_s, rates.network),
        optimizer_s=optimizer_s(table, shapes, rates.device),
        step_s=rates.host.step_s,
        jitter=rates.network.jitter * np.log2(nodes),
    )


def optimizer_s(table: TrainingTable, shapes: Shapes, device: DeviceRates) -> Floats:
    """One pass over the weights of a rank; ZeRO shards all but zeroing and clipping."""
    weights = stage_weights(table, shapes) + shapes.mean_layers * shapes.rank_expert_weights
    shard = np.where(table.layouts.zero_stage >= 1, shapes.dp * shapes.cp, 1.0)
    whole = np.where(table.layouts.zero_stage == 3, 0.0, UNSHARDED_OPTIMIZER)
    share = whole + (1.0 - whole) / shard
    moved = weights * device.optimizer_bytes
    in_host = moved / shard / device.offload_bytes_per_s
    return np.where(table.offload, in_host, moved * share / device.bytes_per_s)


def parts_of(model: StepModel) -> tuple[Floats, ...]:
    """The eight parts in the order of `PARTS`, in seconds of one iteration."""
    m, layers = model.shapes.micro_batches, model.shapes.mean_layers
    head = model.head
    outside = (head.products_s + head.loss_s + head.embedding_s) / model.shapes.pp
    parts = [
        m * (layers * model.layer.device_s + outside),
        m * layers * model.tp_s,
        model.pipeline.bubble_s,
        model.dp_s,
        m * layers * model.ep_s,
        m * layers * model.cp_s,
        model.optimizer_s,
        m * model.pipeline.host_s + model.step_s,
    ]
    steady = sum(parts[1:], start=parts[0])
    parts[-1] = parts[-1] + model.jitter * steady
    return tuple(parts)


def predict(table: TrainingTable, values: Values) -> tuple[StepModel, tuple[Floats, ...]]:
    """The step model and its parts under looked-up parameters; what a fit evaluates."""
    model = step_model(table, rates_of(table, values))
    return model, parts_of(model)


def estimate_training(table: TrainingTable, profile: Profile | None = None) -> TrainingEstimates:
    """Time, parts, memory and FLOPs of every row of `table`.

    The parameters are `profile.training`'s, or the shipped fit where that is empty. Rows
    are independent of one another: any split into chunks gives the same bytes.
    """
    fit = profile.training if profile and profile.training.parameters else shipped_fit()
    return estimate_with(table, fit)


def estimate_with(table: TrainingTable, fit: TrainingFit) -> TrainingEstimates:
    """`estimate_training` under one fit."""
    shape = (table.count,)
    values = Values(table, fit.parameters)
    rates = rates_of(table, values)
    model = step_model(table, rates)
    parts = [np.broadcast_to(part, shape).astype(float) for part in parts_of(model)]
    total = sum(parts[1:], start=parts[0])
    low, high = prediction_interval(table, total, fit)
    memory = memory_of(table, model.shapes, rates)
    flops = step_flops(table, model.shapes.weights)
    rate = total * table.accelerators * table.peak_16bit_flops
    tokens = table.global_batch * table.seq_len.astype(float)
    return TrainingEstimates(
        iteration_s=total,
        low_s=low,
        high_s=high,
        compute_s=parts[0],
        tp_s=parts[1],
        pp_bubble_s=parts[2],
        dp_s=parts[3],
        ep_s=parts[4],
        cp_s=parts[5],
        optimizer_s=parts[6],
        other_s=parts[7],
        memory_bytes=memory.allocated,
        memory_reserved_bytes=memory.reserved,
        memory_device_bytes=memory.device,
        fits=memory.device <= table.memory_bytes,
        model_flops=flops.causal,
        model_flops_full_attention=flops.full,
        hardware_flops=flops.hardware,
        tokens_per_s_per_gpu=tokens / (total * table.accelerators),
        mfu=flops.causal / rate,
        hfu=flops.hardware / rate,
        bottleneck=bottleneck_of(model, parts),
    )


def bottleneck_of(model: StepModel, parts: list[Floats]) -> NDArray[np.int64]:
    """The index in `BOTTLENECKS` of the largest component of each row."""
    m, layers = model.shapes.micro_batches, model.shapes.mean_layers
    head = model.head
    components = (
        m
        * (
            layers * (model.layer.products_s + model.layer.experts_s)
            + head.products_s / model.shapes.pp
        ),
        m * layers * model.layer.attention_s,
        m * (layers * model.layer.traffic_s + head.loss_s / model.shapes.pp),
        m * model.pipeline.host_s,
        parts[1],
        parts[2],
        parts[3],
        parts[4],
        parts[5],
        parts[6],
    )
    shape = parts[0].shape
    stacked = np.stack([np.broadcast_to(c, shape) for c in components])
    return np.asarray(np.argmax(stacked, axis=0), dtype=np.int64)

"""Exposed communication of a training step: tensor, context, expert and data parallel."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcsim.cost.collectives import collective_time
from dcsim.cost.layer import LayerTime
from dcsim.cost.rates import NetworkRates
from dcsim.cost.shapes import Shapes
from dcsim.workload.table import TrainingTable

Floats = NDArray[np.float64]

_HALF_BYTES = 2.0

#: Width of the corner in `exposed`, as a share of the communication.
_CORNER = 0.1


def _time(
    kind: str,
    size_bytes: ArrayLike,
    group: ArrayLike,
    stride: ArrayLike,
    table: TrainingTable,
    network: NetworkRates,
) -> Floats:
    return collective_time(
        kind,
        size_bytes,
        group,
        stride,
        table.tier_size,
        table.tier_bytes_per_s,
        table.tier_latency_s,
        table.tier_reduces,
        network.collectives,
    )


def exposed(communication_s: Floats, window_s: Floats, floor: ArrayLike) -> Floats:
    """What of `communication_s` shows when `window_s` of other work may hide it.

    A share `floor` is always exposed; of the rest, what exceeds the window, the corner
    rounded because neither side is perfectly regular.
    """
    over = communication_s - window_s
    corner = _CORNER * communication_s
    excess = 0.5 * (over + np.sqrt(over * over + corner * corner))
    share = np.minimum(np.asarray(floor, dtype=float), 1.0)
    return share * communication_s + (1.0 - share) * np.minimum(excess, communication_s)


def tensor_parallel_s(table: TrainingTable, shapes: Shapes, network: NetworkRates) -> Floats:
    """Per layer and micro-batch: two reductions forward, two backward (Shoeybi 2019).

    Sequence parallelism turns each into an all-gather and a reduce-scatter of the same
    volume (Korthikanti 2022, section 4.2.2). Full recomputation repeats the forward
    ones. A mixture layer exchanges its tokens by all-to-all instead.
    """
    size = shapes.tokens * table.hidden * _HALF_BYTES
    count = 4.0 + 2.0 * (table.layouts.recompute == 2) - 2.0 * shapes.moe_share
    once = _time("all_reduce", size, shapes.tp, 1.0, table, network)
    halves = 2.0 * _time("all_gather", size, shapes.tp, 1.0, table, network)
    each = np.where(table.layouts.sequence_parallel, halves, once)
    return count * each * network.tp_exposed


def context_parallel_s(
    table: TrainingTable, shapes: Shapes, layer: LayerTime, network: NetworkRates
) -> Floats:
    """Per layer and micro-batch: keys and values gathered twice, their gradients reduced."""
    if not np.any(table.layouts.cp > 1):
        return np.zeros(1)
    width = 2.0 * table.kv_heads * table.head_dim / np.minimum(shapes.tp, table.kv_heads)
    size = shapes.tokens * shapes.cp * width * _HALF_BYTES
    gather = _time("all_gather", size, shapes.cp, shapes.tp, table, network)
    return exposed(3.0 * gather, layer.attention_s, network.cp_exposed)


def expert_parallel_s(table: TrainingTable, shapes: Shapes, network: NetworkRates) -> Floats:
    """Per layer and micro-batch: tokens dispatched and combined, forward and backward."""
    if not np.any(table.experts):
        return np.zeros(1)
    size = shapes.routed * table.hidden * _HALF_BYTES
    once = _time("all_to_all", size, shapes.ep, 1.0, table, network)
    count = 4.0 + 2.0 * (table.layouts.recompute == 2)
    return shapes.moe_share * count * once * network.ep_exposed


def stage_weights(table: TrainingTable, shapes: Shapes) -> Floats:
    """Dense weights on the rank with most of them: a stage's layers and an embedding."""
    matrices = np.where((shapes.pp > 1.0) | table.tied, 1.0, 2.0)
    outside = matrices * shapes.weights.embedding / shapes.tp
    return shapes.mean_layers * shapes.rank_layer_weights + outside


def _reduction_s(
    weights: Floats, group: Floats, stride: Floats, table: TrainingTable, network: NetworkRates
) -> Floats:
    """Gradients reduced and, where the optimiser is sharded, weights gathered."""
    gradients = weights * network.gradient_bytes
    whole = _time("all_reduce", gradients, group, stride, table, network)
    scatter = _time("reduce_scatter", gradients, group, stride, table, network)
    gather = _time("all_gather", weights * _HALF_BYTES, group, stride, table, network)
    return np.where(table.layouts.zero_stage == 0, whole, scatter + gather)


def data_parallel_s(
    table: TrainingTable, shapes: Shapes, micro_batch_s: Floats, network: NetworkRates
) -> Floats:
    """Exposed gradient and weight traffic of one iteration.

    Up to ZeRO stage 2 it happens once an iteration, behind the last backward pass (and
    the first forward pass); stage 3 gathers every layer twice and scatters its gradients
    in each micro-batch, ahead of the computation (Zhao et al. 2023, arXiv 2304.11277).
    """
    group = shapes.dp * shapes.cp
    dense = stage_weights(table, shapes)
    sharded = table.layouts.zero_stage == 3
    plain = _reduction_s(dense, group, shapes.tp, table, network)
    if np.any(table.experts):
        experts = shapes.mean_layers * shapes.rank_expert_weights
        replicas = np.maximum(group * shapes.tp / shapes.ep, 1.0)
        routed = _reduction_s(experts, replicas, shapes.ep, table, network)
        plain = plain + np.where(table.experts > 0, routed, 0.0)
    window = network.dp_window * micro_batch_s * (2.0 / 3.0)
    once = exposed(network.dp_traffic * plain, window, network.dp_floor)
    if not np.any(sharded):
        return once
    gather = _time("all_gather", dense * _HALF_BYTES, group, shapes.tp, table, network)
    scatter = _time(
        "reduce_scatter", dense * network.gradient_bytes, group, shapes.tp, table, network
    )
    volume = network.dp_traffic * (2.0 * gather + scatter)
    if np.any(table.experts):
        volume = volume + np.where(table.experts > 0, network.dp_traffic * plain, 0.0)
    each = exposed(volume, micro_batch_s, network.fsdp_floor)
    return np.where(sharded, shapes.micro_batches * each, once)


def hand_over_s(table: TrainingTable, shapes: Shapes, network: NetworkRates) -> Floats:
    """One activation or gradient handed to the next stage, as far as it is exposed."""
    size = shapes.tokens * table.hidden * _HALF_BYTES / shapes.tp
    stride = shapes.tp * shapes.cp * shapes.dp
    wire = _time("p2p", size, shapes.pp, stride, table, network)
    return np.where(shapes.pp > 1.0, network.pp_exposed * wire + network.handover_s, 0.0)

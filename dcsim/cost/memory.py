"""Memory of the fullest rank: states, activations, logits, buffers, allocator, context."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.cost.communication import stage_weights
from dcsim.cost.rates import Rates
from dcsim.cost.shapes import Shapes
from dcsim.workload.table import PRECISION_BITS, SCHEDULES, TrainingTable

Floats = NDArray[np.float64]

#: Bytes of one weight, and of its optimiser state where all is 16 bit; in mixed precision
#: the software says (12 for a 32-bit copy, momentum and variance: Rajbhandari 2019, arXiv
#: 1910.02054, section 3.1).
WEIGHT_BYTES = 2.0
PURE_STATE_BYTES = 4.0

#: The caching allocator's unused blocks, as a share and in bytes.
ALLOCATOR_SHARE = 0.04
ALLOCATOR_BYTES = 0.4e9

#: CUDA context with its kernels (1.3–1.6 GB, BLOOM chronicles), and the buffers of one
#: communicator for each parallel group that a rank belongs to.
CONTEXT_BYTES = 1.4e9
COMMUNICATOR_BYTES = 0.4e9

#: Workspace of matrix products and of fused optimisers.
WORKSPACE_BYTES = 0.15e9

_HALF = 2.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on the fullest rank; arrays of shape (n,)."""

    states: Floats
    activations: Floats
    logits: Floats
    buffers: Floats
    allocated: Floats
    reserved: Floats
    device: Floats


def _is_narrow(table: TrainingTable) -> NDArray[np.bool_]:
    return np.asarray(PRECISION_BITS)[table.precision] < 16


def layer_kept_bytes(table: TrainingTable, shapes: Shapes, rates: Rates) -> Floats:
    """What the backward pass of one mean layer needs, without scores, for a micro-batch.

    Korthikanti 2022 (arXiv 2205.05198), equation 2, with the row's own widths: inputs of
    both norms, inputs of the four products (one byte each where they are 8 bit or less),
    dropout masks, queries, keys and values,
    what enters and leaves the activation function.
    """
    h = table.hidden.astype(float)
    up = table.mlp_matrices - 1.0
    saved = np.where(_is_narrow(table), 1.0, _HALF)
    outer = (2.0 * _HALF + 2.0 * saved + rates.memory.mask_bytes) * h / shapes.split
    width = table.heads * table.head_dim
    qkv = width + 2.0 * table.kv_heads * table.head_dim
    attention = (_HALF * qkv + saved * width) / shapes.tp
    inner = (_HALF * up + saved) * table.ffn_hidden * (1.0 - shapes.moe_share) / shapes.tp
    routed = (_HALF + saved) * h + (_HALF * up + saved) * table.moe_ffn_hidden
    dense = shapes.tokens * (outer + attention + inner)
    return (dense + shapes.moe_share * shapes.routed * routed) * rates.memory.kept


def score_bytes(table: TrainingTable, shapes: Shapes, rates: Rates) -> Floats:
    """Scores, softmax output and dropout mask of unfused attention: 5·a·s a token."""
    scores = 5.0 * shapes.tokens * table.seq_len * table.heads / shapes.tp
    return np.where(rates.device.unfused, scores, 0.0)


def _layer_bytes(table: TrainingTable, shapes: Shapes, rates: Rates) -> tuple[Floats, Floats]:
    """(kept by a layer until its backward pass, rebuilt while it runs) for a micro-batch.

    Full recomputation keeps a layer's input; selective drops the scores of unfused
    attention (Korthikanti 2022, section 5), or a share of a fused layer's activations.
    """
    kept = layer_kept_bytes(table, shapes, rates)
    scores = score_bytes(table, shapes, rates)
    boundary = shapes.tokens * _HALF * table.hidden / shapes.split
    boundary = np.where(table.offload, 0.0, boundary)
    fewer = rates.memory.selective * (1.0 - shapes.moe_share)
    fewer = fewer + rates.memory.selective_moe * shapes.moe_share
    some = np.where(rates.device.unfused, kept, kept * fewer)
    recompute = table.layouts.recompute
    held = np.where(recompute == 2, boundary, np.where(recompute == 1, some, kept + scores))
    return held, np.where(recompute == 2, kept + scores, 0.0)


def _state_bytes(table: TrainingTable, shapes: Shapes, rates: Rates) -> Floats:
    """Weights, gradients and optimiser of the fullest stage under ZeRO sharding."""
    shard = shapes.dp * shapes.cp
    zero = table.layouts.zero_stage
    gradients = np.where(table.pure, _HALF, rates.memory.gradient_bytes)
    weights = WEIGHT_BYTES + np.where(_is_narrow(table) & (zero < 3), 1.0, 0.0)
    state = np.where(table.pure, PURE_STATE_BYTES, rates.memory.state_bytes)
    state = np.where(table.offload, 0.0, state)
    expert_shard = np.maximum(shard * shapes.tp / shapes.ep, 1.0)
    extra = np.maximum(shapes.stage_layers - shapes.mean_layers, 0.0)
    dense = stage_weights(table, shapes) + extra * shapes.rank_layer_weights
    experts = (shapes.mean_layers + extra) * shapes.rank_expert_weights
    total: Floats = np.zeros(1)
    for count, parts in ((dense, shard), (experts, expert_shard)):
        whole = np.where(zero < 3, weights, weights / parts)
        slopes = np.where(zero < 2, gradients, gradients / parts)
        moments = np.where(zero < 1, state, state / parts)
        total = total + count * (whole + slopes + moments)
    return total


def _buffer_bytes(table: TrainingTable, shapes: Shapes, rates: Rates) -> Floats:
    """Gathered layers of ZeRO 3 (two in flight), buckets of gradients, workspace."""
    layer = shapes.rank_layer_weights + shapes.rank_expert_weights
    gathered = WEIGHT_BYTES * (2.0 * layer + shapes.weights.embedding / shapes.tp)
    sharded = table.layouts.zero_stage == 3
    parallel = shapes.dp * shapes.cp > 1.0
    whole = WEIGHT_BYTES * stage_weights(table, shapes)
    buckets = np.where(parallel, np.minimum(rates.memory.bucket_bytes, whole), 0.0)
    return np.where(sharded, gathered, buckets) + WORKSPACE_BYTES


def memory_of(table: TrainingTable, shapes: Shapes, rates: Rates) -> Memory:
    """Peak memory of the fullest rank.

    The first stage holds min(m, p) micro-batches under 1F1B, up to 2p − 1 under ZB-H2
    (Qi et al. 2023, arXiv 2401.10241, table 2), and 1 + (p − 1)/(p·v)
    times its share when interleaved (Korthikanti 2022, appendix C); the last holds one
    but adds logits and loss. The larger of the two counts.
    """
    states = _state_bytes(table, shapes, rates)
    held, working = _layer_bytes(table, shapes, rates)
    p, v, m = shapes.pp, shapes.vp, shapes.micro_batches
    interleave = np.where(v > 1.0, 1.0 + (p - 1.0) / (p * v), 1.0)
    depth = np.where(table.schedule == SCHEDULES.index("zb-h2"), 2.0 * p - 1.0, p)
    first = shapes.stage_layers * np.minimum(m, depth) * interleave * held
    last = shapes.stage_layers * np.minimum(np.where(v > 1.0, p, 1.0), m) * held
    logits = shapes.tokens * table.vocab / shapes.tp * rates.memory.logit_bytes
    # The logits are gone when a recomputed layer is rebuilt: the larger of both counts.
    loss = np.maximum(logits - working, 0.0)
    ends = (p == 1.0) | (last + loss > first)
    activations = np.where((p > 1.0) & ends, last, first) + working
    peak_logits = np.where(ends, loss, 0.0)
    buffers = _buffer_bytes(table, shapes, rates)
    allocated = states + activations + peak_logits + buffers
    reserved = allocated * (1.0 + ALLOCATOR_SHARE) + ALLOCATOR_BYTES
    groups = 1.0 + sum(
        ((degree > 1.0).astype(float) for degree in (shapes.tp, p, shapes.dp)), start=np.zeros(1)
    )
    device = reserved + CONTEXT_BYTES + COMMUNICATOR_BYTES * groups
    shape = (table.count,)
    parts = (states, activations, peak_logits, buffers, allocated, reserved, device)
    return Memory(*(np.broadcast_to(part, shape).astype(float) for part in parts))

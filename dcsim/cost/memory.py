"""Memory of the fullest rank: states, activations, logits, buffers, allocator, context."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.cost.communication import stage_weights
from dcsim.cost.rates import Rates
from dcsim.cost.shapes import Shapes
from dcsim.workload.table import PRECISION_BITS, TrainingTable

Floats = NDArray[np.float64]

#: Bytes of one weight and of its optimiser state (32-bit copy, momentum, variance) in
#: mixed precision (Rajbhandari 2019, arXiv 1910.02054, section 3.1), and in pure 16 bit.
WEIGHT_BYTES = 2.0
STATE_BYTES = 12.0
PURE_STATE_BYTES = 4.0

#: The caching allocator's unused blocks, as a share and in bytes.
ALLOCATOR_SHARE = 0.04
ALLOCATOR_BYTES = 0.4e9

#: CUDA context with its kernels (1.3–1.6 GB, BLOOM chronicles), and the buffers of one
#: communicator for each parallel group that a rank belongs to.
CONTEXT_BYTES = 1.4e9
COMMUNICATOR_BYTES = 0.25e9

#: Workspace of matrix products and of fused optimisers.
WORKSPACE_BYTES = 0.3e9


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


def layer_activation_bytes(table: TrainingTable, shapes: Shapes, rates: Rates) -> Floats:
    """Activations that one layer keeps for one micro-batch, by recomputation.

    Korthikanti 2022 (arXiv 2205.05198), equations 1–6, with widths of the row's own MLP
    and key-value heads: full recomputation keeps the input (2 bytes an element);
    selective drops the score matrix, which fused attention never stores.
    """
    h = table.hidden.astype(float)
    kept = layer_kept_bytes(table, shapes, rates, scores=False)
    scores = _score_bytes(table, shapes, rates)
    boundary = shapes.tokens * 2.0 * h / shapes.split
    recompute = table.layouts.recompute
    some = np.where(rates.device.unfused, kept, kept * (1.0 - 0.25 * rates.device.selective))
    return np.where(recompute == 2, boundary, np.where(recompute == 1, some, kept + scores))


def _score_bytes(table: TrainingTable, shapes: Shapes, rates: Rates) -> Floats:
    """Scores, softmax output and dropout mask of unfused attention: 5·a·s a token."""
    scores = 5.0 * shapes.tokens * table.seq_len * table.heads / shapes.tp
    return np.where(rates.device.unfused, scores, 0.0)


def layer_kept_bytes(table: TrainingTable, shapes: Shapes, rates: Rates, scores: bool) -> Floats:
    """Everything that one layer's backward pass needs, for one micro-batch."""
    h = table.hidden.astype(float)
    up = table.mlp_matrices - 1.0
    qkv = (table.heads + 2.0 * table.kv_heads) * table.head_dim
    outer = (4.0 + 4.0 + 2.0) * h / shapes.split
    attention = 2.0 * (qkv + table.heads * table.head_dim) / shapes.tp
    inner = 2.0 * (1.0 + up) * table.ffn_hidden * (1.0 - shapes.moe_share) / shapes.tp
    routed = 2.0 * (2.0 * h + (1.0 + up) * table.moe_ffn_hidden)
    mixture = shapes.moe_share * shapes.routed * routed
    dense = shapes.tokens * (outer + attention + inner) + mixture
    return dense + _score_bytes(table, shapes, rates) if scores else dense


def _state_bytes(table: TrainingTable, shapes: Shapes, rates: Rates) -> Floats:
    """Weights, gradients and optimiser of the fullest stage under ZeRO sharding."""
    shard = shapes.dp * shapes.cp
    zero = table.layouts.zero_stage
    narrow = np.asarray(PRECISION_BITS)[table.precision] < 16
    gradients = np.where(table.pure, 2.0, rates.network.gradient_bytes)
    weights = WEIGHT_BYTES + np.where(narrow & (zero < 3), 1.0, 0.0)
    state = np.where(table.pure, PURE_STATE_BYTES, STATE_BYTES)
    state = np.where(table.offload, 0.0, state)
    expert_shard = np.maximum(shard * shapes.tp / shapes.ep, 1.0)
    dense = stage_weights(table, shapes)
    extra = np.maximum(shapes.stage_layers / shapes.mean_layers, 1.0)
    experts = extra * shapes.mean_layers * shapes.rank_expert_weights
    total: Floats = np.zeros(1)
    for count, parts in ((dense, shard), (experts, expert_shard)):
        whole = np.where(zero < 3, weights, weights / parts)
        slopes = np.where(zero < 2, gradients, gradients / parts)
        moments = np.where(zero < 1, state, state / parts)
        total = total + count * (whole + slopes + moments)
    return total


def memory_of(table: TrainingTable, shapes: Shapes, rates: Rates) -> Memory:
    """Peak memory of the fullest rank.

    The first stage holds min(m, p) micro-batches under 1F1B, and 1 + (p − 1)/(p·v)
    times its share when interleaved (Korthikanti 2022, appendix C); the last holds one
    but adds logits and loss. The larger of the two counts.
    """
    states = _state_bytes(table, shapes, rates)
    per_layer = layer_activation_bytes(table, shapes, rates)
    p, v, m = shapes.pp, shapes.vp, shapes.micro_batches
    interleave = np.where(v > 1.0, 1.0 + (p - 1.0) / (p * v), 1.0)
    flight = np.minimum(m, p) * interleave
    first = shapes.stage_layers * flight * per_layer
    last = shapes.stage_layers * np.minimum(np.where(v > 1.0, p, 1.0), m) * per_layer
    working = np.where(
        table.layouts.recompute == 2, layer_kept_bytes(table, shapes, rates, scores=True), 0.0
    )
    bytes_per_logit = np.where(rates.fused_loss, 4.0, 10.0)
    logits = shapes.tokens * table.vocab / shapes.tp * bytes_per_logit
    one = p == 1.0
    activations = np.where(
        one, first, np.maximum(first, last + logits) - logits * (last + logits > first)
    )
    held = np.where(one | (last + logits > first), logits, 0.0)
    activations = activations + working
    gathered = np.where(
        table.layouts.zero_stage == 3,
        3.0 * WEIGHT_BYTES * (shapes.rank_layer_weights + shapes.rank_expert_weights)
        + WEIGHT_BYTES * shapes.weights.embedding / shapes.tp,
        0.0,
    )
    buffers = gathered + WORKSPACE_BYTES
    allocated = states + activations + held + buffers
    reserved = allocated * (1.0 + ALLOCATOR_SHARE) + ALLOCATOR_BYTES
    groups = 1.0 + sum((degree > 1.0).astype(float) for degree in (shapes.tp, p, shapes.dp))
    device = reserved + CONTEXT_BYTES + COMMUNICATOR_BYTES * groups
    shape = (table.count,)
    parts = (states, activations, held, buffers, allocated, reserved, device)
    return Memory(*(np.broadcast_to(part, shape).astype(float) for part in parts))

"""Device and host time of one transformer layer and of the head, for one micro-batch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.cost.flops import attention_products, attention_span, value_dim
from dcsim.cost.rates import DeviceRates, ProductRate, Rates
from dcsim.cost.shapes import Shapes
from dcsim.workload.table import TrainingTable

Floats = NDArray[np.float64]

#: Share of a layer's memory passes and launches that belong to the forward pass.
FORWARD_TRAFFIC = 0.4
FORWARD_LAUNCHES = 1.0 / 3.0

#: Result tiles that libraries choose among: rows, columns, time of an element against the
#: largest (smaller ones load more operands for each).
TILES = ((128.0, 256.0, 1.0), (128.0, 128.0, 1.08), (64.0, 64.0, 1.4))

#: Result tile that one compute unit works on at once.
TILE_ROWS, TILE_COLUMNS = 128.0, 256.0

#: Products in units of one forward pass: forward, data gradient, weight gradient.
PRODUCT_PASSES = 3.0

#: The same for attention kernels: a fused backward recomputes the scores (Dao 2023,
#: arXiv 2307.08691, section 3.1), an unfused one does not.
FUSED_ATTENTION_PASSES = 3.5
UNFUSED_ATTENTION_PASSES = 3.0

_HALF_BYTES = 2.0


@dataclass(frozen=True, slots=True)
class LayerTime:
    """Seconds of one mean layer and one micro-batch on one rank, recomputation included."""

    products_s: Floats
    experts_s: Floats
    attention_s: Floats
    traffic_s: Floats
    host_s: Floats
    forward_s: Floats
    weight_gradient_s: Floats

    @property
    def device_s(self) -> Floats:
        """The sum of what the device does."""
        return self.products_s + self.experts_s + self.attention_s + self.traffic_s


@dataclass(frozen=True, slots=True)
class HeadTime:
    """Seconds of the last stage's head and loss and the first stage's embedding."""

    products_s: Floats
    loss_s: Floats
    embedding_s: Floats
    weight_gradient_s: Floats


def _product_s(m: Floats, n: Floats, k: Floats, rate: ProductRate) -> Floats:
    """One m×k times k×n product: the smooth maximum of arithmetic and operand traffic.

    The traffic of the three matrices is FLOPs / peak · ridge · (1/m + 1/n + 1/k), so that
    both limits of `operators.operator_time` share one expression; `rate.knee` is the ridge
    times what blocking and short loops add to it. A share `rate.wave` of what the last,
    partly filled wave of result tiles leaves idle is lost, averaged over the forward
    product and the two of the backward pass, which permute m, n and k.
    """
    n, k = np.maximum(n, 1.0), np.maximum(k, 1.0)
    idle = _idle(m, n, rate.units) + _idle(m, k, rate.units) + _idle(n, k, rate.units)
    shape = _shape_factor(m, n, k, rate)
    return 2.0 * m * n * k / rate.flops * (shape + rate.wave * idle / 3.0)


def _grouped_s(m: Floats, n: Floats, k: Floats, rate: ProductRate, groups: Floats) -> Floats:
    """`_product_s` for `groups` products that run together and share their waves.

    How many tokens each gets changes from step to step, so that the last wave is half
    filled on average instead of by a known remainder.
    """
    n, k = np.maximum(n, 1.0), np.maximum(k, 1.0)
    volume = m * n * k
    area = TILE_ROWS * TILE_COLUMNS * rate.units
    idle = 0.5 * area * (m + n + k) / (volume * groups)
    shape = _shape_factor(m, n, k, rate)
    return 2.0 * volume / rate.flops * (shape + rate.wave * idle / 3.0)


def _shape_factor(m: Floats, n: Floats, k: Floats, rate: ProductRate) -> Floats:
    surface = rate.knee * (1.0 / m + 1.0 / n + 1.0 / k)
    return np.asarray((1.0 + surface**rate.sharpness) ** (1.0 / rate.sharpness))


def _idle(rows: Floats, columns: Floats, units: Floats) -> Floats:
    """Work that whole waves of whole tiles do beyond a result of `rows` × `columns`, as a
    share of it (NVIDIA, Matrix Multiplication Background User's Guide, sections 3 and 4).
    """
    best: Floats = np.full(1, np.inf)
    for height, width, pace in TILES:
        tiles = np.ceil(rows / height) * np.ceil(columns / width)
        waves = np.ceil(tiles / units)
        best = np.minimum(best, waves * (units * height * width * pace))
    return best / (rows * columns) - 1.0


def dense_products_s(table: TrainingTable, shapes: Shapes, device: DeviceRates) -> Floats:
    """Forward products of attention and a dense MLP (or shared experts), mean layer."""
    m, tp = shapes.tokens, shapes.tp
    rate = device.product
    out: Floats = np.zeros(1)
    for _, k, n, split_k, split_n in attention_products(table):
        rows = np.asarray(k / tp if split_k else k, dtype=float)
        columns = np.asarray(n / tp if split_n else n, dtype=float)
        out = out + _product_s(m, columns, rows, rate)
    h = table.hidden.astype(float)
    up = table.mlp_matrices - 1.0
    width = (1.0 - shapes.moe_share) * table.ffn_hidden / tp
    inner = table.ffn_hidden / tp
    scale = width / inner
    mlp = _product_s(m, up * inner, h, rate) + _product_s(m, h, inner, rate)
    out = out + scale * mlp
    if not np.any(table.shared_experts):
        return out
    wide = np.asarray(table.shared_experts * table.moe_ffn_hidden, dtype=float)
    shared = np.asarray(np.maximum(wide / tp, 1.0), dtype=float)
    used = (table.shared_experts > 0) * shapes.moe_share
    both = _product_s(m, up * shared, h, rate) + _product_s(m, h, shared, rate)
    return out + used * both


def expert_products_s(table: TrainingTable, shapes: Shapes, device: DeviceRates) -> Floats:
    """Forward products of the routed experts on the busiest rank, mean layer."""
    if not np.any(table.experts):
        return np.zeros(1)
    h, f = table.hidden.astype(float), np.maximum(table.moe_ffn_hidden.astype(float), 1.0)
    each = np.maximum(shapes.routed / np.maximum(shapes.local_experts, 1.0), 1.0)
    rate = device.product
    up = table.mlp_matrices - 1.0
    groups = np.maximum(shapes.local_experts, 1.0)
    one = _grouped_s(each, up * f, h, rate, groups) + _grouped_s(each, h, f, rate, groups)
    factor = shapes.moe_share * device.grouped * device.imbalance * device.mixture
    return shapes.local_experts * one * factor


def attention_forward_s(table: TrainingTable, shapes: Shapes, device: DeviceRates) -> Floats:
    """The attention kernel's forward pass: FLOPs over a rate that seq and head size limit.

    rate = share · peak · s/(s + s_half) · d/(d + d_half); unfused score products whose
    head size is no multiple of 8 miss the matrix units.
    """
    d = table.head_dim.astype(float)
    span = np.where(device.unfused, table.seq_len, attention_span(table))
    width = (d + value_dim(table)) * table.heads / shapes.tp
    flop = 2.0 * shapes.tokens * span * width
    s = table.seq_len.astype(float)
    rate = device.attention_flops * (s / (s + device.half_seq)) * (d / (d + device.half_head))
    penalty = np.where(device.unfused & (np.mod(d, 8.0) != 0.0), device.misaligned, 1.0)
    return flop * penalty / rate


def score_traffic_s(table: TrainingTable, shapes: Shapes, device: DeviceRates) -> Floats:
    """Passes over the heads × s² score matrix where attention is not fused, both ways."""
    elements = shapes.tokens * table.seq_len * table.heads / shapes.tp
    seconds = elements * _HALF_BYTES * device.score_passes / device.bytes_per_s
    return np.where(device.unfused, seconds, 0.0)


def traffic_s(table: TrainingTable, shapes: Shapes, device: DeviceRates) -> Floats:
    """All other memory-bound passes of a mean layer, forward and backward."""
    h = table.hidden.astype(float)
    up = table.mlp_matrices - 1.0
    qkv = (table.heads + 2.0 * table.kv_heads) * table.head_dim / shapes.tp
    inner = (1.0 - shapes.moe_share) * table.ffn_hidden / shapes.tp
    shared = shapes.moe_share * table.shared_experts * table.moe_ffn_hidden / shapes.tp
    per_token = (
        device.norm_passes * h / shapes.split
        + device.qkv_passes * qkv
        + device.mlp_passes * up * (inner + shared)
        + device.cast_passes * (2.0 * h + qkv + inner + shared)
    )
    routed = (
        shapes.moe_share
        * shapes.routed
        * device.mixture
        * (
            device.moe_passes * h
            + (device.mlp_passes * up + device.cast_passes) * table.moe_ffn_hidden
        )
    )
    elements = shapes.tokens * per_token + routed
    return elements * _HALF_BYTES / device.bytes_per_s


def layer_time(table: TrainingTable, shapes: Shapes, rates: Rates) -> LayerTime:
    """Compose a mean layer: forward, backward and what recomputation repeats."""
    device, host = rates.device, rates.host
    dense, experts = (
        dense_products_s(table, shapes, device),
        expert_products_s(table, shapes, device),
    )
    attention = attention_forward_s(table, shapes, device)
    scores, passes = score_traffic_s(table, shapes, device), traffic_s(table, shapes, device)
    backward = np.where(device.unfused, UNFUSED_ATTENTION_PASSES, FUSED_ATTENTION_PASSES)
    full = (table.layouts.recompute == 2).astype(float)
    selective = (table.layouts.recompute == 1).astype(float)
    some = np.where(device.unfused, 0.0, selective * device.selective_products)
    core = full + np.where(device.unfused, selective, some)
    again = full + np.where(device.unfused, 0.0, selective * device.selective)
    weights = shapes.rank_layer_weights + shapes.rank_expert_weights
    sums = weights * device.accumulate_bytes / device.bytes_per_s
    launches = host.layer_s * (1.0 + (host.moe * device.mixture - 1.0) * shapes.moe_share)
    launches = launches * np.where(shapes.tp > 1.0, host.tensor_parallel, 1.0)
    return LayerTime(
        products_s=dense * (PRODUCT_PASSES + full + some),
        experts_s=experts * (PRODUCT_PASSES + full + some),
        attention_s=attention * (backward + core),
        traffic_s=scores * (1.0 + FORWARD_TRAFFIC * core)
        + passes * (1.0 + FORWARD_TRAFFIC * again)
        + sums,
        host_s=launches * (1.0 + FORWARD_LAUNCHES * (full + 0.5 * selective)),
        forward_s=dense + experts + attention + FORWARD_TRAFFIC * (scores + passes),
        weight_gradient_s=dense + experts + sums,
    )


def head_time(table: TrainingTable, shapes: Shapes, rates: Rates) -> HeadTime:
    """The vocabulary product in 16 bit, the loss over the logits, and the embedding."""
    device = rates.device
    vocab = table.vocab / shapes.tp
    h = table.hidden.astype(float)
    product = _product_s(shapes.tokens, vocab, h, device.wide)
    sums = h * vocab * device.accumulate_bytes / device.bytes_per_s
    rows = shapes.tokens * h * _HALF_BYTES
    return HeadTime(
        products_s=PRODUCT_PASSES * product + sums,
        loss_s=shapes.tokens * vocab * device.loss_bytes / device.bytes_per_s,
        embedding_s=6.0 * rows / device.bytes_per_s,
        weight_gradient_s=product + sums,
    )

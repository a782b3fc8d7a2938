"""Parameters and floating-point operations of a transformer, in three conventions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.workload.table import ATTENTIONS, TrainingTable

Floats = NDArray[np.float64]

#: Multi-head latent attention: ranks of the query and key-value bottlenecks, and the part
#: of a head that carries positions (DeepSeek-V2, arXiv 2405.04434, section 2.1; the
#: widths of DeepSeek-V3, arXiv 2412.19437, section 4.2).
MLA_QUERY_RANK = 1536.0
MLA_KEY_RANK = 512.0
MLA_ROPE_DIM = 64.0
MLA_VALUE_DIM = 128.0

_MLA = ATTENTIONS.index("mla")


@dataclass(frozen=True, slots=True)
class Parameters:
    """Numbers of weights; arrays of shape (n,) or (1,).

    `attention` and `dense_mlp` are of one layer, `expert` of one routed expert,
    `moe_fixed` of a mixture layer's router and shared experts; `embedding` is one matrix
    of vocabulary × hidden; `total` and `active` (those that a token meets) are of the
    whole model.
    """

    attention: Floats
    dense_mlp: Floats
    expert: Floats
    moe_fixed: Floats
    embedding: Floats
    moe_layers: Floats
    total: Floats
    active: Floats


def value_dim(table: TrainingTable) -> Floats:
    """Width of one head's values: smaller than its keys under latent attention."""
    return np.where(table.attention == _MLA, MLA_VALUE_DIM, table.head_dim)


def attention_products(table: TrainingTable) -> list[tuple[str, Floats, Floats, bool, bool]]:
    """The matrix products around attention as (name, k, n, k is split, n is split).

    Widths are of the whole layer; tensor parallelism splits the marked side. Unused
    products of a row have width 0.
    """
    h, d = table.hidden.astype(float), table.head_dim.astype(float)
    heads, kv = table.heads.astype(float), table.kv_heads.astype(float)
    latent = table.attention == _MLA
    zero: Floats = np.zeros_like(h)
    qkv = np.where(latent, zero, (heads + 2.0 * kv) * d)
    down = np.where(latent, MLA_QUERY_RANK + MLA_KEY_RANK + MLA_ROPE_DIM, zero)
    query_up = np.where(latent, heads * d, zero)
    key_up = np.where(latent, heads * (d - MLA_ROPE_DIM + MLA_VALUE_DIM), zero)
    products: list[tuple[str, Floats, Floats, bool, bool]] = [
        ("query, key and value", h, qkv, False, True),
        ("attention output", heads * value_dim(table), h, True, False),
    ]
    if np.any(latent):
        query_rank, key_rank = np.full(1, MLA_QUERY_RANK), np.full(1, MLA_KEY_RANK)
        products += [
            ("latent down", h, down, False, False),
            ("latent query up", query_rank, query_up, False, True),
            ("latent key and value up", key_rank, key_up, False, True),
        ]
    return products


def parameters(table: TrainingTable) -> Parameters:
    """Weights of every row's model; biases and norms are counted as two vectors of h."""
    h, f = table.hidden.astype(float), table.ffn_hidden.astype(float)
    mats, layers = table.mlp_matrices.astype(float), table.layers.astype(float)
    attention = (
        sum((k * n for _, k, n, _, _ in attention_products(table)), start=np.zeros(1)) + 4.0 * h
    )
    dense_mlp = mats * h * f
    expert = mats * h * table.moe_ffn_hidden
    moe_fixed = table.shared_experts * expert + h * table.experts
    mixture = table.experts > 0
    moe_layers = np.where(mixture, layers - table.dense_layers, 0.0)
    embedding = table.vocab * h
    positions = table.learned_positions * h
    outside = np.where(table.tied, 1.0, 2.0) * embedding + positions
    fixed = layers * attention + (layers - moe_layers) * dense_mlp + moe_layers * moe_fixed
    return Parameters(
        attention=attention,
        dense_mlp=dense_mlp,
        expert=expert,
        moe_fixed=moe_fixed,
        embedding=embedding,
        moe_layers=moe_layers,
        total=fixed + moe_layers * table.experts * expert + outside,
        active=fixed + moe_layers * table.experts_per_token * expert + outside,
    )


def attention_span(table: TrainingTable) -> Floats:
    """Mean number of keys that a causal query meets, counting the mask's half."""
    s, w = table.seq_len.astype(float), table.window.astype(float)
    reach = np.where(w > 0.0, np.minimum(w, s), s)
    return reach * (1.0 - reach / (2.0 * s))


@dataclass(frozen=True, slots=True)
class StepFlops:
    """FLOPs of one iteration over all accelerators; arrays of shape (n,).

    `causal` and `full` are model FLOPs (recomputation not counted) with the attention
    mask's empty half left out or counted; `hardware` adds what recomputation repeats.
    """

    causal: Floats
    full: Floats
    hardware: Floats


def step_flops(table: TrainingTable, weights: Parameters) -> StepFlops:
    """6 FLOPs per active weight and token, plus attention's 6·(d_k + d_v)·heads·span.

    The input embedding is a look-up and multiplies nothing; the head counts even where
    it is tied. Convention of Narayanan et al. 2021 (arXiv 2104.04473), appendix, and of
    Chowdhery et al. 2022 (PaLM, arXiv 2204.02311), appendix B.
    """
    tokens = table.global_batch * table.seq_len.astype(float)
    looked_up = np.where(table.tied, 1.0, 2.0) * weights.embedding
    matrix = weights.active - looked_up - table.learned_positions * table.hidden
    width = table.heads * (table.head_dim + value_dim(table))
    scores = 2.0 * table.layers * width
    head = 6.0 * weights.embedding
    half, whole = (
        attention_span(table),
        np.minimum(table.seq_len, np.where(table.window > 0, table.window, table.seq_len)),
    )
    causal = tokens * (6.0 * matrix + head + 3.0 * scores * half)
    full = tokens * (6.0 * matrix + head + 3.0 * scores * whole)
    recompute = table.layouts.recompute
    again = np.where(
        recompute == 2, 2.0 * matrix + scores * half, np.where(recompute == 1, scores * half, 0.0)
    )
    shape = (table.count,)
    return StepFlops(
        causal=np.broadcast_to(causal, shape).astype(float),
        full=np.broadcast_to(full, shape).astype(float),
        hardware=np.broadcast_to(causal + tokens * again, shape).astype(float),
    )

"""Sizes that one rank works on in one micro-batch, derived from a table once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.cost.flops import Parameters, parameters
from dcsim.workload.table import TrainingTable

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shapes:
    """Arrays of shape (n,) or (1,).

    `tokens` of one micro-batch on one rank before tensor parallelism; `split` divides
    what sequence parallelism spreads; `micro_batches` of one iteration on one pipeline;
    `stage_layers` on the fullest middle stage and `mean_layers` on average; `experts` on
    one rank and `routed` tokens that they work on together.
    """

    tokens: Floats
    tp: Floats
    split: Floats
    pp: Floats
    vp: Floats
    dp: Floats
    cp: Floats
    ep: Floats
    micro_batches: Floats
    stage_layers: Floats
    mean_layers: Floats
    moe_share: Floats
    local_experts: Floats
    routed: Floats
    weights: Parameters
    rank_layer_weights: Floats
    rank_expert_weights: Floats


def shapes_of(table: TrainingTable, interleaved: NDArray[np.bool_]) -> Shapes:
    """Derive the sizes; `interleaved` rows may count embedding and head as layers."""
    lay = table.layouts
    tp, pp, vp = lay.tp.astype(float), lay.pp.astype(float), lay.vp.astype(float)
    dp, cp, ep = lay.dp.astype(float), lay.cp.astype(float), lay.ep.astype(float)
    micro = lay.micro_batch.astype(float)
    tokens = micro * table.seq_len / cp
    layers = table.layers.astype(float)
    weights = parameters(table)
    moe_share = weights.moe_layers / layers
    experts = np.maximum(table.experts.astype(float), 1.0)
    routed = tokens / tp * table.experts_per_token
    fixed = (
        weights.attention + (1.0 - moe_share) * weights.dense_mlp + moe_share * weights.moe_fixed
    )
    return Shapes(
        tokens=tokens,
        tp=tp,
        split=np.where(lay.sequence_parallel, tp, 1.0),
        pp=pp,
        vp=vp,
        dp=dp,
        cp=cp,
        ep=ep,
        micro_batches=np.maximum(np.round(table.global_batch / (dp * micro)), 1.0),
        stage_layers=_stage_layers(layers, pp, vp, interleaved),
        mean_layers=layers / pp,
        moe_share=moe_share,
        local_experts=experts / ep,
        routed=routed,
        weights=weights,
        rank_layer_weights=fixed / tp,
        rank_expert_weights=moe_share * weights.expert * experts / ep,
    )


def _stage_layers(layers: Floats, pp: Floats, vp: Floats, interleaved: NDArray[np.bool_]) -> Floats:
    """Layers of the fullest stage.

    Where the layers do not divide and the software lets embedding and head stand for a
    layer each, the stages hold (layers + 2) / pp; otherwise chunks are filled evenly and
    the fullest stage has ceil(layers / (pp·vp)) in each chunk that got one more.
    """
    chunks = pp * vp
    even = np.mod(layers, chunks) == 0
    counted = interleaved & (np.mod(layers + 2.0, chunks) == 0)
    return np.where(even, layers / pp, np.where(counted, (layers + 2.0) / pp, np.ceil(layers / pp)))

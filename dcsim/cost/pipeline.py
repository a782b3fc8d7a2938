"""Micro-batches through pipeline stages: pace of the slowest stage, bubble, hand-over."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.cost.layer import HeadTime, LayerTime
from dcsim.cost.operators import smooth_max
from dcsim.cost.rates import Rates
from dcsim.cost.shapes import Shapes

Floats = NDArray[np.float64]

#: Weight-gradient times that each of `SCHEDULES` takes out of the bubble of one stage.
DEFERRED: tuple[float, ...] = (0.0, 2.0, 3.0)


@dataclass(frozen=True, slots=True)
class PipelineTime:
    """Seconds of one iteration's passes; arrays of shape (n,).

    `mean_s` is one micro-batch on the mean stage, `slowest_s` on the slowest; `bubble_s`
    is all waiting of the mean stage: for the slowest one, for the pipeline to fill and
    drain, and for hand-overs. `host_s` is what launches add to the device's time.
    """

    mean_s: Floats
    slowest_s: Floats
    bubble_s: Floats
    host_s: Floats


def pipeline_time(
    shapes: Shapes,
    layers: Floats,
    layer: LayerTime,
    exchange_s: Floats,
    head: HeadTime,
    hand_over_s: Floats,
    deferred: Floats,
    rates: Rates,
) -> PipelineTime:
    """Time of `micro_batches` under 1F1B with `vp` chunks a rank.

    T = m · t_slowest + (p − 1)/v · t_fill + hand-overs (Narayanan et al. 2021, arXiv
    2104.04473, section 2.2, with unequal stages). t_fill is the mean stage's forward and
    backward time; a zero-bubble schedule does weight gradients while it would wait, and
    t_fill = F + B + W − `deferred` · W (Qi et al. 2023, arXiv 2401.10241, table 2: 2 for
    ZB-H1, 3 for ZB-H2, never below zero). A stage takes the smooth maximum of its
    device time (exposed exchanges of `exchange_s` a layer included) and of the time that
    the host needs to launch it.
    """
    p, v, m = shapes.pp, shapes.vp, shapes.micro_batches
    each = layer.device_s + exchange_s
    last_s = head.products_s + head.loss_s
    host, sharpness = layer.host_s, rates.host.sharpness
    mean_device = shapes.mean_layers * each + (last_s + head.embedding_s) / p
    mean_host = (shapes.mean_layers + 1.0 / p) * host
    mean_s = smooth_max(mean_device, mean_host, sharpness)
    last_layers = np.clip(layers - (p - 1.0) * shapes.stage_layers, 0.0, shapes.stage_layers)
    middle_s = smooth_max(shapes.stage_layers * each, shapes.stage_layers * host, sharpness)
    end_s = smooth_max(last_layers * each + last_s, (last_layers + 1.0) * host, sharpness)
    slowest_s = np.where(p > 1.0, np.maximum(np.maximum(middle_s, end_s), mean_s), mean_s)
    later_s = deferred * (shapes.mean_layers * layer.weight_gradient_s + head.weight_gradient_s / p)
    fill_s = rates.network.bubble * (p - 1.0) / v * np.maximum(mean_s - later_s, 0.0)
    moves_s = 2.0 * (m * v + (p - 1.0)) * hand_over_s
    return PipelineTime(
        mean_s=mean_s,
        slowest_s=slowest_s,
        bubble_s=m * (slowest_s - mean_s) + fill_s + moves_s,
        host_s=mean_s - mean_device,
    )

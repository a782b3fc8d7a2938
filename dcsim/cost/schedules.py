"""When each pass of a pipeline runs, pass by pass: the exact form of the closed one."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def one_f_one_b(
    forward_s: ArrayLike, backward_s: ArrayLike, micro_batches: int, hand_over_s: float = 0.0
) -> float:
    """Seconds until the last of `micro_batches` has passed all stages both ways under 1F1B.

    `forward_s` and `backward_s` (stages,) are one micro-batch's passes on each stage,
    `hand_over_s` the time between neighbours. Stage r of p takes p − 1 − r forward passes
    first, then a forward and a backward pass in turn (Narayanan et al. 2021, arXiv 2104.04473,
    figure 4). With equal stages and no hand-over this is (m + p − 1)(f + b), their section 2.2.
    """
    forward, backward = np.asarray(forward_s, float), np.asarray(backward_s, float)
    stages = forward.size
    orders = [_order(stages - 1 - stage, micro_batches) for stage in range(stages)]
    done: dict[tuple[str, int, int], float] = {}
    free_s, position = np.zeros(stages), [0] * stages
    while any(position[stage] < len(orders[stage]) for stage in range(stages)):
        for stage in range(stages):
            while position[stage] < len(orders[stage]):
                kind, micro = orders[stage][position[stage]]
                ready_s = _ready(done, kind, micro, stage, stages, hand_over_s)
                if ready_s is None:
                    break
                length_s = forward[stage] if kind == "forward" else backward[stage]
                free_s[stage] = max(free_s[stage], ready_s) + length_s
                done[kind, micro, stage] = float(free_s[stage])
                position[stage] += 1
    return float(free_s.max())


def _order(ahead: int, micro_batches: int) -> list[tuple[str, int]]:
    """The passes of a stage that runs `ahead` forward passes first."""
    ahead = min(ahead, micro_batches)
    order = []
    for i in range(micro_batches + ahead):
        if i < micro_batches:
            order.append(("forward", i))
        if i >= ahead:
            order.append(("backward", i - ahead))
    return order


def _ready(
    done: dict[tuple[str, int, int], float],
    kind: str,
    micro: int,
    stage: int,
    stages: int,
    hand_over_s: float,
) -> float | None:
    """When what a pass needs is there; None while that is not known."""
    if kind == "forward":
        needed = (kind, micro, stage - 1)
        return 0.0 if stage == 0 else _later(done.get(needed), hand_over_s)
    if stage == stages - 1:
        return done["forward", micro, stage]
    return _later(done.get((kind, micro, stage + 1)), hand_over_s)


def _later(time_s: float | None, by_s: float) -> float | None:
    return None if time_s is None else time_s + by_s

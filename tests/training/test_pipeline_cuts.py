"""Cuts of a pipeline: as balanced as any, and shares that make up the whole."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from dcsim.training.model import Model
from dcsim.training.models import build_mlp, build_transformer
from dcsim.training.parallel import as_it_is, tensor_share
from dcsim.training.pipeline import _layer_flop, stage_cuts, stage_share

MODELS = {
    "mlp": build_mlp((30, 40, 5, 60, 20, 3), seed=1),
    "transformer": build_transformer(20, context=6, width=8, heads=4, depth=5, hidden=12),
}


def heaviest(work: np.ndarray, cuts: tuple[int, ...]) -> float:
    return max(part.sum() for part in np.split(work, cuts))


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("stages", [2, 3, 4])
def test_cuts_are_as_balanced_as_any(model: Model, stages: int) -> None:
    work = np.array(_layer_flop(model))
    every = combinations(range(1, len(work)), stages - 1)
    least = min(heaviest(work, cuts) for cuts in every)
    assert heaviest(work, stage_cuts(model, stages)) == pytest.approx(least)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_each_value_is_handed_in_by_one_rank(model: Model) -> None:
    cuts = stage_cuts(model, 3)
    stages = [stage_share(model, cuts, stage) for stage in range(3)]
    tensors = [tensor_share(model, rank, 3, as_it_is) for rank in range(3)]
    for shares in (stages, tensors):
        handed_in = np.concatenate([share.index[share.mine] for share in shares])
        np.testing.assert_array_equal(np.sort(handed_in), np.arange(model.parameter_count))

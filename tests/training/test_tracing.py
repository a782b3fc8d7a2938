"""The recorded calls are those that NumPy really gets, and count what theory says."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from dcsim.records import OPERATOR_KINDS, PHASES, OperatorCall
from dcsim.training.layers import Dense, Dropout, Embedding
from dcsim.training.model import Model
from dcsim.training.models import (
    build_cnn,
    build_encoder,
    build_mlp,
    build_recommender,
    build_transformer,
)

MODELS = {
    "relu": lambda: build_mlp((7, 11, 5, 3)),
    "tanh-binary-momentum": lambda: build_mlp(
        (4, 6, 1), activation="tanh", loss="binary", optimiser="momentum", layer_norm=True
    ),
    "gelu-mse-sgd": lambda: build_mlp(
        (4, 6, 2), activation="gelu", loss="mse", optimiser="sgd", weight_decay=0.1
    ),
    "sigmoid-dropout": lambda: build_mlp(
        (4, 6, 2), activation="sigmoid", dropout=0.3, dtype="float32"
    ),
    "transformer": lambda: build_transformer(
        13, context=5, width=8, heads=2, depth=2, dropout=0.1, weight_decay=0.1
    ),
    "cnn": lambda: build_cnn((8, 4, 2), (3, 5), (6,), 4, dropout=0.2, weight_decay=0.1),
    "encoder": lambda: build_encoder(
        13, 4, context=5, width=8, heads=2, depth=1, dropout=0.1, optimiser="momentum"
    ),
    "recommender": lambda: build_recommender(
        11, history=4, width=6, hidden=(5,), dropout=0.1, dtype="float64"
    ),
}
BATCH = 6


class Watched(np.ndarray):
    """An ndarray that computes as usual and keeps a list of the ufuncs it was given."""

    calls: list[tuple[str, int]] = []  # noqa: RUF012 - cleared before each use

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        plain = [np.asarray(item) if isinstance(item, Watched) else item for item in inputs]
        if out is not None:
            options["out"] = tuple(np.asarray(item) for item in out)
        result = getattr(ufunc, method)(*plain, **options)
        if method == "__call__":
            Watched.calls.append((ufunc.__name__, np.size(result)))
            return out[0] if out is not None else np.asarray(result).view(Watched)
        return result if result is None or np.ndim(result) == 0 else result.view(Watched)


class WatchedGenerator:
    """A generator whose draws are watched."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def random(self, shape, dtype):
        return self.rng.random(shape, dtype).view(Watched)


def really_called(model: Model) -> Counter:
    """Names and result sizes of the ufuncs of one real step, reductions left out."""
    for p in model.network.parameters():
        p.value, p.grad = p.value.view(Watched), p.grad.view(Watched)
    for layer in model.network.walk():
        if isinstance(layer, Dropout):
            layer.rng = WatchedGenerator()
    model.value, model.grad = model.value.view(Watched), model.grad.view(Watched)
    model.optimiser.state = {k: v.view(Watched) for k, v in model.optimiser.state.items()}
    model.optimiser.decays = model.optimiser.decays.view(Watched)
    x, t = model.random_batch(BATCH, np.random.default_rng(0))
    Watched.calls.clear()
    model.step(x.view(Watched), t.view(Watched))
    return Counter(Watched.calls)


@pytest.mark.parametrize("name", MODELS)
def test_recorded_ufuncs_are_those_of_a_real_step(name: str) -> None:
    model = MODELS[name]()
    ufuncs = ("gemm", "batched_gemm", "elementwise", "transcendental")
    recorded: Counter = Counter()
    for call in model.operators(BATCH):
        if call.kind in ufuncs:
            size = call.batch * call.m * call.n if "gemm" in call.kind else call.n
            recorded[(call.function, size)] += call.count
    real = really_called(model)
    # Inside np.mean NumPy divides an array of sums by their count: part of the call "mean".
    means: Counter = Counter()
    for call in model.operators(BATCH):
        if call.function == "mean" and call.n > 1:
            means[("divide", call.n)] += call.count
    assert real == recorded + means


@pytest.mark.parametrize("name", MODELS)
def test_recording_leaves_the_model_as_it_was(name: str) -> None:
    model, untouched = MODELS[name](), MODELS[name]()
    x, t = model.random_batch(BATCH, np.random.default_rng(0))
    model.operators(BATCH)
    assert model.step(x, t) == untouched.step(x, t)
    assert model.value.tobytes() == untouched.value.tobytes()


@pytest.mark.parametrize("name", MODELS)
def test_calls_are_well_formed(name: str) -> None:
    calls = MODELS[name]().operators(BATCH)
    assert {call.kind for call in calls} <= set(OPERATOR_KINDS)
    assert {call.phase for call in calls} == set(PHASES)
    assert len({(c.kind, c.function, c.phase, c.m, c.n, c.k, c.layout) for c in calls}) > 10
    for call in calls:
        assert call.count >= 1
        assert call.bytes >= 0
        assert OperatorCall.from_json(call.to_json()) == call


def test_matrix_products_of_a_perceptron_in_closed_form() -> None:
    sizes, batch = (30, 128, 64, 1), 32
    calls = build_mlp(sizes, loss="binary").operators(batch)
    products = sum(c.flop * c.count for c in calls if c.kind == "gemm")
    weights = sum(a * b for a, b in pairwise(sizes))
    assert products == 3 * 2 * batch * weights  # forward, weights' and inputs' gradient


def test_matrix_products_of_a_transformer_in_closed_form() -> None:
    b, t, d, v, layers = 3, 10, 16, 29, 2
    calls = build_transformer(v, context=t, width=d, heads=4, depth=layers).operators(b)
    dense = sum(c.flop * c.count for c in calls if c.kind == "gemm")
    attention = sum(c.flop * c.count for c in calls if c.kind == "batched_gemm")
    assert dense == 3 * 2 * b * t * (layers * 12 * d * d + d * v)
    assert attention == 3 * 2 * 2 * b * t * t * d * layers


def test_the_update_touches_every_parameter() -> None:
    model = build_mlp((7, 11, 3))
    update = [c for c in model.operators(4) if c.phase == "update" and c.kind != "call"]
    assert {c.n for c in update} == {model.parameter_count}
    assert sum(c.count for c in update) == 12


def test_single_layers() -> None:
    rng = np.random.default_rng(0)
    (forward,) = [c for c in Dense(4, 3, rng).operators((5, 4)) if c.layout == "nn"]
    assert (forward.m, forward.n, forward.k, forward.phase) == (5, 3, 4, "forward")
    assert forward.bytes == 8 * (5 * 4 + 4 * 3 + 5 * 3)
    kinds = Counter(c.kind for c in Embedding(9, 4, rng).operators((2, 3), np.int64))
    assert kinds["gather"] == kinds["scatter"] == 1
    assert any(c.kind == "random" for c in Dropout(0.5, rng).operators((2, 3)))

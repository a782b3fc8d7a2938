"""What predictions rest on: the sums that integrated gradients keep, and columns that matter."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dcsim.execution.pictures import interpretation_picture
from dcsim.training.activations import Tanh
from dcsim.training.attention import transformer_block
from dcsim.training.base import Array
from dcsim.training.data import Dataset, Part, table_dataset
from dcsim.training.interpret import integrated_gradients, interpret, permutation_importance
from dcsim.training.jobs import build_model, job, load_data
from dcsim.training.layers import Dense, Dropout
from dcsim.training.loop import Schedule, Trainer
from dcsim.training.models import build_mlp, build_recommender


def _forward(layers: list, x: Array) -> Array:
    for layer in layers:
        x = layer.forward(x, training=False)
    return x


def test_shares_of_a_linear_network_are_its_products() -> None:
    rng = np.random.default_rng(0)
    layer, x = Dense(4, 3, rng), rng.normal(size=(2, 4))
    picked = np.zeros((2, 3))
    picked[:, 1] = 1.0
    np.testing.assert_allclose(
        integrated_gradients([layer], x, picked, points=1), x * layer.w.value[:, 1]
    )


def test_shares_sum_to_the_difference_from_the_baseline() -> None:
    rng = np.random.default_rng(1)
    block = transformer_block(4, 2, rng, context=3, dropout=0.5, causal=False)
    layers = [Dense(5, 4, rng), Tanh(), Dropout(0.5, rng), block, Dense(4, 2, rng)]
    x = rng.normal(size=(2, 3, 5))
    picked = rng.normal(size=(2, 3, 2))
    shares = integrated_gradients(layers, x, picked, points=400)
    whole = np.sum(picked * (_forward(layers, x) - _forward(layers, np.zeros_like(x))))
    assert shares.sum() == pytest.approx(whole, rel=1e-3)


def test_only_the_column_that_decides_is_important() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 4))
    data = table_dataset("made", "generated", x, x[:, 2] > 0, dtype=np.float64)
    model = build_mlp((4, 8, 1), loss="binary", rate=0.01)
    Trainer(model, data, Schedule(epochs=10, batch_size=32, seed=0)).run()
    before = model.value.copy()
    rise = permutation_importance(model, data.test.x, data.test.t, rng).mean(axis=1)
    assert np.argmax(rise) == 2
    assert rise[2] > 10 * np.abs(np.delete(rise, 2)).max()
    np.testing.assert_array_equal(model.value, before)
    assert interpret(model, data)["labels"][0] == "column 3"


def test_shares_of_a_history_sum_to_those_of_its_mean() -> None:
    rng = np.random.default_rng(3)
    model = build_recommender(5, history=2, width=4, hidden=(6,), dtype="float64")
    x, t = np.tile([[1, 2], [3, 0]], (10, 1)), np.tile([4, 2], 10)
    part = Part(x, t)
    names = ("", "a", "b", "c", "d")
    data = Dataset("made", "", "ranking", (part,) * 3, 5, 5, names, tokens=names)
    model.value += rng.normal(0.0, 0.3, model.value.shape)
    found = interpret(model, data)
    shares = dict(zip(found["labels"], found["values"], strict=True))
    assert set(shares) == {"a → d", "b → d", "c → b"}
    bag, *rest = model.network.children()
    mean = bag.forward(x[:1])
    picked = np.zeros((1, 5))
    picked[0, 4] = 1.0
    whole = integrated_gradients(rest, mean, picked).sum()
    assert shares["a → d"] + shares["b → d"] == pytest.approx(whole)


@pytest.mark.parametrize(
    ("name", "smaller", "kind", "entries"),
    [
        ("medical-classifier", {}, "bars", 12),
        ("digits-cnn", {"channels": "2"}, "maps", 10),
        ("text-classifier", {"width": 8, "heads": 1, "hidden": 8}, "groups", 6),
        ("char-transformer", {"width": 8, "heads": 1, "context": 16}, "curve", 16),
    ],
)
def test_every_kind_of_job_says_what_it_rests_on(
    name: str, smaller: dict, kind: str, entries: int
) -> None:
    chosen = job(name, **smaller)
    data = load_data(chosen)
    found = interpret(build_model(chosen, data), data)
    assert found["kind"] == kind
    assert len(found["values"]) == entries
    assert kind != "groups" or all(found["labels"])
    assert json.loads(json.dumps(found)) == found
    picture = interpretation_picture(found)
    assert picture.startswith(b"<?xml")
    assert interpretation_picture(found) == picture


def test_one_sample_by_hand_rests_on_nothing() -> None:
    chosen = job("golden-3-4-2")
    data = load_data(chosen)
    assert interpret(build_model(chosen, data), data) == {}

"""DP-SGD: gradients of single examples, clipping, noise, and plain SGD as the special case."""

from dataclasses import replace

import numpy as np
import pytest

from dcsim.training.base import Layer, Parameter
from dcsim.training.example_gradients import example_gradients
from dcsim.training.jobs import build_model, job, load_data
from dcsim.training.layers import Sequential
from dcsim.training.loop import Trainer
from dcsim.training.private import Privacy, PrivateTrainer, clipping_factors

SMALL = {
    "mlp-3-5-2": {"hidden": "5"},
    "medical-classifier": {"hidden": "6-4"},
    "char-transformer": {"context": 6, "width": 8, "heads": 2, "depth": 1, "hidden": "8"},
    "text-classifier": {"context": 6, "width": 8, "heads": 2, "depth": 1, "hidden": "8"},
    "digits-cnn": {"channels": "3-4", "hidden": "5"},
    "recommender": {"width": 6, "hidden": "5"},
}


def small(name: str):
    shape = {"dropout": 0.0} if "dropout" in job(name).parameters() else {}
    chosen = job(name, dtype="float64", **SMALL[name], **shape)
    data = load_data(chosen)
    return chosen, data, build_model(chosen, data)


@pytest.mark.parametrize("name", SMALL)
def test_gradients_of_examples_are_those_of_batches_of_one(name: str) -> None:
    _, data, model = small(name)
    x, t = data.train.x[:7], data.train.t[:7]
    each = np.empty((len(x), model.parameter_count))
    loss = example_gradients(model, x, t, each)
    for i in range(len(x)):
        model.gradient(x[i : i + 1], t[i : i + 1])
        np.testing.assert_allclose(each[i], model.grad, rtol=1e-9, atol=1e-13)
    assert loss == pytest.approx(model.gradient(x, t), rel=1e-12)
    np.testing.assert_allclose(each.mean(axis=0), model.grad, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", ["mlp-3-5-2", "medical-classifier"])
def test_no_noise_and_no_clipping_is_plain_sgd(name: str) -> None:
    chosen, data, _ = small(name)
    chosen = replace(chosen, optimiser="sgd", rate=0.05, epochs=3)
    plain = Trainer(build_model(chosen, data), data, chosen.schedule())
    none = Privacy(noise=0.0, clip=np.inf, poisson=False)
    private = PrivateTrainer(build_model(chosen, data), data, chosen.schedule(), none)
    plain.run()
    private.run()
    assert len(private.history.losses) == len(plain.history.losses)
    np.testing.assert_allclose(private.model.value, plain.model.value, rtol=0, atol=1e-12)
    np.testing.assert_allclose(private.history.losses, plain.history.losses, rtol=0, atol=1e-12)


def test_no_example_moves_the_sum_by_more_than_the_clip() -> None:
    _, data, model = small("mlp-3-5-2")
    each = np.empty((200, model.parameter_count))
    example_gradients(model, data.train.x[:200], data.train.t[:200], each)
    clip = float(np.median(np.linalg.norm(each, axis=1)))
    factors = clipping_factors(each, clip)
    norms = np.linalg.norm(factors[:, None] * each, axis=1)
    assert np.all(norms <= clip * (1 + 1e-12))
    assert np.sum(factors == 1.0) == 100
    assert np.all(clipping_factors(np.zeros((3, 4)), 1.0) == 1.0)


def test_parts_of_a_batch_sum_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, data, _ = small("mlp-3-5-2")
    runs = []
    for most in (2**26, 5 * 8 * 40):
        monkeypatch.setattr("dcsim.training.private.MOST_BYTES", most)
        model = build_model(chosen, data)
        trainer = PrivateTrainer(model, data, chosen.schedule(), Privacy(1.0, 0.1))
        trainer.run()
        runs.append(model.value)
    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-9, atol=1e-12)


def test_noise_and_samples_are_those_that_the_accountant_assumes() -> None:
    chosen, data, _ = small("mlp-3-5-2")
    chosen = replace(chosen, optimiser="sgd", rate=1.0, epochs=10, batch_size=64)
    model, clip, noise = build_model(chosen, data), 1e-9, 1e4  # next to nothing but noise
    trainer = PrivateTrainer(model, data, chosen.schedule(), Privacy(noise, clip))
    before, steps, sizes = model.value.copy(), [], []
    for epoch, rows, _ in trainer._remaining():
        sizes.append(len(rows))
        trainer._step(epoch, rows)
        steps.append(model.value - before)
        before = model.value.copy()
    expected = noise * clip / 64
    assert np.std(steps) == pytest.approx(expected, rel=0.05)
    n = len(data.train)
    assert np.mean(sizes) == pytest.approx(64, abs=4 * np.sqrt(64 / len(sizes)))
    assert np.std(sizes) == pytest.approx(np.sqrt(64 * (1 - 64 / n)), rel=0.25)


def test_a_private_run_goes_on_bit_for_bit() -> None:
    chosen, data, model = small("mlp-3-5-2")
    chosen = replace(chosen, epochs=3)
    whole = PrivateTrainer(model, data, chosen.schedule(), Privacy(1.0, 0.5))
    whole.run()
    half = PrivateTrainer(
        build_model(chosen, data), data, replace(chosen, epochs=1).schedule(), Privacy(1.0, 0.5)
    )
    half.run()
    rest = PrivateTrainer(build_model(chosen, data), data, chosen.schedule(), Privacy(1.0, 0.5))
    rest.load(half.state())
    rest.run()
    assert rest.history.losses == whole.history.losses
    assert np.array_equal(rest.model.value, whole.model.value)


def test_a_layer_without_a_rule_is_refused_and_the_network_is_left_as_it_was() -> None:
    class Scale(Layer):
        def __init__(self) -> None:
            self.factor = Parameter(np.ones(2))

        def forward(self, x, *, training=True):
            return x * self.factor.value

        def backward(self, dy):
            return dy * self.factor.value

    _, data, model = small("mlp-3-5-2")
    x, t = data.train.x[:4], data.train.t[:4]
    example_gradients(model, x, t, np.empty((4, model.parameter_count)))
    assert not any("backward" in vars(layer) for layer in model.network.walk())
    model.network = Sequential(model.network, Scale())
    with pytest.raises(TypeError, match="not known for Scale"):
        example_gradients(model, x, t, np.empty((4, model.parameter_count + 2)))
    assert not any("backward" in vars(layer) for layer in model.network.walk())

"""Every backward pass against central finite differences and against `autograd`."""

from __future__ import annotations

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.training.activations import GELU, ReLU, Sigmoid, Softmax, Tanh
from dcsim.training.attention import SelfAttention, transformer_block
from dcsim.training.base import Array, Layer
from dcsim.training.convolution import AvgPool2d, Conv2d, MaxPool2d
from dcsim.training.layers import (
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    Positions,
    Residual,
    Sequential,
)
from dcsim.training.losses import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Loss,
    MeanSquaredError,
)
from dcsim.training.pooling import EmbeddingBag, MeanPlaces

STEP = 1e-6


def numeric_gradient(function, x: Array) -> Array:
    """df/dx by central differences; `function` reads x in place."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + STEP
        above = function()
        x[index] = kept - STEP
        below = function()
        x[index] = kept
        gradient[index] = (above - below) / (2 * STEP)
    return gradient


def check_layer(layer: Layer, x: Array, rng: np.random.Generator) -> None:
    """Compare all gradients of Σ dy · layer(x) with finite differences."""
    for p in layer.parameters():
        p.value[...] = rng.normal(0.0, 0.7, p.value.shape)
    dy = rng.normal(size=layer.forward(x).shape)
    dx = layer.backward(dy)
    grads = [p.grad.copy() for p in layer.parameters()]

    def objective() -> float:
        return float(np.sum(dy * layer.forward(x)))

    for p, grad in zip(layer.parameters(), grads, strict=True):
        np.testing.assert_allclose(grad, numeric_gradient(objective, p.value), rtol=1e-6, atol=1e-7)
    if x.dtype.kind == "f":
        np.testing.assert_allclose(dx, numeric_gradient(objective, x), rtol=1e-6, atol=1e-7)


sizes = st.integers(1, 4)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=15, deadline=None)
@given(batch=sizes, n_in=sizes, n_out=sizes, places=st.one_of(st.none(), sizes), seed=seeds)
def test_dense(batch: int, n_in: int, n_out: int, places: int | None, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (batch, n_in) if places is None else (batch, places, n_in)
    check_layer(Dense(n_in, n_out, rng), rng.normal(size=shape), rng)


@pytest.mark.parametrize("layer", [ReLU, Tanh, Sigmoid, GELU, Softmax])
@settings(max_examples=10, deadline=None)
@given(batch=sizes, width=sizes, seed=seeds)
def test_activations(layer: type[Layer], batch: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(batch, width))
    x[np.abs(x) < 1e-3] = 0.5  # differences straddle the kink of ReLU otherwise
    check_layer(layer(), x, rng)


@settings(max_examples=10, deadline=None)
@given(batch=sizes, places=sizes, width=st.integers(2, 5), seed=seeds)
def test_layer_norm(batch: int, places: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Far from a constant row, where 1/sqrt(var) bends too sharply for differences.
    x = rng.normal(size=(batch, places, width)) + 3.0 * np.arange(width)
    check_layer(LayerNorm(width), x, rng)


@settings(max_examples=10, deadline=None)
@given(batch=sizes, places=sizes, vocabulary=sizes, width=sizes, seed=seeds)
def test_embedding_and_positions(
    batch: int, places: int, vocabulary: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, vocabulary, (batch, places))
    layers = Embedding(vocabulary, width, rng), Positions(places + 1, width, rng)
    check_layer(Sequential(*layers), ids, rng)


@settings(max_examples=8, deadline=None)
@given(batch=st.integers(1, 2), places=sizes, heads=st.integers(1, 3), seed=seeds)
def test_attention(batch: int, places: int, heads: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    width = 2 * heads
    layer = SelfAttention(width, heads, rng, context=places + 1)
    check_layer(layer, rng.normal(size=(batch, places, width)), rng)


def test_transformer_block() -> None:
    rng = np.random.default_rng(3)
    block = transformer_block(4, 2, rng, context=3, hidden=5)
    check_layer(block, rng.normal(size=(2, 3, 4)), rng)


def test_flatten_and_residual() -> None:
    rng = np.random.default_rng(4)
    check_layer(Residual(Dense(3, 3, rng)), rng.normal(size=(2, 3)), rng)
    check_layer(Sequential(Flatten(), Dense(6, 2, rng)), rng.normal(size=(2, 2, 3)), rng)


@settings(max_examples=8, deadline=None)
@given(
    batch=st.integers(1, 2),
    height=sizes,
    width=sizes,
    n_in=st.integers(1, 3),
    n_out=st.integers(1, 3),
    size=st.sampled_from([1, 3, 5]),
    seed=seeds,
)
def test_convolution(
    batch: int, height: int, width: int, n_in: int, n_out: int, size: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    layer = Conv2d(n_in, n_out, rng, size=size)
    check_layer(layer, rng.normal(size=(batch, height, width, n_in)), rng)


@pytest.mark.parametrize("pool", [MaxPool2d, AvgPool2d])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_pooling(pool, size: int) -> None:
    rng = np.random.default_rng(size)
    # Distinct values far apart: differences must not change which element is the largest.
    x = rng.permutation(2 * 36 * 3).reshape(2, 6, 6, 3) / 10.0
    check_layer(pool(size), x, rng)


def test_the_largest_of_equals_share_the_gradient() -> None:
    layer, x = MaxPool2d(2), np.zeros((1, 2, 2, 1))
    x[0, 0, 0] = -1.0
    layer.forward(x)
    dx = layer.backward(np.ones((1, 1, 1, 1)))
    np.testing.assert_allclose(dx[0, :, :, 0], [[0.0, 1 / 3], [1 / 3, 1 / 3]])


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not tile 3 × 4"):
        MaxPool2d(2).forward(np.zeros((1, 3, 4, 1)))
    with pytest.raises(ValueError, match="must be odd"):
        Conv2d(1, 1, np.random.default_rng(0), size=2)


@settings(max_examples=10, deadline=None)
@given(batch=sizes, places=sizes, vocabulary=sizes, width=sizes, seed=seeds)
def test_mean_of_a_set_and_of_places(
    batch: int, places: int, vocabulary: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, vocabulary + 1, (batch, places))  # some are 0: no item
    check_layer(EmbeddingBag(vocabulary + 1, width, rng), ids, rng)
    check_layer(MeanPlaces(), rng.normal(size=(batch, places, width)), rng)


def test_an_empty_set_is_zero_and_padding_counts_for_nothing() -> None:
    layer = EmbeddingBag(4, 3, np.random.default_rng(0))
    y = layer.forward(np.array([[0, 0, 0], [2, 0, 3], [2, 3, 0]]))
    np.testing.assert_array_equal(y[0], 0.0)
    np.testing.assert_allclose(y[1], layer.table.value[2:4].mean(axis=0))
    np.testing.assert_allclose(y[2], y[1])


def test_attention_without_a_mask_sees_what_follows() -> None:
    rng = np.random.default_rng(8)
    layer = SelfAttention(4, 2, rng, context=3, causal=False)
    x = rng.normal(size=(2, 3, 4))
    check_layer(layer, x, rng)
    before = layer.forward(x)[:, 0].copy()
    x[:, 2] += 1.0
    assert np.abs(layer.forward(x)[:, 0] - before).min() > 1e-6


def test_dropout_passes_gradients_only_where_it_passed_values() -> None:
    rng = np.random.default_rng(5)
    layer, x = Dropout(0.4, rng), np.ones((50, 40))
    y = layer.forward(x)
    assert set(np.unique(y)) == {0.0, 1.0 / 0.6}
    assert abs(y.mean() - 1.0) < 0.05
    np.testing.assert_array_equal(layer.backward(x), y)
    np.testing.assert_array_equal(layer.forward(x, training=False), x)
    np.testing.assert_array_equal(layer.backward(x), x)


def _check_loss(loss: Loss, z: Array, t: Array) -> None:
    loss.forward(z, t)
    dz = loss.backward().copy()
    numeric = numeric_gradient(lambda: loss.forward(z, t), z)
    np.testing.assert_allclose(dz, numeric, rtol=1e-6, atol=1e-8)


@settings(max_examples=10, deadline=None)
@given(batch=sizes, classes=st.integers(2, 5), seed=seeds)
def test_losses(batch: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = rng.normal(0.0, 2.0, (batch, classes))
    _check_loss(MeanSquaredError(), z, rng.normal(size=z.shape))
    _check_loss(BinaryCrossEntropy(), z[:, :1].copy(), rng.integers(0, 2, (batch, 1)) * 1.0)
    _check_loss(CategoricalCrossEntropy(), z, rng.dirichlet(np.ones(classes), batch))
    _check_loss(CategoricalCrossEntropy(), z, rng.integers(0, classes, batch))
    sequence = rng.normal(size=(batch, 2, classes))
    _check_loss(CategoricalCrossEntropy(), sequence, rng.integers(0, classes, (batch, 2)))


def test_cross_entropies_stay_finite_for_huge_logits() -> None:
    z = np.array([[1e4], [-1e4]])
    assert BinaryCrossEntropy().forward(z, np.array([[0.0], [0.0]])) == pytest.approx(5e3)
    loss = CategoricalCrossEntropy()
    assert loss.forward(np.array([[1e4, 0.0]]), np.array([1])) == pytest.approx(1e4)
    assert np.isfinite(loss.backward()).all()


# The same functions written a second time, differentiated by an independent engine.
def _norm(x, gain, bias):
    centred = x - anp.mean(x, axis=-1, keepdims=True)
    return gain * centred / anp.sqrt(anp.mean(centred**2, -1, keepdims=True) + 1e-5) + bias


def _attend(x, w, b, w_out, b_out, heads):
    places, width = x.shape[1], x.shape[2]
    q, k, v = (
        anp.dot(x, w[:, part]) + b[part]
        for part in (slice(0, width), slice(width, 2 * width), slice(2 * width, 3 * width))
    )
    size, outputs = width // heads, []
    seen = np.tril(np.ones((places, places)))
    for h in range(heads):
        part = slice(h * size, (h + 1) * size)
        scores = anp.einsum("bid,bjd->bij", q[..., part], k[..., part]) / np.sqrt(size)
        weights = anp.exp(scores) * seen
        weights = weights / anp.sum(weights, axis=-1, keepdims=True)
        outputs.append(anp.einsum("bij,bjd->bid", weights, v[..., part]))
    return anp.dot(anp.concatenate(outputs, axis=-1), w_out) + b_out


def _block(x, p, heads):
    g1, b1, wq, bq, wo, bo, g2, b2, wi, bi, wp, bp = p
    x = x + _attend(_norm(x, g1, b1), wq, bq, wo, bo, heads)
    u = anp.dot(_norm(x, g2, b2), wi) + bi
    gelu = 0.5 * u * (1 + anp.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3)))
    return x + anp.dot(gelu, wp) + bp


def test_transformer_block_against_autograd() -> None:
    rng = np.random.default_rng(11)
    layer = transformer_block(6, 3, rng, context=5)
    parameters = list(layer.parameters())
    for p in parameters:
        p.value[...] = rng.normal(0.0, 0.5, p.value.shape)
    x = rng.normal(size=(2, 5, 6))
    dy = rng.normal(size=x.shape)
    np.testing.assert_allclose(layer.forward(x), _block(x, [p.value for p in parameters], 3))
    dx = layer.backward(dy)

    def objective(x, values):
        return anp.sum(dy * _block(x, values, 3))

    expected_dx, expected = autograd.grad(objective, (0, 1))(x, [p.value for p in parameters])
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-9, atol=1e-11)
    for p, grad in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(p.grad, grad, rtol=1e-9, atol=1e-11)


def _relu(x):
    return anp.maximum(x, 0.0)


def _sigmoid(x):
    return 1.0 / (1.0 + anp.exp(-x))


@pytest.mark.parametrize(("layer", "twin"), [(ReLU, _relu), (Tanh, anp.tanh), (Sigmoid, _sigmoid)])
@pytest.mark.parametrize("kind", ["mse", "binary", "categorical"])
def test_perceptrons_against_autograd(layer, twin, kind) -> None:
    rng = np.random.default_rng(7)
    network = Sequential(Dense(4, 6, rng), layer(), Dense(6, 3, rng))
    x = rng.normal(size=(5, 4))
    t = rng.dirichlet(np.ones(3), 5) if kind == "categorical" else rng.integers(0, 2, (5, 3)) * 1.0

    def objective(values):
        w1, b1, w2, b2 = values
        z = anp.dot(twin(anp.dot(x, w1) + b1), w2) + b2
        if kind == "mse":
            return anp.mean((z - t) ** 2)
        if kind == "binary":
            p = _sigmoid(z)
            return -anp.mean(t * anp.log(p) + (1 - t) * anp.log(1 - p))
        logs = z - anp.log(anp.sum(anp.exp(z), axis=-1, keepdims=True))
        return -anp.mean(anp.sum(t * logs, axis=-1))

    losses = {
        "mse": MeanSquaredError(),
        "binary": BinaryCrossEntropy(),
        "categorical": CategoricalCrossEntropy(),
    }
    loss = losses[kind]
    values = [p.value for p in network.parameters()]
    assert loss.forward(network.forward(x), t) == pytest.approx(float(objective(values)), rel=1e-12)
    network.backward(loss.backward())
    for p, grad in zip(network.parameters(), autograd.grad(objective)(values), strict=True):
        np.testing.assert_allclose(p.grad, grad, rtol=1e-9, atol=1e-12)


def test_a_convolutional_network_against_autograd() -> None:
    rng = np.random.default_rng(21)
    layer = Sequential(Conv2d(2, 3, rng), Tanh(), MaxPool2d(), Conv2d(3, 2, rng), AvgPool2d())
    parameters = list(layer.parameters())
    for p in parameters:
        p.value[...] = rng.normal(0.0, 0.5, p.value.shape)
    x = rng.normal(size=(2, 4, 8, 2))
    dy = rng.normal(size=(2, 1, 2, 2))

    def convolve(x, w, b):
        _, height, width, _ = x.shape
        edge = ((0, 0), (1, 1), (1, 1), (0, 0))
        padded = anp.pad(x, edge, "constant")
        parts = [
            anp.dot(padded[:, u : u + height, v : v + width], kernel)
            for (u, v), kernel in zip(
                np.ndindex(3, 3), anp.reshape(w, (9, -1, w.shape[1])), strict=True
            )
        ]
        return sum(parts) + b

    def windows(x):
        n, height, width, channels = x.shape
        return anp.reshape(x, (n, height // 2, 2, width // 2, 2, channels))

    def objective(values, x):
        w1, b1, w2, b2 = values
        pooled = anp.max(windows(anp.tanh(convolve(x, w1, b1))), axis=(2, 4))
        return anp.sum(dy * anp.mean(windows(convolve(pooled, w2, b2)), axis=(2, 4)))

    values = [p.value for p in parameters]
    expected = autograd.grad(objective, argnum=(0, 1))(values, x)
    assert float(np.sum(dy * layer.forward(x))) == pytest.approx(float(objective(values, x)))
    dx = layer.backward(dy)
    for p, grad in zip(parameters, expected[0], strict=True):
        np.testing.assert_allclose(p.grad, grad, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(dx, expected[1], rtol=1e-9, atol=1e-12)

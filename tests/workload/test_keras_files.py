"""Keras `to_json` files, as Keras 2 and 3 write them, become operators."""

import json
from pathlib import Path
from typing import Any

import pytest

from dcsim.records import InputError
from dcsim.workload.keras_files import model_from_keras
from dcsim.workload.networks import network_of
from dcsim.workload.row_models import model_from_file


def _layer(kind: str, name: str, inbound: list[Any] | None = None, **config: Any) -> dict[str, Any]:
    layer = {"class_name": kind, "name": name, "config": {"name": name, **config}}
    return layer if inbound is None else layer | {"inbound_nodes": inbound}


def _conv(name: str, filters: int, kernel: int, **more: Any) -> dict[str, Any]:
    config: dict[str, Any] = {"filters": filters, "kernel_size": [kernel, kernel]}
    config |= {"strides": [1, 1], "padding": "same", "dilation_rate": [1, 1], "groups": 1}
    return _layer("Conv2D", name, **(config | {"use_bias": True} | more))


def _pool(name: str) -> dict[str, Any]:
    return _layer("MaxPooling2D", name, pool_size=[2, 2], strides=[2, 2], padding="valid")


def _vgg() -> dict[str, Any]:
    """`keras.applications.VGG16().to_json()` as a Sequential, in Keras 2's form."""
    layers = [_layer("InputLayer", "input", batch_input_shape=[None, 224, 224, 3])]
    for block, (filters, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        layers += [_conv(f"b{block}c{i}", filters, 3, activation="relu") for i in range(count)]
        layers.append(_pool(f"b{block}pool"))
    layers.append(_layer("Flatten", "flatten"))
    layers += [_layer("Dense", f"fc{i}", units=u, use_bias=True)
               for i, u in enumerate((4096, 4096, 1000))]  # fmt: skip
    return {"class_name": "Sequential", "config": {"name": "vgg16", "layers": layers}}


def _keras3(*names: str) -> list[Any]:
    args = [
        {"class_name": "__keras_tensor__", "config": {"shape": [None], "keras_history": [n, 0, 0]}}
        for n in names
    ]
    return [{"args": args if len(args) == 1 else [args], "kwargs": {}}]


def _residual(version: int) -> dict[str, Any]:
    """8 × 8 × 4 → convolution → normalisation → added to the input → mean → 10 classes."""

    def nodes(*names: str) -> list[Any]:
        return _keras3(*names) if version == 3 else [[[n, 0, 0, {}] for n in names]]

    shape = "batch_shape" if version == 3 else "batch_input_shape"
    layers = [
        _layer("InputLayer", "image", [], **{shape: [None, 8, 8, 4]}),
        _conv("conv", 4, 3, use_bias=False) | {"inbound_nodes": nodes("image")},
        _layer("BatchNormalization", "norm", nodes("conv")),
        _layer("Add", "add", nodes("image", "norm")),
        _layer("ReLU", "relu", nodes("add")),
        _layer("GlobalAveragePooling2D", "mean", nodes("relu")),
        _layer("Dense", "top", nodes("mean"), units=10, use_bias=True),
    ]
    return {"class_name": "Functional", "config": {"name": "residual", "layers": layers}}


def _write(folder: Path, document: Any) -> Path:
    path = folder / "model.json"
    path.write_text(json.dumps(document))
    return path


def test_vgg_has_its_published_size(tmp_path: Path) -> None:
    card = model_from_keras(_write(tmp_path, _vgg()))
    assert card.name == "vgg16"
    assert network_of(card).parameters == 138_357_544
    assert network_of(card).forward_flop == pytest.approx(30.94e9, rel=0.001)


@pytest.mark.parametrize("version", [2, 3])
def test_functional_models_of_both_versions(version: int, tmp_path: Path) -> None:
    network = network_of(model_from_keras(_write(tmp_path, _residual(version))))
    assert network.parameters == 9 * 4 * 4 + 2 * 4 + 4 * 10 + 10
    assert network.forward_flop == 2 * (64 * 36 * 4 + 4 * 10)


def test_more_layers_and_their_shapes(tmp_path: Path) -> None:
    layers = [
        _layer("Embedding", "words", input_dim=1000, output_dim=32, batch_input_shape=[None, 16]),
        _layer("MultiHeadAttention", "attend", num_heads=4, key_dim=8),
        _layer("LayerNormalization", "norm"),
        _layer("GlobalAveragePooling1D", "mean"),
        _layer("Reshape", "image", target_shape=[4, 4, -1]),
        _layer("ZeroPadding2D", "pad", padding=[[1, 1], [1, 1]]),
        _layer("SeparableConv2D", "separable", filters=8, kernel_size=3, padding="valid"),
        _layer("DepthwiseConv2D", "depthwise", kernel_size=[3, 3], padding="same"),
        _layer("UpSampling2D", "up", size=[2, 2]),
        _layer("Concatenate", "join", axis=-1),
        _layer("Flatten", "flat"),
        _layer("Dense", "top", units=2),
    ]
    document = {"class_name": "Sequential", "config": {"name": "mixed", "layers": layers}}
    network = network_of(model_from_keras(_write(tmp_path, document)))
    attention = 4 * (32 * 32 + 32)
    separable = 9 * 2 + (2 * 8 + 8)
    depthwise = 9 * 8 + 8
    top = 8 * 8 * 8 * 2 + 2
    expected = 32_000 + attention + 64 + separable + depthwise + top
    assert network.parameters == expected
    assert network.table_parameters == 32_000


def test_nested_models_are_opened(tmp_path: Path) -> None:
    inner = {"class_name": "Sequential", "config": {"name": "inner", "layers": [
        _layer("Dense", "a", units=8), _layer("Dense", "b", units=4)]}}  # fmt: skip
    layers = [_layer("InputLayer", "x", batch_shape=[None, 6]), inner,
              _layer("Dense", "c", units=1)]  # fmt: skip
    document = {"class_name": "Sequential", "config": {"name": "outer", "layers": layers}}
    network = network_of(model_from_keras(_write(tmp_path, document)))
    assert network.parameters == 6 * 8 + 8 + 8 * 4 + 4 + 4 + 1


def _sequential(kind: str, **config: Any) -> dict[str, Any]:
    layers = [_layer(kind, "x", **config)]
    return {"class_name": "Sequential", "config": {"name": "one", "layers": layers}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "Sequential or Functional"),
        ({"class_name": "Sequential"}, "not what Keras writes"),
        (_sequential("LSTM", batch_shape=[None, 4, 4]), "class LSTM are not known"),
        (_sequential("Dense", units=4), "no known input shape"),
        (_sequential("Dense", units=0, batch_shape=[None, 4]), "units must be a whole number"),
        (_sequential("Dense", units=3, batch_shape=[None, None]), "fixed input shape"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        model_from_keras(_write(tmp_path, document))
    assert caught.value.faults[0].file.endswith("model.json")


def test_either_kind_of_file_is_recognised(tmp_path: Path) -> None:
    assert model_from_file(_write(tmp_path, _vgg())).kind == "network"
    llama = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4,
             "num_hidden_layers": 2, "vocab_size": 100, "intermediate_size": 128}  # fmt: skip
    assert model_from_file(_write(tmp_path, llama)).kind == "transformer"
    with pytest.raises(InputError, match="cannot read"):
        model_from_file(tmp_path / "none.json")

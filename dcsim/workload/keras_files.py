"""A model from Keras's `to_json`, without Keras: layers become operators."""

import json
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from dcsim.catalogue.records import ModelCard
from dcsim.records import Fault, InputError, Source

Shape = tuple[int, ...]
Config = Mapping[str, Any]
Operators = list[dict[str, Any]]

#: Layers that keep their input's shape and have neither weights nor a kernel worth counting.
_PLAIN = {
    "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "PReLU", "Dropout", "SpatialDropout2D",
    "GaussianNoise", "Rescaling", "ActivityRegularization", "Masking",
}  # fmt: skip

#: Layers whose inputs have one shape, which is that of the output.
_MERGES = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"}

_LARGEST = 10**9


def model_from_keras(path: str | Path) -> ModelCard:
    """The card of the Sequential or Functional model that `path` holds (Keras 2 or 3).

    Understood are dense, convolution, depthwise and separable convolution, pooling,
    normalisation, embedding, attention, merging, reshaping and weightless layers. The name
    is the model's. InputError when the file cannot be read, holds no such model, or a layer
    is of another class.
    """
    path = Path(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot read the model ({error.strerror or 'not a file'})"
        raise InputError(Fault(message, str(path))) from error
    except ValueError as error:
        raise InputError(Fault(f"the model is not JSON ({error})", str(path))) from error
    try:
        return _card(document)
    except InputError as error:
        raise InputError(Fault(error.faults[0].message, str(path))) from None
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        message = f"the model is not what Keras writes with to_json ({error!r})"
        raise InputError(Fault(message, str(path))) from error


def _card(document: Any) -> ModelCard:
    kind = document.get("class_name") if isinstance(document, dict) else None
    if kind not in ("Sequential", "Functional", "Model"):
        raise InputError("the model must be a Sequential or Functional model as of to_json")
    config = document["config"]
    operators: Operators = []
    _layers(config["layers"], None, operators, sequential=kind == "Sequential")
    if not operators:
        raise InputError("the model has no layer with weights or products")
    return ModelCard(
        name=str(config.get("name") or "keras-model"),
        kind="network",
        layers=len(operators),
        hidden=0,
        ffn_hidden=0,
        heads=0,
        kv_heads=0,
        vocab=0,
        seq_len=0,
        source=Source(text="the user's Keras to_json", status="sourced"),
        operators=tuple(operators),
    )


def _layers(
    layers: list[Config], first: Shape | None, operators: Operators, sequential: bool
) -> Shape:
    """Append the operators of `layers`; the shape of the last one, without the batch."""
    shapes: dict[str, Shape] = {}
    names = {_layer_name(layer) for layer in layers}
    current = first
    for layer in layers:
        config, kind = layer["config"], layer["class_name"]
        given = None if kind != "InputLayer" and current is not None else _given(config)
        before = [current or given] if sequential else _inputs(layer, names, shapes)
        if kind == "InputLayer":
            current = first or given
        else:
            known = [shape for shape in (*before, given) if shape is not None]
            if not known:
                raise InputError(f"layer {_layer_name(layer)} has no known input shape")
            current = _layer(kind, config, known, operators)
        if current is None:
            raise InputError(f"layer {_layer_name(layer)} has no input shape")
        shapes[_layer_name(layer)] = current
    if current is None:
        raise InputError("the model has no layers")
    return current


def _layer_name(layer: Config) -> str:
    return str(layer.get("name") or layer["config"].get("name") or layer["class_name"])


def _given(config: Config) -> Shape | None:
    shape = config.get("batch_input_shape") or config.get("batch_shape")
    if shape is None and config.get("shape"):
        shape = [None, *config["shape"]]
    if shape is None:
        return None
    sizes = tuple(shape[1:])
    if any(size is None for size in sizes):
        raise InputError("the model must have a fixed input shape; build it with one")
    return tuple(_whole(size, "input shape") for size in sizes)


def _inputs(layer: Config, names: set[str], shapes: Mapping[str, Shape]) -> list[Shape | None]:
    """Shapes of the layers that feed this one: `[name, node, tensor]` of Keras 2, the
    `keras_history` of Keras 3, wherever they nest.
    """
    found: list[Shape | None] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            history = node.get("keras_history")
            if history:
                found.append(shapes.get(str(history[0])))
            else:
                for value in node.values():
                    walk(value)
        elif isinstance(node, list):
            if node and isinstance(node[0], str) and node[0] in names:
                found.append(shapes.get(node[0]))
            else:
                for value in node:
                    walk(value)

    walk(layer.get("inbound_nodes", [])[:1])
    return found


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST:
        raise InputError(f"{what} must be a whole number of at least 1, not {value!r}")
    return value


def _pair(value: Any, what: str) -> tuple[int, int]:
    both = value if isinstance(value, list | tuple) else [value, value]
    if len(both) != 2:
        raise InputError(f"{what} must be one or two whole numbers, not {value!r}")
    return _whole(both[0], what), _whole(both[1], what)


def _layer(kind: str, config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    shape = inputs[0]
    if kind in ("Sequential", "Functional", "Model"):
        return _layers(config["layers"], shape, operators, sequential=kind == "Sequential")
    if kind in _PLAIN or kind in _MERGES:
        return shape
    handler = _HANDLERS.get(kind)
    if handler is None:
        known = ", ".join(sorted({*_HANDLERS, *_PLAIN, *_MERGES}))
        raise InputError(f"layers of class {kind} are not known; known are {known}")
    return handler(config, inputs, operators)


def _dense(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    *outer, wide = inputs[0]
    units = _whole(config["units"], "units")
    operators.append(
        {"op": "dense", "name": config.get("name", "dense"), "in": wide, "out": units,
         "rows": prod(outer), "bias": config.get("use_bias", True)}
    )  # fmt: skip
    return (*outer, units)


def _window(config: Config, field: str, shape: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
    """(kernel, output height and width) of a layer that slides over an image."""
    if config.get("data_format", "channels_last") == "channels_first" or len(shape) != 3:
        raise InputError("images must be height × width × channels (channels_last)")
    kernel = _pair(config[field], field)
    strides = _pair(config.get("strides") or (1 if field == "kernel_size" else kernel), "strides")
    wide = _pair(config.get("dilation_rate", 1), "dilation_rate")
    same = config.get("padding", "valid") == "same"
    out = [
        -(-size // step) if same else (size - (k - 1) * d - 1) // step + 1
        for size, k, step, d in zip(shape, kernel, strides, wide, strict=False)
    ]
    return kernel, (_whole(out[0], "output height"), _whole(out[1], "output width"))


def _convolved(
    config: Config, shape: Shape, outputs: int, groups: int, operators: Operators, bias: bool
) -> Shape:
    kernel, (height, width) = _window(config, "kernel_size", shape)
    operators.append(
        {"op": "conv", "name": config.get("name", "conv"), "in": shape[2], "out": outputs,
         "kernel": kernel[0], "kernel_width": kernel[1], "size": height, "width": width,
         "stride": _pair(config.get("strides", 1), "strides")[0], "groups": groups,
         "bias": bias}
    )  # fmt: skip
    return (height, width, outputs)


def _conv(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    filters, groups = (
        _whole(config["filters"], "filters"),
        _whole(config.get("groups", 1), "groups"),
    )
    return _convolved(config, inputs[0], filters, groups, operators, config.get("use_bias", True))


def _depthwise(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    channels = inputs[0][2]
    out = channels * _whole(config.get("depth_multiplier", 1), "depth_multiplier")
    return _convolved(config, inputs[0], out, channels, operators, config.get("use_bias", True))


def _separable(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    channels = inputs[0][2]
    out = channels * _whole(config.get("depth_multiplier", 1), "depth_multiplier")
    middle = _convolved(config, inputs[0], out, channels, operators, bias=False)
    point = {
        "filters": config["filters"],
        "kernel_size": 1,
        "padding": "same",
        "name": config.get("name", "separable"),
        "use_bias": config.get("use_bias", True),
    }
    return _conv(point, [middle], operators)


def _pool(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    _, (height, width) = _window(config, "pool_size", inputs[0])
    out = (height, width, inputs[0][2])
    operators.append({"op": "pool", "name": config.get("name", "pool"), "elements": prod(out)})
    return out


def _global_pool(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    out = (inputs[0][-1],)
    operators.append({"op": "pool", "name": config.get("name", "pool"), "elements": out[0]})
    return (1, 1, *out) if config.get("keepdims") else out


def _norm(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    *outer, width = inputs[0]
    operators.append(
        {"op": "norm", "name": config.get("name", "norm"), "width": width, "rows": prod(outer)}
    )
    return inputs[0]


def _embedding(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    width = _whole(config["output_dim"], "output_dim")
    operators.append(
        {"op": "embedding", "name": config.get("name", "embedding"), "width": width,
         "rows": _whole(config["input_dim"], "input_dim"), "lookups": prod(inputs[0])}
    )  # fmt: skip
    return (*inputs[0], width)


def _attention(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    queries, hidden = inputs[0]
    keys, wide = inputs[1] if len(inputs) > 1 else inputs[0]
    heads, size = _whole(config["num_heads"], "num_heads"), _whole(config["key_dim"], "key_dim")
    inner, name, bias = heads * size, config.get("name", "attention"), config.get("use_bias", True)
    for rows, a, b in ((queries, hidden, inner), (keys, wide, inner), (keys, wide, inner),
                       (queries, inner, hidden)):  # fmt: skip
        operators.append(
            {"op": "dense", "name": name, "in": a, "out": b, "rows": rows, "bias": bias}
        )
    operators.append(
        {"op": "attention", "name": name, "queries": queries, "keys": keys, "heads": heads,
         "head_dim": size}
    )  # fmt: skip
    return inputs[0]


def _flatten(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    return (prod(inputs[0]),)


def _reshape(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    target, whole = list(config["target_shape"]), prod(inputs[0])
    if -1 in target:
        target[target.index(-1)] = whole // max(-prod(target), 1)
    return tuple(_whole(size, "target_shape") for size in target)


def _padding(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    height, width, channels = inputs[0]
    (top, bottom), (left, right) = config["padding"]
    return (height + top + bottom, width + left + right, channels)


def _upsampling(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    height, width, channels = inputs[0]
    tall, wide = _pair(config.get("size", 2), "size")
    return (height * tall, width * wide, channels)


def _concatenate(config: Config, inputs: list[Shape], operators: Operators) -> Shape:
    axis = int(config.get("axis", -1))
    axis = axis if axis < 0 else axis - 1 - len(inputs[0])
    out = list(inputs[0])
    out[axis] = sum(shape[axis] for shape in inputs)
    return tuple(out)


_HANDLERS: Mapping[str, Callable[[Config, list[Shape], Operators], Shape]] = {
    "Dense": _dense,
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "MaxPooling2D": _pool,
    "AveragePooling2D": _pool,
    "GlobalAveragePooling2D": _global_pool,
    "GlobalMaxPooling2D": _global_pool,
    "GlobalAveragePooling1D": _global_pool,
    "BatchNormalization": _norm,
    "LayerNormalization": _norm,
    "Embedding": _embedding,
    "MultiHeadAttention": _attention,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "ZeroPadding2D": _padding,
    "UpSampling2D": _upsampling,
    "Concatenate": _concatenate,
}

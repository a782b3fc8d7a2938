"""Models that are no decoder transformer, as lists of operators: CNN, DLRM, encoder-decoder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dcsim.catalogue.records import ModelCard
from dcsim.records import InputError


@dataclass(frozen=True, slots=True)
class NetworkOperator:
    """What one kind of layer does for one sample, forward.

    A product of rows × inputs by inputs × outputs, `products` times (0 for none);
    `parameters` weights that every replica holds, `table_parameters` those of embedding
    tables, of which a sample reads `looked_up` elements; `elements` activations written,
    `read_elements` read by products, and `passes` times that elements cross memory beside
    the products, forward and backward.
    """

    name: str
    repeat: float
    rows: float = 0.0
    inputs: float = 0.0
    outputs: float = 0.0
    products: float = 0.0
    parameters: float = 0.0
    table_parameters: float = 0.0
    looked_up: float = 0.0
    elements: float = 0.0
    read_elements: float = 0.0
    passes: float = 0.0

    @property
    def flop(self) -> float:
        """Forward floating-point operations of a sample, repeats included."""
        return 2.0 * self.repeat * self.products * self.rows * self.inputs * self.outputs


@dataclass(frozen=True, slots=True)
class Network:
    """A model as operators; counts are for one sample (an image, a click, a sentence pair)."""

    name: str
    operators: tuple[NetworkOperator, ...]

    @property
    def parameters(self) -> float:
        """All weights, embedding tables included."""
        return sum(o.repeat * (o.parameters + o.table_parameters) for o in self.operators)

    @property
    def table_parameters(self) -> float:
        """Weights of embedding tables."""
        return sum(o.repeat * o.table_parameters for o in self.operators)

    @property
    def forward_flop(self) -> float:
        """Forward floating-point operations of a sample; a multiply-add counts two."""
        return sum(o.flop for o in self.operators)

    @property
    def activations(self) -> float:
        """Elements that the forward pass of a sample writes."""
        return sum(o.repeat * o.elements for o in self.operators)


#: Memory passes over a layer's output, forward and backward, where nothing is fused:
#: an activation function reads and writes once forward, reads twice and writes backward;
#: batch or layer normalisation reads twice and writes once forward, and backward reads
#: input and gradient twice and writes once.
ACTIVATION_PASSES = 5.0
NORM_PASSES = 8.0
POOL_PASSES = 4.0


def _number(entry: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = entry.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InputError(f"{entry.get('op', 'an operator')} needs a positive {name}, not {value!r}")
    return float(value)


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("name") or entry["op"])


def _convolution(entry: Mapping[str, Any]) -> NetworkOperator:
    """A convolution as the product that it is: size² rows, kernel² · in / groups inputs."""
    wide, out = _number(entry, "in"), _number(entry, "out")
    area = _number(entry, "size") * _number(entry, "width", entry.get("size"))
    groups, stride = _number(entry, "groups", 1), _number(entry, "stride", 1)
    kernel = _number(entry, "kernel") * _number(entry, "kernel_width", entry.get("kernel"))
    norm, bias = bool(entry.get("norm")), bool(entry.get("bias", not entry.get("norm")))
    weights = kernel * wide / groups * out
    return NetworkOperator(
        name=_name(entry),
        repeat=_number(entry, "repeat", 1),
        rows=area,
        inputs=kernel * wide / groups,
        outputs=out / groups,
        products=groups,
        parameters=weights + bias * out + norm * 2.0 * out,
        elements=area * out * (2.0 if norm else 1.0),
        read_elements=area * stride * stride * wide,
        passes=(ACTIVATION_PASSES + norm * NORM_PASSES) / (2.0 if norm else 1.0),
    )


def _dense(entry: Mapping[str, Any]) -> NetworkOperator:
    wide, out = _number(entry, "in"), _number(entry, "out")
    rows = _number(entry, "rows", 1)
    return NetworkOperator(
        name=_name(entry),
        repeat=_number(entry, "repeat", 1),
        rows=rows,
        inputs=wide,
        outputs=out,
        products=1.0,
        parameters=0.0 if entry.get("tied") else wide * out + bool(entry.get("bias", True)) * out,
        elements=rows * out,
        read_elements=rows * wide,
        passes=ACTIVATION_PASSES,
    )


def _norm(entry: Mapping[str, Any]) -> NetworkOperator:
    width, rows = _number(entry, "width"), _number(entry, "rows", 1)
    return NetworkOperator(
        name=_name(entry),
        repeat=_number(entry, "repeat", 1),
        parameters=2.0 * width,
        elements=rows * width,
        passes=NORM_PASSES,
    )


def _pool(entry: Mapping[str, Any]) -> NetworkOperator:
    return NetworkOperator(
        name=_name(entry),
        repeat=_number(entry, "repeat", 1),
        elements=_number(entry, "elements"),
        passes=POOL_PASSES,
    )


def _embedding(entry: Mapping[str, Any]) -> NetworkOperator:
    width, lookups = _number(entry, "width"), _number(entry, "lookups", 1)
    return NetworkOperator(
        name=_name(entry),
        repeat=_number(entry, "repeat", 1),
        table_parameters=_number(entry, "rows") * width,
        looked_up=lookups * width,
        elements=lookups * width,
    )


def _interaction(entry: Mapping[str, Any]) -> NetworkOperator:
    """Dot products of all pairs of feature vectors (Naumov et al. 2019, arXiv 1906.00091)."""
    features, width = _number(entry, "features"), _number(entry, "width")
    return NetworkOperator(
        name=_name(entry),
        repeat=_number(entry, "repeat", 1),
        rows=features,
        inputs=width,
        outputs=features,
        products=1.0,
        elements=features * features,
        read_elements=features * width,
        passes=ACTIVATION_PASSES,
    )


def _attention(entry: Mapping[str, Any]) -> NetworkOperator:
    """Scores and weighted values of all heads; both products have the same FLOPs."""
    queries, keys = _number(entry, "queries"), _number(entry, "keys", entry.get("queries"))
    heads, width = _number(entry, "heads"), _number(entry, "head_dim")
    return NetworkOperator(
        name=_name(entry),
        repeat=_number(entry, "repeat", 1),
        rows=queries,
        inputs=width,
        outputs=keys,
        products=2.0 * heads,
        elements=heads * queries * keys,
        read_elements=(queries + keys) * heads * width,
        passes=ACTIVATION_PASSES + NORM_PASSES,
    )


_KINDS: Mapping[str, Callable[[Mapping[str, Any]], NetworkOperator]] = {
    "conv": _convolution,
    "dense": _dense,
    "norm": _norm,
    "pool": _pool,
    "embedding": _embedding,
    "interaction": _interaction,
    "attention": _attention,
}


def network_of(card: ModelCard) -> Network:
    """The operators of a catalogue or imported model; InputError where it lists none."""
    if not card.operators:
        raise InputError(f"{card.name} is not described by operators; it is a {card.kind}")
    out = []
    for entry in card.operators:
        kind = _KINDS.get(str(entry.get("op")))
        if kind is None:
            raise InputError(
                f"an operator of {card.name} must be one of {', '.join(_KINDS)}, "
                f"not {entry.get('op')!r}"
            )
        out.append(kind(entry))
    return Network(card.name, tuple(out))

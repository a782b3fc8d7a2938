"""Counts the NumPy calls of a training step by running it over arrays that only record.

A `TracedArray` stands in for an ndarray: it has memory (never touched, so it costs no
time), hence true shapes, types and strides; every NumPy call on it is noted on a tape
instead of being computed. Layers are written once, and their operator counts follow.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from dcsim.records.operators import OperatorCall
from dcsim.training.base import Array, Layer, Parameter

if TYPE_CHECKING:
    from dcsim.training.model import Model

#: Element functions that cost many cycles an element, so that arithmetic limits them.
TRANSCENDENTAL = frozenset(
    ("exp", "log", "log1p", "expm1", "tanh", "sqrt", "divide", "power", "sin", "cos")
)
#: What a processor moves between its caches at least.
LINE_BYTES = 64
_COMPARISONS = frozenset(
    ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal", "isfinite")
)


class Tape:
    """The calls recorded so far, equal ones counted together, in order of first appearance."""

    def __init__(self) -> None:
        self.phase = "forward"
        self._counts: dict[OperatorCall, int] = {}

    def begin(self, phase: str) -> None:
        """Book the calls that follow under `phase`."""
        self.phase = phase

    def record(self, kind: str, function: str, **shape: Any) -> None:
        """Note one call in the current phase; `shape` are further fields of `OperatorCall`."""
        call = OperatorCall(kind, function, self.phase, **shape)
        self._counts[call] = self._counts.get(call, 0) + 1

    def calls(self) -> list[OperatorCall]:
        """Everything recorded, with counts."""
        return [replace(call, count=count) for call, count in self._counts.items()]


class TracedArray(NDArrayOperatorsMixin):
    """An array whose NumPy calls are recorded on `tape`; `data` is only a shape with strides."""

    __slots__ = ("data", "tape")

    def __init__(self, data: Array, tape: Tape) -> None:
        self.data, self.tape = data, tape

    @classmethod
    def empty(cls, shape: tuple[int, ...], dtype: Any, tape: Tape) -> TracedArray:
        """A fresh contiguous array; its memory is reserved but never touched."""
        return cls(np.empty(shape, dtype), tape)

    # What an ndarray answers without computing.
    shape = property(lambda self: self.data.shape)
    dtype = property(lambda self: self.data.dtype)
    ndim = property(lambda self: self.data.ndim)
    size = property(lambda self: self.data.size)

    def __len__(self) -> int:
        return len(self.data)

    def __float__(self) -> float:
        self.tape.record("view", "item", n=1, elem_bytes=self.dtype.itemsize)
        return 0.0

    # Methods that look at the same memory in another shape.
    def _view(self, function: str, data: Array) -> TracedArray:
        self.tape.record("view", function, elem_bytes=self.dtype.itemsize)
        return TracedArray(data, self.tape)

    @property
    def T(self) -> TracedArray:
        """The transpose."""
        return self._view("transpose", self.data.T)

    def transpose(self, *axes: int) -> TracedArray:
        """Axes in another order."""
        return self._view("transpose", self.data.transpose(*axes))

    def swapaxes(self, first: int, second: int) -> TracedArray:
        """Two axes exchanged."""
        return self._view("swapaxes", self.data.swapaxes(first, second))

    def reshape(self, *shape: Any) -> TracedArray:
        """Another shape: a view where the strides allow it, else a copy."""
        data = self.data.reshape(*shape)
        if np.may_share_memory(data, self.data):
            return self._view("reshape", data)
        layout, swept = _walk(self.data.shape, [self.data, data.reshape(self.data.shape)])
        self._copied("reshape", data, layout, _run(self.data.shape, [self.data]), swept)
        return TracedArray(data, self.tape)

    def astype(self, dtype: Any) -> TracedArray:
        """A copy in another type."""
        data = np.empty(self.shape, dtype)
        self._copied("astype", data, "x")
        return TracedArray(data, self.tape)

    def _copied(
        self, function: str, data: Array, layout: str, inner: int = 0, swept: float = 0.0
    ) -> None:
        self.tape.record(
            "copy",
            function,
            n=data.size,
            bytes=float(self.data.nbytes + data.nbytes),
            allocated_bytes=float(data.nbytes),
            elem_bytes=data.itemsize,
            layout=layout,
            inner=inner,
            swept_bytes=swept,
        )

    def __getitem__(self, index: Any) -> TracedArray:
        if not _fancy(index):
            return self._view("slice", self.data[index])
        shape = self.data[_plain(index)].shape
        out = np.empty(shape, self.dtype)
        self.tape.record(
            "gather",
            "take",
            n=out.size,
            bytes=2.0 * out.nbytes,
            allocated_bytes=float(out.nbytes),
            elem_bytes=out.itemsize,
            inner=out.size // max(_places(index), 1),
        )
        return TracedArray(out, self.tape)

    def __setitem__(self, index: Any, value: Any) -> None:
        fancy = _fancy(index)
        target = self.data[_plain(index) if fancy else index]
        read = target.nbytes if getattr(value, "ndim", 0) else 0
        walked = [target, *([_data(value)] if read and not fancy else [])]
        layout, swept = _walk(target.shape, walked)
        self.tape.record(
            "scatter" if fancy else "copy",
            "assign" if read else "fill",
            n=target.size,
            bytes=float(target.nbytes + read),
            elem_bytes=target.itemsize,
            layout=layout,
            inner=target.size // max(_places(index), 1) if fancy else _run(target.shape, walked),
            swept_bytes=swept,
        )

    # NumPy's two protocols for array-like objects.
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Record a call of `ufunc` and return an empty array of the result's shape."""
        tape = self.tape
        if method == "at":
            return _record_at(tape, ufunc, inputs)
        if method != "__call__":
            raise TypeError(f"tracing knows no {ufunc.__name__}.{method}")
        arrays = [_data(item) for item in inputs]
        out = options["out"][0] if options.get("out") else None
        if ufunc is np.matmul:
            return _record_matmul(tape, arrays[0], arrays[1], out)
        return _record_elementwise(tape, ufunc, arrays, out)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Record one of the NumPy functions in `_FUNCTIONS`."""
        if function not in _FUNCTIONS:
            raise TypeError(f"tracing knows no numpy.{function.__name__}")
        return _FUNCTIONS[function](self.tape, *args, **kwargs)


class TracedGenerator:
    """Stands in for a NumPy Generator: draws nothing, records the draw."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape

    def random(self, shape: tuple[int, ...], dtype: Any = np.float64) -> TracedArray:
        """Uniform numbers of `shape`."""
        out = TracedArray.empty(shape, dtype, self.tape)
        size = float(out.data.nbytes)
        self.tape.record(
            "random",
            "random",
            n=out.size,
            bytes=size,
            allocated_bytes=size,
            elem_bytes=out.dtype.itemsize,
        )
        return out


def _data(item: Any) -> Any:
    """The ndarray behind a traced array; anything else as it is."""
    return item.data if isinstance(item, TracedArray) else item


def _parts(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def _fancy(index: Any) -> bool:
    """Whether an index picks by arrays of positions, which copies."""
    return any(getattr(_data(part), "ndim", 0) for part in _parts(index))


def _plain(index: Any) -> tuple[Any, ...]:
    """The index with its untouched position arrays replaced by valid positions, zeros."""
    return tuple(
        np.zeros(_data(part).shape, np.intp) if getattr(_data(part), "ndim", 0) else part
        for part in _parts(index)
    )


def _places(index: Any) -> int:
    """How many positions the arrays of a picking index name."""
    shapes = (_data(part).shape for part in _parts(index) if getattr(_data(part), "ndim", 0))
    return math.prod(np.broadcast_shapes(*shapes))


def _run(shape: tuple[int, ...], arrays: list[Array]) -> int:
    """Elements that one inner loop covers, 0 when a single loop covers them all.

    Axes merge from the last one inwards while every operand keeps one stride over them,
    as NumPy's iterator does; a broadcast axis has stride 0.
    """
    strides = [np.broadcast_to(array, shape).strides for array in arrays]
    axes = [axis for axis, length in enumerate(shape) if length > 1]
    run = 1
    for inner, axis in zip([None, *axes[:0:-1]], axes[::-1], strict=False):
        if inner is not None and any(s[axis] != s[inner] * shape[inner] for s in strides):
            return run
        run *= shape[axis]
    return 0


def _walk(shape: tuple[int, ...], arrays: list[Array]) -> tuple[str, float]:
    """Layout of a loop over `arrays`, and what it sweeps if that is not `c`.

    `g` where the elements of the innermost axis lie apart, else `s`.
    """
    if all(array.flags.c_contiguous for array in arrays):
        return "c", 0.0
    swept = float(sum(_lines_bytes(array) for array in arrays))
    axes = [axis for axis, length in enumerate(shape) if length > 1]
    strides = [np.broadcast_to(array, shape).strides for array in arrays]
    apart = axes and any(
        s[axes[-1]] not in (0, array.itemsize) for s, array in zip(strides, arrays, strict=True)
    )
    return ("g" if apart else "s"), swept


def _lines_bytes(array: Array) -> int:
    """Bytes of the cache lines that hold the array's elements.

    From the smallest stride up: what lies nearer than a line, or touches, is one block.
    """
    block, blocks = array.itemsize, 1
    for stride, length in sorted(zip(map(abs, array.strides), array.shape, strict=True)):
        if length == 1 or stride == 0:
            continue
        if blocks == 1 and stride <= max(block, LINE_BYTES):
            block += (length - 1) * stride
        else:
            blocks *= length
    return blocks * max(block, LINE_BYTES)


def _order(matrix: Array) -> str:
    """`n` when rows of the last two axes are contiguous, `t` when columns are, else `s`."""
    if matrix.strides[-1] == matrix.itemsize or matrix.shape[-1] == 1:
        return "n"
    return "t" if matrix.strides[-2] == matrix.itemsize or matrix.shape[-2] == 1 else "s"


def _record_matmul(tape: Tape, a: Array, b: Array, out: Any) -> TracedArray:
    """C (…, m, n) = A (…, m, k) B (…, k, n), 2 m n k FLOP for each matrix."""
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    batch, (m, k), n = math.prod(lead), a.shape[-2:], b.shape[-1]
    dtype = np.result_type(a, b)
    result = out if out is not None else TracedArray.empty((*lead, m, n), dtype, tape)
    size = dtype.itemsize
    tape.record(
        "batched_gemm" if lead else "gemm",
        "matmul",
        m=m,
        n=n,
        k=k,
        batch=batch,
        flop=2.0 * batch * m * n * k,
        bytes=float(size * batch * (m * k + k * n + m * n)),
        allocated_bytes=0.0 if out is not None else float(size * batch * m * n),
        elem_bytes=size,
        layout=_order(a) + _order(b),
    )
    return result


def _record_elementwise(tape: Tape, ufunc: np.ufunc, inputs: list[Any], out: Any) -> TracedArray:
    """One element operation over broadcast operands; scalars count no bytes."""
    arrays = [item for item in inputs if getattr(item, "ndim", 0)]
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    compares = ufunc.__name__ in _COMPARISONS
    dtype = np.dtype(bool) if compares else np.result_type(*inputs)
    result = out if out is not None else TracedArray.empty(shape, dtype, tape)
    data = result.data
    walked = arrays if compares else [*arrays, data]
    swept = 0.0
    if len({array.dtype for array in walked}) > 1:
        layout = "x"
    elif any(array.size < data.size for array in arrays):
        layout = "b"
    else:
        layout, swept = _walk(shape, walked)
    elements = data.size
    tape.record(
        "transcendental" if ufunc.__name__ in TRANSCENDENTAL else "elementwise",
        ufunc.__name__,
        n=elements,
        flop=float(elements),
        bytes=float(sum(array.nbytes for array in arrays) + data.nbytes),
        allocated_bytes=0.0 if out is not None else float(data.nbytes),
        elem_bytes=max(array.itemsize for array in walked),
        layout=layout,
        inner=_run(shape, [*arrays, data]),
        swept_bytes=swept,
    )
    return result


def _record_at(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...]) -> None:
    """`ufunc.at(target, index, values)`: read, combine and write `values.size` elements."""
    values = _data(inputs[2])
    tape.record(
        "scatter",
        f"{ufunc.__name__}.at",
        n=values.size,
        flop=float(values.size),
        bytes=3.0 * values.nbytes,
        elem_bytes=values.itemsize,
        inner=values.size // max(_places(inputs[1]), 1),
    )


def _reducer(name: str) -> Callable[..., TracedArray]:
    """A handler for numpy.`name`(x, axis, out=None, keepdims=False)."""

    def reduce(
        tape: Tape, x: TracedArray, axis: Any = None, out: Any = None, keepdims: bool = False
    ) -> TracedArray:
        ndim = x.ndim
        axes = range(ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        folded = {a % ndim for a in axes}
        shape = tuple(
            1 if i in folded else length
            for i, length in enumerate(x.shape)
            if keepdims or i not in folded
        )
        result = out if out is not None else TracedArray.empty(shape, x.dtype, tape)
        trailing = folded == set(range(ndim - len(folded), ndim)) and x.data.flags.c_contiguous
        tape.record(
            "reduce",
            name,
            n=result.size,
            k=x.size // max(result.size, 1),
            flop=float(x.size),
            bytes=float(x.data.nbytes + result.data.nbytes),
            allocated_bytes=0.0 if out is not None else float(result.data.nbytes),
            elem_bytes=x.dtype.itemsize,
            layout="c" if trailing else "s",
        )
        return result

    return reduce


def _empty_like(tape: Tape, x: TracedArray, shape: tuple[int, ...] | None = None) -> TracedArray:
    out = TracedArray.empty(x.shape if shape is None else shape, x.dtype, tape)
    tape.record(
        "view",
        "empty_like",
        allocated_bytes=float(out.data.nbytes),
        elem_bytes=x.dtype.itemsize,
    )
    return out


def _zeros_like(tape: Tape, x: TracedArray, shape: tuple[int, ...] | None = None) -> TracedArray:
    out = TracedArray.empty(x.shape if shape is None else shape, x.dtype, tape)
    size = float(out.data.nbytes)
    tape.record(
        "copy",
        "fill",
        n=out.size,
        bytes=size,
        allocated_bytes=size,
        elem_bytes=x.dtype.itemsize,
    )
    return out


def _arange(tape: Tape, stop: int) -> Array:
    tape.record("copy", "arange", n=stop, bytes=8.0 * stop, allocated_bytes=8.0 * stop)
    return np.empty(stop, np.intp)


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.sum: _reducer("sum"),
    np.mean: _reducer("mean"),
    np.max: _reducer("max"),
    np.empty_like: _empty_like,
    np.zeros_like: _zeros_like,
    np.arange: _arange,
}


def _shadow(network: Layer, tape: Tape) -> Layer:
    """A copy of the network with traced parameters; the network itself is left alone."""
    memo: dict[int, Any] = {}
    for p in network.parameters():
        twin = copy.copy(p)
        twin.value = TracedArray.empty(p.value.shape, p.value.dtype, tape)  # type: ignore[assignment]
        twin.grad = TracedArray.empty(p.grad.shape, p.grad.dtype, tape)  # type: ignore[assignment]
        memo[id(p)] = twin
    for layer in network.walk():
        generator = getattr(layer, "rng", None)
        if generator is not None:
            memo[id(generator)] = TracedGenerator(tape)
    return copy.deepcopy(network, memo)


def _record_entries(network: Layer, tape: Tape) -> None:
    """The interpreter's time for entering each layer once forward and once backward."""
    for phase in ("forward", "backward"):
        tape.begin(phase)
        for layer in network.walk():
            tape.record("call", type(layer).__name__)


def trace_layer(
    layer: Layer, shape: tuple[int, ...], dtype: type[np.generic] | None = None
) -> list[OperatorCall]:
    """The calls of one forward and one backward pass of `layer` over an input of `shape`."""
    tape = Tape()
    first: Parameter | None = next(layer.parameters(), None)
    kind = dtype or (first.value.dtype if first is not None else np.float64)
    shadow: Any = _shadow(layer, tape)
    y = shadow.forward(TracedArray.empty(shape, kind, tape), training=True)
    tape.begin("backward")
    shadow.backward(TracedArray.empty(y.shape, y.dtype, tape))
    _record_entries(layer, tape)
    return tape.calls()


def trace_step(model: Model, batch: int) -> list[OperatorCall]:
    """The calls of one training step of `model` with `batch` samples, all four phases."""
    tape = Tape()
    shadow: Any = copy.copy(model)
    shadow.network = _shadow(model.network, tape)
    shadow.loss = copy.deepcopy(model.loss)
    shadow.optimiser, flat = _shadow_update(model, tape)
    shadow.value = shadow.grad = flat
    x, t = (TracedArray.empty((batch, *shape), dtype, tape) for shape, dtype in model.batch_form())
    shadow.step(x, t, tape.begin)
    tape.record("call", type(model.optimiser).__name__)
    _record_entries(model.network, tape)
    tape.begin("loss")
    tape.record("call", type(model.loss).__name__)
    tape.record("call", type(model.loss).__name__)
    return tape.calls()


def _shadow_update(model: Model, tape: Tape) -> tuple[Any, Any]:
    """The optimiser on traced vectors, and the vector of the parameters."""
    optimiser: Any = copy.copy(model.optimiser)
    flat = TracedArray.empty(model.value.shape, model.dtype, tape)
    optimiser.decays = flat
    optimiser.state = dict.fromkeys(optimiser.state, flat)
    return optimiser, flat


def trace_loss(model: Model, output: tuple[int, ...], batch: int) -> list[OperatorCall]:
    """The calls of the loss and its gradient on `batch` outputs of shape `output`."""
    tape = Tape()
    tape.begin("loss")
    _, (shape, dtype) = model.batch_form()
    loss = copy.deepcopy(model.loss)
    targets: Any = TracedArray.empty((batch, *shape), dtype, tape)
    loss.forward(TracedArray.empty((batch, *output), model.dtype, tape), targets)  # type: ignore[arg-type]
    loss.backward()
    tape.record("call", type(loss).__name__)
    tape.record("call", type(loss).__name__)
    return tape.calls()


def trace_update(model: Model) -> list[OperatorCall]:
    """The calls of one update of the model's parameters by its optimiser."""
    tape = Tape()
    tape.begin("update")
    optimiser, flat = _shadow_update(model, tape)
    optimiser.step(flat, flat)
    tape.record("call", type(model.optimiser).__name__)
    return tape.calls()


def trace_batch(columns: list[tuple[tuple[int, ...], np.dtype]], batch: int) -> list[OperatorCall]:
    """The calls that pick `batch` random rows from arrays of the given sample shapes."""
    tape = Tape()
    index = np.zeros(batch, np.intp)
    for shape, dtype in columns:
        TracedArray.empty((1, *shape), dtype, tape)[index]
    return tape.calls()

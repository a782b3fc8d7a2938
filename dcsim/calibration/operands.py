"""Makes the NumPy call that an `OperatorCall` describes, on memory laid out for timing.

Operands are views of a few large pools. Several sets of operands, spread over a chosen
footprint, let a call run as it does inside a training step, where other calls have
touched the caches since the arrays were last used.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.classes import touched_bytes
from dcsim.records.operators import OperatorCall

Array = NDArray[np.floating]
MOST_SETS = 256
#: Layouts in which memory is walked with gaps.
STRIDED = ("s", "g")
PAGE_BYTES = 4096
_PATTERN = 4099  # A prime, so that rows of equal content never line up with the caches.


@dataclass(frozen=True, slots=True)
class Setting:
    """A process to time in: its BLAS threads, and whether it keeps the memory it has freed."""

    threads: int = 1
    keeps_memory: bool = True

    @property
    def name(self) -> str:
        """`threads`, `fresh`, or nothing for one thread on memory that is kept."""
        return "threads" if self.threads > 1 else "" if self.keeps_memory else "fresh"


PLAIN = Setting()


@dataclass(frozen=True, slots=True)
class Case:
    """One call to be timed with operands spread over about `footprint_bytes`.

    Runs of a strided operand begin `gap` runs apart.
    """

    call: OperatorCall
    footprint_bytes: float = 0.0
    gap: int = 2

    @property
    def setting(self) -> Setting:
        """The kind of process in which this call is to be timed."""
        return Setting(self.call.threads, self.call.kind != "fresh")

    @property
    def sets(self) -> int:
        """How many sets of operands make up the footprint."""
        own = max(touched_bytes(self.call), 1.0)
        return int(min(max(self.footprint_bytes // own, 1), MOST_SETS))

    @property
    def elsewhere_bytes(self) -> float:
        """What the other sets touch between two uses of one."""
        return (self.sets - 1) * touched_bytes(self.call)


class Pools:
    """Memory for operands: `values` to read, `sink` to write, `ones` to combine with.

    Values lie in (0.5, 1.5), far from denormal numbers, infinities and slow paths.
    """

    def __init__(self, size_bytes: int) -> None:
        rng = np.random.default_rng(0)
        pattern = rng.random(_PATTERN) + 0.5
        self._pools: dict[tuple[str, int], Array] = {}
        for dtype in (np.float32, np.float64):
            count = size_bytes // np.dtype(dtype).itemsize
            width = np.dtype(dtype).itemsize
            self._pools["values", width] = np.resize(pattern.astype(dtype), count)
            self._pools["sink", width] = np.resize(pattern.astype(dtype), count)
            self._pools["ones", width] = np.ones(count, dtype)

    def take(self, pool: str, width: int, at: int, count: int) -> Array:
        """`count` numbers from position `at` on, wrapped into the pool, 64-byte aligned."""
        memory = self._pools[pool, 8 if width == 8 else 4]
        room = max(memory.size - count, 1)
        start = (at % room) // 16 * 16
        return memory[start : start + count]


def prepare(case: Case, pools: Pools) -> list[Callable[[], object]]:
    """One closure for each set of operands; calling it makes the call once."""
    makers = {
        "gemm": _product,
        "batched_gemm": _product,
        "elementwise": _element,
        "transcendental": _element,
        "reduce": _reduce,
        "gather": _gather,
        "scatter": _scatter,
        "copy": _copy,
        "random": _random,
        "view": _view,
        "call": _call,
        "fresh": _fresh,
    }
    call = case.call
    # No operand of a set reaches into the next one's, in whichever pool it lies.
    run = case.gap * call.n if call.layout in STRIDED else call.n
    largest = max(call.m * call.k + call.k * call.n, call.m * call.n, run)
    step = largest * max(call.batch, 1) + 16
    maker = makers[call.kind]
    return [maker(case, pools, index * step) for index in range(case.sets)]


def _strided(case: Case, pools: Pools, pool: str, at: int) -> Array:
    """Runs of `inner` elements (one, where even those lie apart), `gap` runs apart."""
    call = case.call
    run = 1 if call.layout == "g" else call.inner or call.n
    wide = pools.take(pool, call.elem_bytes, at, case.gap * call.n)
    runs = wide.reshape(-1, case.gap * run)[:, :run]
    return runs[:, 0] if run == 1 else runs


def _product(case: Case, pools: Pools, at: int) -> Callable[[], object]:
    call = case.call
    lead = (call.batch,) if call.kind == "batched_gemm" else ()
    matrices = max(call.batch, 1)

    def operand(rows: int, columns: int, order: str, at: int) -> Array:
        flat = pools.take("values", call.elem_bytes, at, matrices * rows * columns)
        if order == "n":
            return flat.reshape(*lead, rows, columns)
        return flat.reshape(*lead, columns, rows).swapaxes(-1, -2)

    a = operand(call.m, call.k, call.layout[0], at)
    b = operand(call.k, call.n, call.layout[1], at + a.size)
    if call.allocated_bytes:
        return lambda: a @ b
    out = pools.take("sink", call.elem_bytes, at, matrices * call.m * call.n)
    out = out.reshape(*lead, call.m, call.n)
    return lambda: np.matmul(a, b, out=out)


def _element(case: Case, pools: Pools, at: int) -> Callable[[], object]:
    call = case.call
    function: np.ufunc = getattr(np, call.function)
    in_place = not call.allocated_bytes
    pool = "sink" if in_place else "values"
    if call.layout in STRIDED:
        x = _strided(case, pools, pool, at)
    else:
        x = pools.take(pool, call.elem_bytes, at, call.n)
    run = call.inner or call.n
    if call.layout == "b":
        x = x.reshape(-1, run)
    if function.nin == 1:
        return lambda: function(x)
    other: Array | float | NDArray[np.bool_]
    if call.layout == "b":
        other = pools.take("ones", call.elem_bytes, at, run)
    elif call.layout == "x":
        other = pools.take("values", call.elem_bytes, at, call.n) > 1.0
    elif call.layout == "c" and call.bytes < 2.5 * call.n * call.elem_bytes:
        other = 1.0 if in_place else 0.75
    else:
        other = pools.take("ones", call.elem_bytes, at + call.n, call.n).reshape(x.shape)
    if in_place:
        return lambda: function(x, other, out=x)
    return lambda: function(x, other)


def _reduce(case: Case, pools: Pools, at: int) -> Callable[[], object]:
    call = case.call
    function = getattr(np, call.function)
    flat = pools.take("values", call.elem_bytes, at, call.n * call.k)
    if call.layout == "c":
        rows = flat.reshape(call.n, call.k)
        return lambda: function(rows, axis=-1, keepdims=True)
    columns = flat.reshape(call.k, call.n)
    if call.allocated_bytes:
        return lambda: function(columns, axis=0)
    out = pools.take("sink", call.elem_bytes, at, call.n)
    return lambda: function(columns, axis=0, out=out)


def _rows(call: OperatorCall, at: int) -> tuple[int, NDArray[np.intp]]:
    """The row length and pseudo-random row numbers of an indexed call."""
    run = call.inner or call.n
    count = max(call.n // run, 1)
    index = (np.arange(count) * 7919 + at) % max(count, 64)
    return run, index.astype(np.intp)


def _table(call: OperatorCall, pools: Pools, pool: str, at: int) -> tuple[Array, NDArray[np.intp]]:
    run, index = _rows(call, at)
    rows = max(len(index), 64)
    return pools.take(pool, call.elem_bytes, at, rows * run).reshape(rows, run), index


def _gather(case: Case, pools: Pools, at: int) -> Callable[[], object]:
    call = case.call
    table, index = _table(call, pools, "values", at)
    if table.shape[1] == 1:
        places = np.arange(len(index))
        wide = pools.take("values", call.elem_bytes, at, len(index) * 16).reshape(-1, 16)
        return lambda: wide[places, index % 16]
    return lambda: table[index]


def _scatter(case: Case, pools: Pools, at: int) -> Callable[[], object]:
    call = case.call
    table, index = _table(call, pools, "sink", at)
    values = pools.take("ones", call.elem_bytes, at, len(index) * table.shape[1])
    values = values.reshape(len(index), -1)
    if call.function == "add.at":
        return lambda: np.add.at(table, index, values)

    flat = values[:, 0]
    if table.shape[1] > 1:
        flat = values

    def assign() -> None:
        if table.shape[1] > 1:
            table[index] = flat
        else:
            table[index, 0] = flat

    return assign


def _copy(case: Case, pools: Pools, at: int) -> Callable[[], object]:
    call = case.call
    if call.function == "arange":
        return lambda: np.arange(call.n)
    if call.function == "astype":
        source = pools.take("values", call.elem_bytes, at, call.n) > 1.0
        kind = np.float64 if call.elem_bytes == 8 else np.float32
        return lambda: source.astype(kind)
    pool = "values" if call.allocated_bytes else "sink"
    if call.layout in STRIDED:
        target = _strided(case, pools, pool, at)
    else:
        target = pools.take(pool, call.elem_bytes, at, call.n)
    if call.allocated_bytes:
        return lambda: target.copy()
    if call.function == "fill":

        def fill() -> None:
            target[...] = 0.0

        return fill
    source_values = pools.take("values", call.elem_bytes, at, call.n).reshape(target.shape)

    def assign() -> None:
        target[...] = source_values

    return assign


def _fresh(case: Case, pools: Pools, at: int) -> Callable[[], object]:
    """Memory that is asked for, touched once in every page, and given back."""
    size = int(case.call.allocated_bytes)

    def touch() -> None:
        np.empty(size, np.uint8)[::PAGE_BYTES] = 1

    return touch


def _random(case: Case, pools: Pools, at: int) -> Callable[[], object]:
    call = case.call
    rng = np.random.default_rng(at)
    kind = np.float64 if call.elem_bytes == 8 else np.float32
    return lambda: rng.random(call.n, dtype=kind)


def _view(case: Case, pools: Pools, at: int) -> Callable[[], object]:
    call = case.call
    x = pools.take("values", call.elem_bytes, at, 64).reshape(2, 4, 8)
    one = x[0, 0, :1].copy().reshape(())
    views: dict[str, Callable[[], object]] = {
        "reshape": lambda: x.reshape(-1, x.shape[-1]),
        "transpose": lambda: x.T,
        "swapaxes": lambda: x.swapaxes(-1, -2),
        "slice": lambda: x[0],
        "item": lambda: float(one),
        "empty_like": lambda: np.empty_like(x),
    }
    return views[call.function]


class _Entry:
    """What entering a layer costs: an attribute, a call, a keyword and a result kept."""

    def __init__(self, value: Array) -> None:
        self.value = value

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """Keep and return x."""
        self.kept = x
        return self.value


def _call(case: Case, pools: Pools, at: int) -> Callable[[], object]:
    x = pools.take("values", case.call.elem_bytes, at, 8)
    entry = _Entry(x)
    return lambda: entry.forward(x, training=True)

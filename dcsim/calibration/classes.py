"""Operator calls of a NumPy step → operator classes, each with its own cost curve.

Classes separate what NumPy executes by different code: element functions that share a
vector loop are one class, but a broadcast, a strided or a mixed-type loop is another.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from dcsim.cost.operators import Work
from dcsim.records.errors import Fault, InputError
from dcsim.records.operators import OperatorCall
from dcsim.records.profile import OperatorParameters

#: Kinds whose calls move no data: only their fixed cost counts.
FIXED_COST_KINDS = frozenset({"view", "call"})
PRODUCTS = frozenset({"gemm", "batched_gemm"})
ELEMENT_KINDS = frozenset({"elementwise", "transcendental"})

#: Where to look when a profile, for instance an older one, has nothing of a kind.
RELATIVES: Mapping[str, str] = {"outer": "gemm", "gemv": "gemm", "batched_gemm": "gemm"}

#: Element functions that run the same kind of vector loop.
FUNCTION_GROUPS: Mapping[str, str] = {
    **dict.fromkeys(("add", "subtract", "multiply"), "arithmetic"),
    **dict.fromkeys(("absolute", "negative", "square", "positive"), "unary"),
    **dict.fromkeys(("maximum", "minimum", "fmax", "fmin"), "maximum"),
    **dict.fromkeys(
        ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal", "isfinite"),
        "compare",
    ),
}
_UNARY_FUNCTIONS = frozenset(
    "absolute negative square positive isfinite exp log log1p expm1 tanh sqrt sin cos".split()
)


def operator_class(call: OperatorCall) -> str:
    """The name of the cost curve that `call` follows: `kind.function.layout.f<bytes>`.

    Matrix products with one row or one column (`gemv`) or one inner element (`outer`) are
    limited by memory and go other ways through BLAS, so they are classes of their own.
    Layout `k` marks an element function of one array and a constant, which NumPy must
    convert at every call. Products that several threads share end in `.t<threads>`.
    """
    if call.kind == "call":
        return "call"
    if call.kind in ("view", "fresh"):
        return f"{call.kind}.{call.function}"
    precision = "f8" if call.elem_bytes == 8 else "f4"
    if call.kind in PRODUCTS:
        threads = f".t{call.threads}" if call.threads > 1 else ""
        return f"{_product_kind(call)}.{call.layout}.{precision}{threads}"
    function = FUNCTION_GROUPS.get(call.function, call.function)
    layout = "k" if _with_constant(call) else call.layout
    return f"{call.kind}.{function}.{layout}.{precision}"


def _product_kind(call: OperatorCall) -> str:
    if call.kind == "gemm" and min(call.m, call.n) == 1:
        return "gemv"
    return "outer" if call.kind == "gemm" and call.k == 1 else call.kind


def _with_constant(call: OperatorCall) -> bool:
    """Whether a function of two operands reads only one array: the other is a scalar."""
    if call.kind not in ELEMENT_KINDS or call.layout != "c" or call.function in _UNARY_FUNCTIONS:
        return False
    read_and_written = call.bytes / max(call.n * call.elem_bytes, 1)
    return read_and_written < 2.5


def parameters_of(name: str, operators: Mapping[str, OperatorParameters]) -> OperatorParameters:
    """The parameters of class `name`, else of its nearest measured relative.

    Relatives agree in as many leading parts of the name as possible, then in precision;
    among equals the slowest is taken. InputError when the profile has none of the kind.
    """
    if name in operators:
        return operators[name]
    parts = name.split(".")
    best: tuple[int, bool, float, str] | None = None
    for key, parameters in operators.items():
        other = key.split(".")
        common = _common(parts, other)
        if common == 0:
            continue
        rank = (common, other[-1] == parts[-1], parameters.overhead_s, key)
        if best is None or rank > best:
            best = rank
    if best is None and parts[0] in RELATIVES:
        return parameters_of(".".join([RELATIVES[parts[0]], *parts[1:]]), operators)
    if best is None:
        raise InputError(
            Fault(f"the profile has no operator class like {name}; run `dcsim calibrate` again")
        )
    return operators[best[3]]


def _common(parts: Sequence[str], other: Sequence[str]) -> int:
    same = 0
    for one, two in zip(parts, other, strict=False):
        if one != two:
            break
        same += 1
    return same


def work_of(calls: Sequence[OperatorCall], elsewhere_bytes: float | np.ndarray = 0.0) -> Work:
    """Arrays of shape (len(calls),), one entry a call, without the `count`.

    A fresh result is moved twice: a processor reads a cache line before it writes to it.
    Strided calls move whole cache lines.
    `elsewhere_bytes` is what other calls touch between two uses of the same array: with
    the call's own bytes it makes the working set. A product's `batch` matrices are one
    entry of one matrix, whose repetition `repeats_of` gives. The inner run of a
    loop (and the number of elements that a reduction folds) takes the place of `k`: a
    short run costs like a short dimension of a product.
    """
    batch = np.array([max(call.batch, 1) for call in calls], dtype=float)
    moved = np.array([max(call.bytes, call.swept_bytes) + call.allocated_bytes for call in calls])
    touched = np.array([max(touched_bytes(call), call.swept_bytes) for call in calls])
    shapes = np.array([_shape(call) for call in calls], dtype=float).reshape(-1, 3)
    return Work(
        flop=np.array([_flop(call) for call in calls]) / batch,
        bytes_moved=moved / batch,
        working_set_bytes=np.maximum(touched, 1.0) + elsewhere_bytes,
        m=shapes[:, 0],
        n=shapes[:, 1],
        k=shapes[:, 2],
    )


def touched_bytes(call: OperatorCall) -> float:
    """How much memory a call touches: a result written in place lies where an operand was."""
    in_place = call.kind in ELEMENT_KINDS and not call.allocated_bytes
    return call.bytes - (call.n * call.elem_bytes if in_place else 0.0)


def repeats_of(calls: Sequence[OperatorCall]) -> np.ndarray:
    """How often the work of each call is done: `count` times `batch`."""
    return np.array([call.count * max(call.batch, 1) for call in calls], dtype=float)


def _flop(call: OperatorCall) -> float:
    """One operation an element where a call moves data without computing."""
    return call.flop or float(call.n * call.k if call.kind not in FIXED_COST_KINDS else 0)


def _shape(call: OperatorCall) -> tuple[float, float, float]:
    if call.kind in PRODUCTS:
        return (call.m, call.n, call.k)
    if call.kind == "reduce":
        return (np.inf, np.inf, call.k if call.layout == "c" else call.n)
    return (np.inf, np.inf, call.inner or np.inf)

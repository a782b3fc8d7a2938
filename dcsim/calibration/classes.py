"""Operator calls of a NumPy step → operator classes and arrays of work."""

from collections.abc import Mapping, Sequence

import numpy as np

from dcsim.cost.operators import Work
from dcsim.records.errors import Fault, InputError
from dcsim.records.operators import OperatorCall
from dcsim.records.profile import OperatorParameters

#: Kinds whose calls move no data: only their fixed cost counts.
FIXED_COST_KINDS = frozenset({"view", "call"})
#: Kinds where the arithmetic differs so much by function that each has its own curve.
BY_FUNCTION_KINDS = frozenset({"transcendental", "random"})


def operator_class(call: OperatorCall) -> str:
    """The name of the cost curve that `call` follows: `kind[.function].f<bytes>`.

    A matrix product with one row or one column goes another way through BLAS (`gemv`,
    limited by memory), so it is a class of its own.
    """
    if call.kind in FIXED_COST_KINDS:
        return call.kind
    kind = call.kind
    if kind == "gemm" and min(call.m, call.n) == 1:
        kind = "gemv"
    if kind in BY_FUNCTION_KINDS:
        kind = f"{kind}.{call.function}"
    elif call.layout == "s" and kind in ("elementwise", "copy"):
        kind = f"{kind}.strided"
    return f"{kind}.f{8 if call.elem_bytes == 8 else 4}"


def parameters_of(name: str, operators: Mapping[str, OperatorParameters]) -> OperatorParameters:
    """The parameters of class `name`, else of its nearest measured relative.

    A function that was not timed borrows the slowest curve of its kind; InputError when
    the profile has nothing of the kind.
    """
    if name in operators:
        return operators[name]
    kind, _, rest = name.partition(".")
    precision = rest.rpartition(".")[2]
    relatives = [p for key, p in operators.items() if key.partition(".")[0] == kind]
    same = [p for p in relatives if p.name.endswith(f".{precision}")] or relatives
    if not same:
        raise InputError(
            Fault(f"the profile has no operator class like {name}; run `dcsim calibrate` again")
        )
    return min(same, key=lambda p: (p.peak_flops, p.name))


def work_of(calls: Sequence[OperatorCall]) -> Work:
    """Arrays of shape (len(calls),), one entry a call, without the `count`."""

    def column(values: list[float]) -> np.ndarray:
        return np.array(values, dtype=float)

    products = [call.kind in ("gemm", "batched_gemm") for call in calls]
    return Work(
        flop=column([call.flop for call in calls]),
        bytes_moved=column([call.bytes for call in calls]),
        working_set_bytes=column([max(call.bytes, 1.0) for call in calls]),
        m=column([c.m if p else np.inf for c, p in zip(calls, products, strict=True)]),
        n=column([c.n if p else np.inf for c, p in zip(calls, products, strict=True)]),
        k=column([c.k if p else np.inf for c, p in zip(calls, products, strict=True)]),
    )

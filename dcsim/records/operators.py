"""The NumPy calls that a training step makes, counted one by one."""

from dataclasses import asdict, dataclass
from typing import Any

#: What a call does, which decides the cost curve that it follows.
OPERATOR_KINDS: tuple[str, ...] = (
    "gemm",  # one matrix product (m, k) @ (k, n)
    "batched_gemm",  # `batch` matrix products of one shape in one call
    "elementwise",  # add, multiply, compare, ...: limited by memory traffic
    "transcendental",  # exp, tanh, log, sqrt, divide, power: limited by arithmetic
    "reduce",  # sum, max or mean: `k` elements folded into each of `n` results
    "gather",  # rows picked by index
    "scatter",  # rows added back by index
    "copy",  # a pass that only moves data: fill, assignment, making contiguous
    "random",  # drawing random numbers
    "fresh",  # first touch of memory that the system has just handed over
    "view",  # reshape, transpose, slice: no data moves, only interpreter time
    "call",  # entering one method of a layer, loss or optimiser
)

PHASES: tuple[str, ...] = ("forward", "loss", "backward", "update")


@dataclass(frozen=True, slots=True)
class OperatorCall:
    """`count` identical NumPy calls within one training step.

    `kind` is one of `OPERATOR_KINDS`, `function` the NumPy function (`matmul`, `tanh`,
    `add`), `phase` one of `PHASES`.

    Matrix products: result `m` x `n`, inner size `k`, `batch` of them in the call, and
    `layout` says for each operand whether its rows are contiguous (`n`) or its columns
    are (`t`): `nn`, `nt`, `tn`, `tt`. All other kinds: `n` result elements, `k` elements
    folded into each (1 but for `reduce`), and `layout` is `c` when every array is walked
    in memory order, `s` when some array is strided (for `reduce`: when other than trailing
    axes are folded), `g` when even the elements of an innermost run lie apart, `b` when some
    operand is broadcast, `x` when types are mixed.

    `flop` counts two for a multiply-add and one for any other element operation; `bytes`
    is what must be read plus what is written, each array once; `allocated_bytes` is the
    size of the fresh array that the call returns, 0 when it writes in place. All are for
    one call, not yet times `count`. `inner` is the run of elements that the innermost loop
    covers before it starts over: the row length of a broadcast, strided or indexed call;
    0 where the whole call is one run. `swept_bytes` is what a strided call moves in whole
    cache lines, gaps inside them included; 0 where that is `bytes`. `threads` is how many
    threads share the call.
    """

    kind: str
    function: str
    phase: str
    m: int = 1
    n: int = 1
    k: int = 1
    batch: int = 1
    flop: float = 0.0
    bytes: float = 0.0
    allocated_bytes: float = 0.0
    elem_bytes: int = 8
    layout: str = "c"
    count: int = 1
    inner: int = 0
    swept_bytes: float = 0.0
    threads: int = 1

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "OperatorCall":
        """The inverse of `to_json`."""
        return cls(**fields)

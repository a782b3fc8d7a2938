"""What a process's threads and memory change in the calls of a step that runs in it."""

from collections.abc import Sequence
from dataclasses import replace

from dcsim.calibration.operands import Setting
from dcsim.records.operators import OperatorCall

#: A BLAS computes small products alone: OpenBLAS wakes other threads from m·n·k = 65536 × 4
#: on, and for a matrix times a vector from m·n = 2304 × 4 (interface/gemm.c, gemv.c).
SHARED_PRODUCT, SHARED_VECTOR = 262_144, 9_216
#: From this size on glibc asks the system for memory and gives it back (mallopt(3)).
FRESH_BYTES = 128 << 10
#: From this size on NumPy asks for huge pages, of which a first touch gets 2 MiB at once.
HUGE_BYTES = 4 << 20


def in_setting(calls: Sequence[OperatorCall], setting: Setting) -> list[OperatorCall]:
    """`calls` as a process of this `setting` makes them."""
    found = shared(calls, setting.threads)
    return found if setting.keeps_memory else with_fresh_pages(found)


def shared(calls: Sequence[OperatorCall], threads: int) -> list[OperatorCall]:
    """The calls, the products that are large enough shared by `threads`."""
    if threads == 1:
        return list(calls)
    return [replace(call, threads=threads) if _is_shared(call) else call for call in calls]


def _is_shared(call: OperatorCall) -> bool:
    if call.kind not in ("gemm", "batched_gemm"):
        return False
    if call.kind == "gemm" and min(call.m, call.n) == 1:
        return call.m * call.n * call.k >= SHARED_VECTOR
    return call.m * call.n * call.k > SHARED_PRODUCT


def with_fresh_pages(calls: Sequence[OperatorCall]) -> list[OperatorCall]:
    """The calls, and the first touch of every large result that one of them allocates."""
    touched = [
        fresh_pages(call.allocated_bytes, call.count)
        for call in calls
        if call.allocated_bytes >= FRESH_BYTES
    ]
    return [*calls, *touched]


def fresh_pages(size_bytes: float, count: int) -> OperatorCall:
    """`count` times so much memory that the system hands over page by page."""
    return OperatorCall(
        "fresh",
        "huge" if size_bytes >= HUGE_BYTES else "small",
        "forward",
        n=int(size_bytes) // 8,
        bytes=size_bytes,
        allocated_bytes=size_bytes,
        count=count,
    )

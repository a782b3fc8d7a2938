"""Which calls are timed: for each operator class, sizes and shapes from tiny to large.

The shapes come from a seeded generator, so that every calibration times the same ones,
and are no shapes of any held-out model in particular.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from dcsim.calibration.context import fresh_pages, shared
from dcsim.calibration.operands import PAGE_BYTES, Case
from dcsim.records.operators import OperatorCall
from dcsim.training.tracing import LINE_BYTES

KIB, MIB = 1 << 10, 1 << 20
WIDTHS = (4, 8)
#: Footprints in bytes: each level of a memory hierarchy should hold one of them.
FOOTPRINTS = (0, 256 * KIB, 2 * MIB, 12 * MIB, 40 * MIB, 150 * MIB)
LARGEST_PRODUCT_FLOP = 3e8
#: `add.at` takes its time, the same for every element.
MOST_SCATTERED = 64_000
#: No strided case spans more memory.
MOST_SPANNED_BYTES = 20 * MIB
#: Kinds whose time no footprint changes.
BOUND_BY_ARITHMETIC = frozenset({"random"})
#: A quick calibration times this share of the calls that vary in two sizes.
QUICK_SHARE = 0.5
SEED = 20240


def cases(quick: bool, threads: int = 1) -> list[Case]:
    """All cases of a calibration, in the order in which they are defined.

    `quick` leaves out most combinations of size and footprint, but no class. With several
    `threads`, products that so many share are among them.
    """
    rng = np.random.default_rng(SEED)
    chosen: list[Case] = [Case(call) for call in _fixed()]
    for width in WIDTHS:
        for group in (_elements, _constants, _broadcasts, _folds, _rows, _copies):
            calls = list(group(width))
            if quick and group in (_broadcasts, _folds):
                calls = [call for call in calls if rng.random() < QUICK_SHARE]
            chosen += _spread(calls, rng, share=0.15 if quick else 0.35)
        chosen += _products(width, rng, per_layout=18 if quick else 48)
        chosen += _batches(width, rng, per_layout=10 if quick else 24)
        chosen += _vectors(width)
        chosen += _gapped(width)
    chosen += _fresh()
    if threads > 1:
        chosen += _threaded(rng, threads, 0.5 if quick else 1.0)
    return chosen


def _spread(calls: list[OperatorCall], rng: np.random.Generator, share: float) -> Iterator[Case]:
    """Each call on its own, and a `share` of them with operands from larger footprints."""
    for call in calls:
        yield Case(call)
        if call.kind in BOUND_BY_ARITHMETIC:
            continue
        for footprint in FOOTPRINTS[1:]:
            if 2 * KIB < call.bytes < footprint / 2.5 and rng.random() < share:
                yield Case(call, footprint)


def _fixed() -> Iterator[OperatorCall]:
    yield OperatorCall("call", "forward", "forward")
    for function in ("reshape", "transpose", "swapaxes", "slice", "item", "empty_like"):
        yield OperatorCall("view", function, "forward")


def _element(kind: str, function: str, n: int, width: int, **fields: Any) -> OperatorCall:
    """An element call: `arrays` operands read, `in_place` or a fresh result."""
    arrays = fields.pop("arrays", 2)
    in_place = fields.pop("in_place", False)
    result = n if function in ("greater", "equal") else n * width
    call = OperatorCall(
        kind,
        function,
        "forward",
        n=n,
        flop=float(n),
        bytes=float(arrays * n * width + result),
        allocated_bytes=0.0 if in_place else float(result),
        elem_bytes=width,
    )
    return replace(call, **fields)


SIZES = (8, 100, 600, 3000, 12_000, 50_000, 200_000, 1_000_000, 3_000_000)


def _elements(width: int) -> Iterator[OperatorCall]:
    for n in SIZES:
        for function in ("add", "multiply"):
            yield _element("elementwise", function, n, width)
            yield _element("elementwise", function, n, width, in_place=True)
        yield _element("elementwise", "absolute", n, width, arrays=1)
        yield _element("transcendental", "divide", n, width)
    for n in SIZES[:-2]:
        for function in ("exp", "tanh", "sqrt", "log", "log1p"):
            yield _element("transcendental", function, n, width, arrays=1)


def _constants(width: int) -> Iterator[OperatorCall]:
    for n in SIZES:
        yield _element("elementwise", "multiply", n, width, arrays=1)
        yield _element("elementwise", "multiply", n, width, arrays=1, in_place=True)
        yield _element("elementwise", "maximum", n, width, arrays=1)
        yield _element("elementwise", "greater", n, width, arrays=1)
        yield _element("transcendental", "divide", n, width, arrays=1)
    for n in SIZES[:-3]:
        yield _element("transcendental", "power", n, width, arrays=1)


def _broadcasts(width: int) -> Iterator[OperatorCall]:
    for run in (2, 10, 32, 100, 300, 1200):
        for rows in (1, 8, 64, 500, 4000):
            n = run * rows
            if n > 1_000_000:
                continue
            small = float(2 * n * width + run * width)
            for in_place in (False, True):
                call = _element("elementwise", "add", n, width, in_place=in_place)
                yield replace(call, layout="b", inner=run, bytes=small)
            call = _element("transcendental", "divide", n, width)
            yield replace(call, layout="b", inner=run, bytes=small)
    for n in SIZES:
        mixed = _element("elementwise", "multiply", n, width)
        yield replace(mixed, layout="x", bytes=float(n * (2 * width + 1)))


def _folds(width: int) -> Iterator[OperatorCall]:
    for kept in (1, 8, 60, 500, 4000):
        for folded in (4, 30, 200, 1500):
            for function in ("sum", "mean", "max"):
                for layout in "cs":
                    yield OperatorCall(
                        "reduce",
                        function,
                        "forward",
                        n=kept,
                        k=folded,
                        flop=float(kept * folded),
                        bytes=float((kept * folded + kept) * width),
                        allocated_bytes=float(kept * width) if layout == "c" else 0.0,
                        elem_bytes=width,
                        layout=layout,
                    )


def _rows(width: int) -> Iterator[OperatorCall]:
    for run in (1, 16, 64, 256):
        for count in (4, 32, 256, 2000):
            n = run * count
            moved = float(n * width)
            common: dict[str, Any] = {"n": n, "elem_bytes": width, "inner": run}
            yield OperatorCall(
                "gather", "take", "forward", bytes=2 * moved, allocated_bytes=moved, **common
            )
            yield OperatorCall("scatter", "assign", "forward", bytes=2 * moved, **common)
            if run > 1 and n <= MOST_SCATTERED:
                yield OperatorCall("scatter", "add.at", "forward", bytes=3 * moved, **common)


def _copies(width: int) -> Iterator[OperatorCall]:
    for n in SIZES:
        moved = float(n * width)
        common: dict[str, Any] = {"n": n, "elem_bytes": width}
        yield OperatorCall("copy", "fill", "forward", bytes=moved, **common)
        yield OperatorCall("copy", "assign", "forward", bytes=2 * moved, **common)
        if width == 8:
            yield OperatorCall(
                "copy", "arange", "forward", bytes=moved, allocated_bytes=moved, **common
            )
        yield OperatorCall(
            "copy",
            "astype",
            "forward",
            bytes=moved + n,
            allocated_bytes=moved,
            layout="x",
            **common,
        )
        yield OperatorCall(
            "random", "random", "forward", bytes=moved, allocated_bytes=moved, **common
        )
    for run in (8, 32, 128):
        for rows in (8, 100, 1500):
            n = run * rows
            fresh = float(n * width)
            common = {"n": n, "elem_bytes": width, "inner": run, "layout": "s"}
            yield OperatorCall(
                "copy", "reshape", "forward", bytes=2 * fresh, allocated_bytes=fresh, **common
            )


def _gapped(width: int) -> Iterator[Case]:
    """Strided calls: heads of attention, patches and windows of images, padded borders."""
    for layout, run in (("s", 3), ("s", 8), ("s", 16), ("s", 40), ("s", 120), ("s", 400), ("g", 1)):
        for rows in (60, 800, 9000, 60_000):
            n = run * rows
            for gap in (2, 9):
                if gap * n * width <= MOST_SPANNED_BYTES:
                    yield from (Case(c, gap=gap) for c in _strided(n, run, gap, width, layout))


def _strided(n: int, run: int, gap: int, width: int, layout: str) -> Iterator[OperatorCall]:
    size, swept = float(n * width), _swept(n, run, gap, width)
    common: dict[str, Any] = {"layout": layout, "inner": run if layout == "s" else 0}
    moved = replace(OperatorCall("copy", "assign", "forward", n=n, elem_bytes=width), **common)
    yield replace(moved, bytes=2 * size, swept_bytes=swept + size)
    add = _element("elementwise", "add", n, width, in_place=True, **common)
    yield replace(add, swept_bytes=2 * swept + size)
    for kind, function in (
        ("elementwise", "add"),
        ("elementwise", "maximum"),
        ("elementwise", "equal"),
        ("transcendental", "divide"),
    ):
        call = _element(kind, function, n, width, **common)
        yield replace(call, swept_bytes=swept + size + call.allocated_bytes)


def _swept(n: int, run: int, gap: int, width: int) -> float:
    """Bytes of the cache lines in which n elements lie, in runs that are `gap` runs apart."""
    if gap * run * width <= LINE_BYTES:
        return float(max(gap * n * width, LINE_BYTES))
    return float(n // run * max(run * width, LINE_BYTES))


def _fresh() -> Iterator[Case]:
    """Memory from the system, from the size at which allocators ask it anew."""
    for pages in (33, 60, 130, 300, 700, 1000, 1100, 2000, 5000, 12_000):
        size = float(pages * PAGE_BYTES)
        yield Case(fresh_pages(size, 1))


def _threaded(rng: np.random.Generator, threads: int, share: float) -> Iterator[Case]:
    """Products that several threads share."""
    for width in WIDTHS:
        chosen = [
            *_products(width, rng, per_layout=round(40 * share)),
            *_batches(width, rng, per_layout=round(24 * share)),
            *_vectors(width),
        ]
        for case in chosen:
            (call,) = shared([case.call], threads)
            if call.threads > 1:
                yield replace(case, call=call)


def _product(width: int, m: int, n: int, k: int, layout: str, batch: int = 0) -> OperatorCall:
    """`batch` 0 is a plain product; a transposed left side writes in place, as in training."""
    matrices = max(batch, 1)
    result = float(matrices * m * n * width)
    return OperatorCall(
        "batched_gemm" if batch else "gemm",
        "matmul",
        "forward",
        m=m,
        n=n,
        k=k,
        batch=matrices,
        flop=2.0 * matrices * m * n * k,
        bytes=float(matrices * (m * k + k * n + m * n) * width),
        allocated_bytes=0.0 if layout == "tn" and not batch else result,
        elem_bytes=width,
        layout=layout,
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> int:
    return round(np.exp(rng.uniform(np.log(low), np.log(high))))


def _products(width: int, rng: np.random.Generator, per_layout: int) -> Iterator[Case]:
    for layout in ("nn", "nt", "tn"):
        made = 0
        while made < per_layout:
            m, n, k = (_log_uniform(rng, 2, 1500) for _ in range(3))
            call = _product(width, m, n, k, layout)
            if call.flop > LARGEST_PRODUCT_FLOP:
                continue
            made += 1
            footprint = FOOTPRINTS[made % 5]
            yield Case(call, footprint if footprint > 2 * call.bytes else 0)
        yield Case(_product(width, 640, 640, 640, layout))


def _batches(width: int, rng: np.random.Generator, per_layout: int) -> Iterator[Case]:
    for layout in ("nn", "nt", "tn"):
        for made in range(per_layout):
            batch = _log_uniform(rng, 2, 200)
            m, n, k = (_log_uniform(rng, 4, 128) for _ in range(3))
            footprint = FOOTPRINTS[made % 4]
            call = _product(width, m, n, k, layout, batch)
            yield Case(call, footprint if footprint > 2 * call.bytes else 0)


def _vectors(width: int) -> Iterator[Case]:
    for rows in (4, 32, 256, 1500):
        for inner in (8, 64, 512):
            yield Case(_product(width, rows, 1, inner, "nn"))
            yield Case(_product(width, rows, 1, inner, "tn"), 2 * MIB)
            yield Case(_product(width, 1, rows, inner, "nn"), 12 * MIB)
            yield Case(_product(width, 1, rows, inner, "nt"))
            yield Case(_product(width, rows, inner, 1, "nn"))
            yield Case(_product(width, rows, inner, 1, "tn"), 12 * MIB)
            yield Case(_product(width, rows, inner, 1, "nt"))
    for layout in ("nn", "tn", "nt"):
        yield Case(_product(width, 1500, 2000, 1, layout))
        yield Case(_product(width, 1, 1500, 2000, layout), 150 * MIB)

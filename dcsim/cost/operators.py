"""The time of one operator: one form for a host CPU running NumPy and an accelerator.

    time = overhead + smooth_max(FLOP / (peak · eff(m, n, k)), bytes / bandwidth(size))

the roofline of Williams, Waterman and Patterson (Communications of the ACM 52(4), 2009)
with three refinements: a fixed cost per call; an efficiency that falls when a dimension
of a matrix product is short; a bandwidth that depends on which level of the memory
hierarchy holds the working set. The two limits meet in a p-norm instead of a corner,
because near the ridge point neither overlaps the other perfectly.

All functions are vectorised: arguments broadcast against each other, and parameters may
be arrays as well (one row a configuration, each on its own accelerator).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcsim.records.profile import OperatorParameters

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Work:
    """Operator calls as arrays of one shape (or shapes that broadcast).

    `flop` is floating-point operations, `bytes_moved` what is read plus what is written,
    `working_set_bytes` what has to stay close for the call to run at cache speed. `m`,
    `n`, `k` are the dimensions of a matrix product (m×k times k×n); infinite where the
    operator has no such shape, which makes its shape efficiency 1.
    """

    flop: ArrayLike
    bytes_moved: ArrayLike
    working_set_bytes: ArrayLike
    m: ArrayLike = np.inf
    n: ArrayLike = np.inf
    k: ArrayLike = np.inf


def smooth_max(a: ArrayLike, b: ArrayLike, smoothness: ArrayLike = 3.0) -> Array:
    """(a^p + b^p)^(1/p) for non-negative a, b: between max(a, b) and a + b.

    p = `smoothness` >= 1; p = 1 is the sum (no overlap), p → ∞ the maximum (perfect
    overlap). Scaled by the larger argument, so that tiny times do not underflow.
    """
    a, b, p = (np.asarray(x, dtype=float) for x in (a, b, smoothness))
    top = np.maximum(a, b)
    scale = np.where(top > 0.0, top, 1.0)
    return top * ((a / scale) ** p + (b / scale) ** p) ** (1.0 / p) * (top > 0.0)


def shape_efficiency(
    m: ArrayLike,
    n: ArrayLike,
    k: ArrayLike,
    knee: tuple[ArrayLike, ArrayLike, ArrayLike],
    ridge_flop_per_byte: ArrayLike,
) -> Array:
    """Share of the saturated rate that an m×k times k×n product reaches, in (0, 1].

    eff = 1 / (1 + ridge · (c_m/m + c_n/n + c_k/k)): each c is dimensionless, and a
    dimension short against c · ridge costs in proportion. The reciprocal is linear in
    1/m, 1/n and 1/k because the lost time is a surface term (panel packing, loop
    prologues, tile edges) against a volume term. Expressed in ridges, constants that
    were measured on one machine are a prior for another.
    """
    loss = sum(
        np.asarray(c, dtype=float) / np.asarray(d, dtype=float)
        for c, d in zip(knee, (m, n, k), strict=True)
    )
    return np.asarray(1.0 / (1.0 + np.asarray(ridge_flop_per_byte, dtype=float) * loss))


def seconds_per_byte(
    working_set_bytes: ArrayLike,
    bandwidth_bytes_per_s: Sequence[ArrayLike],
    level_bytes: Sequence[ArrayLike] = (),
    sharpness: ArrayLike = 2.0,
) -> Array:
    """Mean time of a byte whose working set is `working_set_bytes`, in s/B.

    Level i serves the share of traffic that misses level i−1; the missing share of a
    level of capacity C is x^s / (1 + x^s) with x = working set / C and s = `sharpness`,
    a soft step because replacement, associativity and neighbours blur the edge.
    """
    size = np.asarray(working_set_bytes, dtype=float)
    cost = 1.0 / np.asarray(bandwidth_bytes_per_s[0], dtype=float)
    previous = cost
    out = cost + np.zeros_like(size)
    for rate, capacity in zip(bandwidth_bytes_per_s[1:], level_bytes, strict=True):
        cost = 1.0 / np.asarray(rate, dtype=float)
        x = (size / np.asarray(capacity, dtype=float)) ** np.asarray(sharpness, dtype=float)
        out = out + (cost - previous) * (x / (1.0 + x))
        previous = cost
    return np.asarray(out)


def operator_time(work: Work, parameters: OperatorParameters) -> Array:
    """Seconds of each call in `work` under `parameters`; shape: the broadcast of `work`."""
    efficiency = shape_efficiency(
        work.m, work.n, work.k, parameters.shape_knee, parameters.ridge_flop_per_byte
    )
    compute_s = np.asarray(work.flop, dtype=float) / (parameters.peak_flops * efficiency)
    memory_s = np.asarray(work.bytes_moved, dtype=float) * seconds_per_byte(
        work.working_set_bytes,
        parameters.bandwidth_bytes_per_s,
        parameters.level_bytes,
        parameters.level_sharpness,
    )
    return parameters.overhead_s + smooth_max(compute_s, memory_s, parameters.smoothness)

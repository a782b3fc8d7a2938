"""The model's parameters as one value for each row: what the physics multiplies with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.cost.collectives import CollectiveParameters
from dcsim.cost.parameters import Values
from dcsim.workload.software import ATTENTION_KERNELS, Software, generations
from dcsim.workload.table import TrainingTable

Floats = NDArray[np.float64]

#: Rate of the slowest network adapter in use: accelerators with less than that each share
#: adapters, and the traffic of one delays that of the other.
ADAPTER_BYTES_PER_S = 12.5e9

#: Release at which the trend of mixture overheads is one.
MIXTURE_YEAR = 2026.0


def kernel_of(software: Software) -> str:
    """The attention kernel that a generation of software uses."""
    return software.attention


@dataclass(frozen=True, slots=True)
class ProductRate:
    """Rate of large matrix products in FLOP/s, and how shape and traffic slow small ones.

    `units` compute one tile of the result each; `wave` is the share of a last, partly
    filled wave of tiles that is lost.
    """

    flops: Floats
    knee: Floats
    sharpness: float
    wave: float
    units: Floats


@dataclass(frozen=True, slots=True)
class DeviceRates:
    """Rates of one accelerator, its software's pace included; arrays of shape (n,) or (1,).

    `product` serves the row's precision, `wide` the 16-bit vocabulary product; `mixture`
    multiplies everything that a mixture of experts adds, by the software's release.
    """

    product: ProductRate
    wide: ProductRate
    attention_flops: Floats
    half_seq: Floats
    half_head: float
    misaligned: float
    unfused: NDArray[np.bool_]
    score_passes: float
    bytes_per_s: Floats
    norm_passes: Floats
    mlp_passes: Floats
    qkv_passes: Floats
    cast_passes: Floats
    loss_bytes: Floats
    accumulate_bytes: Floats
    selective: Floats
    selective_products: Floats
    grouped: float
    mixture: Floats
    moe_passes: float
    imbalance: float
    optimizer_bytes: float
    offload_bytes_per_s: float


@dataclass(frozen=True, slots=True)
class HostRates:
    """Time that the host needs to launch kernels; seconds."""

    layer_s: Floats
    moe: float
    tensor_parallel: float
    sharpness: float
    step_s: Floats


@dataclass(frozen=True, slots=True)
class NetworkRates:
    """Attainable shares of the network and what of its time stays exposed."""

    collectives: CollectiveParameters
    jitter: float
    tp_exposed: Floats
    dp_floor: Floats
    dp_traffic: Floats
    dp_window: Floats
    fsdp_floor: Floats
    ep_exposed: Floats
    cp_exposed: float
    pp_exposed: float
    handover_s: Floats
    bubble: float
    gradient_bytes: Floats


@dataclass(frozen=True, slots=True)
class MemoryRates:
    """What a generation of software holds in memory."""

    gradient_bytes: Floats
    state_bytes: Floats
    mask_bytes: Floats
    logit_bytes: Floats
    bucket_bytes: Floats
    kept: Floats
    selective: Floats
    selective_moe: float


@dataclass(frozen=True, slots=True)
class Rates:
    """All parameters of a table's rows."""

    device: DeviceRates
    host: HostRates
    network: NetworkRates
    memory: MemoryRates
    interleaves: NDArray[np.bool_]


def rates_of(table: TrainingTable, values: Values) -> Rates:
    """Look up every parameter that the rows of `table` need."""
    uneven = values.of_software(lambda s: s.interleaves_embedding) > 0
    return Rates(
        _device(table, values),
        _host(values),
        _network(table, values),
        _memory(values),
        uneven,
    )


def _device(table: TrainingTable, values: Values) -> DeviceRates:
    pace = (
        values.by_family("pace.family")
        * _trend(values)
        * values.by_software("pace.software")
        * values.by_accelerator("pace.accelerator")
    )
    bandwidth = table.memory_bytes_per_s * values.by_generation("traffic.share") / pace
    fusion = values.by_family("traffic.family")
    wave, units = values.shared("gemm.wave"), np.maximum(values.units(), 1.0)
    knee = values.shared("gemm.knee")
    narrow = values.where_bits(8, "gemm.knee.8", 1.0) * values.where_bits(4, "gemm.knee.4", 1.0)
    cast = values.where_bits(8, "traffic.cast.8", 0.0) + values.where_bits(4, "traffic.cast.4", 0.0)
    kernel = values.of_software(lambda s: ATTENTION_KERNELS.index(s.attention))
    return DeviceRates(
        product=ProductRate(
            flops=table.peak_flops * values.by_bits("gemm.share") / pace,
            knee=knee * narrow * table.peak_flops / table.memory_bytes_per_s,
            sharpness=values.shared("gemm.sharpness"),
            wave=wave,
            units=units,
        ),
        wide=ProductRate(
            flops=table.peak_16bit_flops * values.by_generation("gemm.share.16") / pace,
            knee=knee * table.peak_16bit_flops / table.memory_bytes_per_s,
            sharpness=values.shared("gemm.sharpness"),
            wave=wave,
            units=units,
        ),
        attention_flops=table.peak_16bit_flops
        * values.by_kernel("attention.share", kernel_of)
        / pace,
        half_seq=values.of_software(lambda s: values.shared(f"attention.half_seq.{kernel_of(s)}")),
        half_head=values.shared("attention.half_head"),
        misaligned=values.shared("attention.misaligned"),
        unfused=kernel == ATTENTION_KERNELS.index("unfused"),
        score_passes=values.shared("attention.score_passes"),
        bytes_per_s=bandwidth,
        norm_passes=values.shared("traffic.norm") * fusion,
        mlp_passes=values.shared("traffic.mlp") * fusion,
        qkv_passes=values.shared("traffic.qkv") * fusion,
        cast_passes=cast,
        loss_bytes=values.of_software(lambda s: values.shared(f"loss.bytes.{s.loss}")),
        accumulate_bytes=values.shared("gradient.traffic")
        * values.of_software(lambda s: s.accumulate_bytes),
        selective=values.by_family("recompute.selective"),
        selective_products=values.by_family("recompute.products"),
        grouped=values.shared("gemm.grouped"),
        mixture=_mixture(table, values),
        moe_passes=values.shared("moe.traffic"),
        imbalance=values.shared("moe.imbalance"),
        optimizer_bytes=values.shared("optimizer.bytes"),
        offload_bytes_per_s=values.shared("optimizer.offload_bytes_per_s"),
    )


def _trend(values: Values) -> Floats:
    """How a family's device time moves with the year of its release, 1 at its mean year."""
    known = generations().values()

    def factor(software: Software) -> float:
        years = [other.year for other in known if other.family == software.family]
        mean = sum(years) / len(years)
        return values.shared(f"pace.trend.{software.family}") ** (software.year - mean)

    return values.of_software(factor)


def _mixture(table: TrainingTable, values: Values) -> Floats:
    """What a mixture's own work costs in each release: a shared trend and a deviation."""
    if not np.any(table.experts):
        return np.ones(1)
    trend = values.of_software(lambda s: values.shared("moe.trend") ** (s.year - MIXTURE_YEAR))
    return trend * values.by_software("moe.software")


def _host(values: Values) -> HostRates:
    return HostRates(
        layer_s=values.shared("host.layer_s")
        * values.by_family("host.family")
        * values.by_software("host.software"),
        moe=values.shared("host.moe"),
        tensor_parallel=values.shared("host.tp"),
        sharpness=values.shared("host.sharpness"),
        step_s=values.shared("step.overhead_s") * values.by_family("step.family"),
    )


def _network(table: TrainingTable, values: Values) -> NetworkRates:
    overlaps = values.of_software(lambda s: s.overlap_dp)
    outer, shared = values.shared("network.outer"), values.shared("network.shared")
    return NetworkRates(
        collectives=CollectiveParameters(
            efficiency=(
                values.shared("network.inner"),
                np.where(table.tier_bytes_per_s[-1] < ADAPTER_BYTES_PER_S, shared, outer),
            ),
            step_s=values.shared("network.step_s"),
        ),
        jitter=values.shared("network.jitter"),
        tp_exposed=values.by_family("tp.exposed") * values.by_software("tp.software"),
        dp_floor=values.by_family("dp.floor"),
        dp_traffic=values.by_family("dp.traffic"),
        dp_window=values.shared("dp.window") * overlaps,
        fsdp_floor=values.by_family("fsdp.floor"),
        ep_exposed=values.by_family("ep.exposed") * _mixture(table, values),
        cp_exposed=values.shared("cp.exposed"),
        pp_exposed=values.shared("pp.exposed"),
        handover_s=values.by_family("pp.handover_s"),
        bubble=values.shared("pp.bubble"),
        gradient_bytes=values.of_software(lambda s: s.gradient_bytes),
    )


def _memory(values: Values) -> MemoryRates:
    return MemoryRates(
        gradient_bytes=values.of_software(lambda s: s.held_gradient_bytes),
        state_bytes=values.of_software(lambda s: s.state_bytes),
        mask_bytes=values.of_software(lambda s: 2.0 * s.dropout),
        logit_bytes=values.of_software(lambda s: s.logit_bytes),
        bucket_bytes=values.of_software(lambda s: s.bucket_bytes),
        kept=values.by_family("memory.kept"),
        selective=values.by_family("memory.selective"),
        selective_moe=values.shared("memory.selective_moe"),
    )

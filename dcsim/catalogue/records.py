"""Typed records of the catalogue; every one carries its source. SI units throughout."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dcsim.records import Source


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A chip as its data sheet and published measurements describe it.

    `peak_flops` maps a data type (`fp32`, `tf32`, `bf16`, `fp16`, `fp8`, `fp4`, `int8`)
    to the dense peak in FLOP/s; a type the chip lacks is absent. `matmul_flops` is the
    best measured bf16 matrix product (0 when unknown). Link bandwidth is per direction.
    """

    name: str
    vendor: str
    form: str
    peak_flops: Mapping[str, float]
    memory_bytes: float
    memory_bytes_per_s: float
    l2_bytes: float
    link_bytes_per_s: float
    link_type: str
    tdp_w: float
    matmul_flops: float
    release: str
    source: Source
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeType:
    """A server as it is bought or rented.

    `accelerator` names an `Accelerator` (empty for a CPU-only machine); `fast_domain`
    is the number of accelerators joined by the fast link, which may span nodes (72 in
    an NVL72 rack). `nic_bytes_per_s` is per accelerator and direction. `peak_w` is drawn
    under full load, `rated_w` is what the supplies must provide (0 when unknown).
    """

    name: str
    accelerator: str
    accelerators: int
    fast_domain: int
    nic_bytes_per_s: float
    nic_latency_s: float
    cpu_cores: int
    host_memory_bytes: float
    local_storage_bytes: float
    local_storage_bytes_per_s: float
    idle_w: float
    peak_w: float
    rack_units: float
    price_usd: float
    rent_usd_per_accelerator_hour: float
    rent_low_usd_per_accelerator_hour: float
    rent_high_usd_per_accelerator_hour: float
    source: Source
    price_source: Source
    aliases: tuple[str, ...] = ()
    rated_w: float = 0.0
    power_source: Source | None = None
    rent_source: Source | None = None


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Architecture of a model (transformer unless `kind` says otherwise).

    `mlp_matrices` is 2 for a plain and 3 for a gated MLP; `head_dim` 0 means
    hidden / heads; `experts` 0 means dense. `moe_ffn_hidden` is the width of one expert,
    and the first `dense_layers` layers have a dense MLP of `ffn_hidden` instead.
    `window` is the reach of sliding-window attention in tokens, 0 for full attention;
    `learned_positions` the rows of a table of position embeddings, 0 where there is none.
    A model that is no decoder transformer lists its `operators` (`dcsim.workload.networks`)
    and may give its published forward FLOPs of one sample.
    """

    name: str
    kind: str
    layers: int
    hidden: int
    ffn_hidden: int
    heads: int
    kv_heads: int
    vocab: int
    seq_len: int
    source: Source
    head_dim: int = 0
    mlp_matrices: int = 2
    tied_embeddings: bool = False
    attention: str = "mha"
    experts: int = 0
    experts_per_token: int = 0
    moe_ffn_hidden: int = 0
    shared_experts: int = 0
    dense_layers: int = 0
    window: int = 0
    learned_positions: int = 0
    published_parameters: float = 0.0
    aliases: tuple[str, ...] = ()
    positions: str = ""
    widths: tuple[int, ...] = ()
    operators: tuple[Mapping[str, Any], ...] = ()
    published_flop: float = 0.0


@dataclass(frozen=True, slots=True)
class StorageSystem:
    """A storage product as building blocks: identical data servers behind one network.

    Rates are per server and direction, seen by a client; `redundancy` is the default.
    """

    name: str
    kind: str
    server_read_bytes_per_s: float
    server_write_bytes_per_s: float
    server_capacity_bytes: float
    server_iops: float
    latency_s: float
    server_power_w: float
    server_price_usd: float
    redundancy: str
    source: Source


@dataclass(frozen=True, slots=True)
class Link:
    """A link or switch technology; bandwidth per direction, cost and power per port."""

    name: str
    bytes_per_s: float
    latency_s: float
    source: Source
    port_power_w: float = 0.0
    port_price_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What a place adds to every kilowatt-hour."""

    region: str
    carbon_kg_per_kwh: float
    tariff_usd_per_kwh: float
    pue: float
    source: Source
    tariff_source: Source | None = None
    pue_source: Source | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """One dated price from a published list."""

    item: str
    price_usd: float
    unit: str
    region: str
    date: str
    kind: str
    accelerators: int
    usd_per_accelerator_hour: float
    source: Source
    accelerator: str = ""


@dataclass(frozen=True, slots=True)
class FailureRates:
    """A named set of failure classes, in failures per accelerator-second.

    Times between failures of a node are Weibull of `shape` (1: exponential); a class takes
    `nodes_at_once` neighbouring nodes (one where it is not named).
    """

    name: str
    per_accelerator_s: Mapping[str, float]
    detect_s: float
    restart_s: float
    repair_s: float
    source: Source
    basis: str = "job-visible"
    detect_source: Source | None = None
    restart_source: Source | None = None
    repair_source: Source | None = None
    shape: float = 1.0
    nodes_at_once: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Named:
    """A policy, metric or real job by name, with its parameters and what it does."""

    name: str
    kind: str
    description: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""

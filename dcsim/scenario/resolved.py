"""A scenario after its names were resolved and its defaults filled in: plain data, SI units."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dcsim.catalogue.records import (
    FailureRates,
    ModelCard,
    NodeType,
    SiteFacts,
    StorageSystem,
)
from dcsim.records import Source
from dcsim.workload.traces import Trace


@dataclass(frozen=True, slots=True)
class Default:
    """A value that the scenario left open, as it was filled in; shown, never hidden."""

    field: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Site:
    """The place: limits on power and racks, and what energy costs there."""

    facts: SiteFacts
    power_w: float | None
    racks: int | None
    rack_power_w: float | None
    pue: float
    tariff_usd_per_kwh: float
    carbon_kg_per_kwh: float


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """`count` nodes of one type under one name."""

    name: str
    node: NodeType
    count: int


@dataclass(frozen=True, slots=True)
class Network:
    """The fabric between nodes, as asked for; `topology` builds it."""

    topology: str
    radix: int
    oversubscription: float
    nic_bytes_per_s: float | None
    options: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StorageLoss:
    """How storage servers are lost and rebuilt.

    `mttf_s` is one server's (None: none is lost by chance), `lost` are (time, server) by
    script. A server is `fill` full; `rebuild` is `declustered` or `single`, and one server
    restores at most `rate_bytes_per_s` (None: as fast as its drives).
    """

    mttf_s: float | None
    lost: tuple[tuple[float, int], ...]
    fill: float
    rebuild: str
    rate_bytes_per_s: float | None
    detect_s: float
    replace_s: float


@dataclass(frozen=True, slots=True)
class Storage:
    """`servers` servers of one system; redundancy is `replication r` or `erasure k+m`.

    Data comes from an object store of `origin_bytes_per_s` at its first reading (None: it
    is on the system already), and from the `cache` of the nodes later (`none`,
    `node-local`, `host-memory` or `all`); `prefetch` batches are read ahead. Without
    `metadata_servers` opening files costs nothing.
    """

    system: StorageSystem
    servers: int
    data_parts: int
    parity_parts: int
    metadata_servers: int = 0
    origin_bytes_per_s: float | None = None
    cache: str = "none"
    prefetch: int = 1
    loss: StorageLoss | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Nodes, fabric and storage.

    `local` is this machine, present when the workload holds real jobs; it is no part of
    `groups`, because it is neither bought nor rented and has no accelerators.
    """

    groups: tuple[NodeGroup, ...]
    network: Network
    storage: Storage
    local: NodeGroup | None = None


@dataclass(frozen=True, slots=True)
class FixedLayout:
    """The parts of a layout that the scenario pins; None leaves a part open."""

    tp: int | None = None
    pp: int | None = None
    vp: int | None = None
    dp: int | None = None
    cp: int | None = None
    ep: int | None = None
    micro_batch: int | None = None
    recompute: str | None = None
    zero_stage: int | None = None
    sequence_parallel: bool | None = None


@dataclass(frozen=True, slots=True)
class TrainingWork:
    """Train a model on `tokens` tokens.

    They are read again and again from a data set of `dataset_tokens` (None: each is read
    once), in files of `file_bytes` (0: in large requests), in a new order if `shuffle`.
    """

    name: str
    model: ModelCard
    tokens: float
    global_batch: int
    seq_len: int
    precision: str
    layout: FixedLayout
    software: str
    accelerators: int | None
    submit_s: float
    priority: int
    bytes_per_token: float
    group: str | None = None
    user: str = ""
    dataset_tokens: float | None = None
    file_bytes: float = 0.0
    shuffle: bool = True


@dataclass(frozen=True, slots=True)
class RealWork:
    """A real NumPy job, executed on this machine and replayed on a `local` node.

    In a rehearsal one of its workers is killed `kill_after_s` after its first start.
    """

    name: str
    job: str
    submit_s: float
    priority: int
    repeats: int
    parameters: Mapping[str, float | int | str] = field(default_factory=dict)
    kill_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class TraceWork:
    """Jobs of a trace, on the nodes of `group` (None: the first).

    Submissions count from the trace's first. Jobs save every `checkpoint_interval_s` (None:
    never) and stand for `resume_s` before they go on.
    """

    name: str
    path: Path
    text: bytes
    trace: Trace
    group: str | None = None
    checkpoint_interval_s: float | None = None
    resume_s: float = 0.0


Work = TrainingWork | RealWork | TraceWork


@dataclass(frozen=True, slots=True)
class CheckpointPolicy:
    """When to save and how; `interval_s` None means the optimal interval.

    All nodes write their part (`sharded`), or one writes all. Every `local_interval_s`
    (None: never) the state is also saved on `local_copies` nodes' own drives.
    """

    interval_s: float | None
    blocking: bool
    sharded: bool = True
    local_interval_s: float | None = None
    local_copies: int = 1


@dataclass(frozen=True, slots=True)
class NodeWindow:
    """Nodes `first` up to `last` (exclusive) of `group`, kept for `owner` or (None) for work
    on them, from `start_s` to `end_s`."""

    group: str
    first: int
    last: int
    start_s: float
    end_s: float
    owner: str | None


@dataclass(frozen=True, slots=True)
class SpotNodes:
    """Mean time that a node stays, notice before it goes, mean time that it is away."""

    stay_s: float
    notice_s: float
    away_s: float


@dataclass(frozen=True, slots=True)
class SlowNodes:
    """Each node becomes slow every `every_s` in the mean; see the simulation's stragglers."""

    every_s: float
    slowdown: float
    log_spread: float
    detect_s: float
    repair_s: float
    evict: bool


@dataclass(frozen=True, slots=True)
class Scheduling:
    """Who may use which nodes when, and what befalls nodes besides failures.

    `quotas` limit users or groups (`quota_by`) by name, the empty name all others; `spot` is
    by node group, `lemons` a share of nodes and how much more often they fail.
    """

    rack_nodes: int = 4
    migrate: bool = False
    quotas: Mapping[str, int] = field(default_factory=dict)
    quota_by: str = "group"
    windows: tuple[NodeWindow, ...] = ()
    tuning: Mapping[str, float] = field(default_factory=dict)
    spot: Mapping[str, SpotNodes] = field(default_factory=dict)
    lemons: tuple[float, float] | None = None
    slow: SlowNodes | None = None


@dataclass(frozen=True, slots=True)
class Policies:
    """What decides while the cluster runs."""

    scheduler: str
    placement: str
    checkpoint: CheckpointPolicy
    failures: FailureRates | None
    spares: int
    scheduling: Scheduling = field(default_factory=Scheduling)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A cluster of `nodes` worker processes that share `processors` processors of this machine.

    `processors` None: all but one. `storage_bytes_per_s` limits reading, and likewise
    writing, of the shared directory. With `load`, arrivals are stretched until predicted
    work ÷ (processors × time of the last arrival) is that; None leaves them as written.
    """

    nodes: int
    processors: int | None
    storage_bytes_per_s: float
    load: float | None


@dataclass(frozen=True, slots=True)
class Money:
    """How hardware is paid for: `rent` by the accelerator-hour, or `buy` and write off."""

    terms: str
    lifetime_s: float
    residual_share: float
    source: Source


@dataclass(frozen=True, slots=True)
class Plan:
    """The space of candidates. Empty tuples and `all` mean every sensible value."""

    node_counts: Mapping[str, tuple[int, ...]]
    node_types: Mapping[str, tuple[NodeType, ...]]
    parallelism: str | tuple[FixedLayout, ...]
    micro_batches: tuple[int, ...]
    recomputes: tuple[str, ...]
    finalists: int
    seeds: int


@dataclass(frozen=True, slots=True)
class Objective:
    """A bound on a metric (`base.finish`, `total.cost`): `sense` is `at_most` or `at_least`."""

    name: str
    metric: str
    sense: str
    target: float
    unit: str
    hard: bool
    confidence: float
    text: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything a plan or a run needs to know."""

    name: str
    title: str
    seed: int
    site: Site
    cluster: Cluster
    workload: tuple[Work, ...]
    policies: Policies
    money: Money
    plan: Plan
    objectives: tuple[Objective, ...]
    defaults: tuple[Default, ...]
    path: Path
    text: bytes
    rehearsal: Rehearsal | None = None

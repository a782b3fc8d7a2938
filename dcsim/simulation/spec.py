"""What a simulation is given: pools of nodes, storage, failures and jobs. SI units."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dcsim.scheduling.ranking import Tuning

if TYPE_CHECKING:
    from dcsim.simulation.lifecycle_spec import LifecycleSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CacheSpec:
    """Room for training data on every node (its drives, its memory) and the rates of one node.

    What a job gets of it goes with its share of the node's accelerators.
    """

    name: str
    bytes_per_node: float
    read_bytes_per_s: float
    write_bytes_per_s: float


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """`nodes` equal nodes under one name; a job runs inside one pool.

    `nic_bytes_per_s` is what one node can send, and at the same time receive. A local
    pool is the machine that dcsim runs on, where real jobs are replayed, or nodes without
    accelerators; its slots are no accelerators of the cluster, are left out of the
    cluster's ledger and never fail. `caches` keep
    training data after its first reading, the first one filling up first. Where
    `processors` is finite, all that computes in the pool shares so many, evenly.
    """

    name: str
    node_type: str
    nodes: int
    accelerators_per_node: int
    nic_bytes_per_s: float
    is_local: bool = False
    caches: tuple[CacheSpec, ...] = ()
    processors: float = float("inf")


@dataclass(frozen=True, slots=True)
class OriginSpec:
    """The slower tier from which data comes at its first reading (an object store)."""

    name: str
    read_bytes_per_s: float
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ServerLoss:
    """Data server `server` is lost at `time_s`, as a script says."""

    time_s: float
    server: int


@dataclass(frozen=True, slots=True)
class UpkeepSpec:
    """How data servers are lost, and how what they held is rebuilt.

    `held_bytes` is what one server holds and a rebuild must restore. A server is lost at
    the times of `losses` and at `failures_per_s` (exponential, per server). The rebuild
    begins `detect_s` later: `declustered` over all servers left, each restoring at most
    `rebuild_bytes_per_s`, after which the lost server comes back empty `replace_s` after
    its loss; or onto a `single` replacement, which is there `replace_s` after the loss.
    """

    held_bytes: float
    failures_per_s: float = 0.0
    losses: tuple[ServerLoss, ...] = ()
    detect_s: float = 0.0
    replace_s: float = 0.0
    rebuild: Literal["declustered", "single"] = "declustered"
    rebuild_bytes_per_s: float = float("inf")


@dataclass(frozen=True, slots=True)
class StorageSpec:
    """Distributed storage: data striped evenly over `servers` equal servers.

    Rates are one server's: its drives, its network port and direction, and its processor,
    which serves `operations_per_s` requests of at most `request_bytes`; inf is never the
    limit. `write_overhead` is bytes written for each byte of data: replicas, or
    (k + m) / k under erasure coding; it divides the rate that clients see. A part that was
    lost is read by reading `data_parts` others (k; 1 under replication); `parity_parts`
    servers can be lost at once without losing data. Opening a file costs
    `operations_per_file` of what the metadata servers can do (0 servers: no limit).
    `origin` is where data comes from at its first reading, `upkeep` None: no server is lost.
    """

    servers: int
    read_bytes_per_s: float
    write_bytes_per_s: float
    write_overhead: float = 1.0
    port_bytes_per_s: float = float("inf")
    latency_s: float = 0.0
    data_parts: int = 1
    parity_parts: int = 0
    operations_per_s: float = float("inf")
    request_bytes: float = 2.0**20
    metadata_servers: int = 0
    metadata_operations_per_s: float = float("inf")
    operations_per_file: float = 2.0
    origin: OriginSpec | None = None
    upkeep: UpkeepSpec | None = None


@dataclass(frozen=True, slots=True)
class StorageRoutes:
    """What of the fabric lies between the nodes and the storage, as bundles of links.

    A bundle is a set of parallel links over which striped traffic spreads evenly, so it
    acts as one link of their summed capacity. Nodes with the same bundles form a group:
    `node_group` runs over the nodes of all pools in order, and nodes beyond its end (a
    local pool behind the others) have no bundles; `to_storage` and `from_storage` hold the
    bundles of each group. Bundles that can never be the
    bottleneck are left out. `dcsim.simulation.storage_routes` derives it from a fabric.
    """

    names: tuple[str, ...]
    capacity_bytes_per_s: Floats
    node_group: Ints
    to_storage: tuple[tuple[int, ...], ...]
    from_storage: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class FailureClass:
    """One kind of failure: how often, and what follows.

    `per_accelerator_s` is failures per accelerator-second. Times between failures of one
    node are Weibull with this `shape` and mean (1 is exponential). After a failure the job
    stands for `detect_s`; then, if `takes_node`, the node leaves for a repair of mean
    `repair_s` (Weibull of `repair_shape`) and a spare or a free node replaces it, else
    the job goes back to the queue; then `restart_s`, the restore read and the lost work.
    `planned` failures put the node into maintenance, not repair. `silent` ones corrupt the
    job unseen: it runs on for `detect_s` and then returns to a checkpoint older than the
    corruption. One failure takes `nodes_at_once` neighbouring nodes with it (a rack, or what
    hangs on one switch); the rate counts failures by the node that they strike first. A node
    that is `reclaimed` does not break: its owner has it while it would be repaired.
    """

    name: str
    per_accelerator_s: float
    detect_s: float = 0.0
    restart_s: float = 0.0
    repair_s: float = 0.0
    shape: float = 1.0
    repair_shape: float = 1.0
    takes_node: bool = True
    planned: bool = False
    silent: bool = False
    nodes_at_once: int = 1
    reclaimed: bool = False


@dataclass(frozen=True, slots=True)
class Lemons:
    """Nodes that fail more often: a `share` of all, `factor` times as often as the others.

    The mean rate over all nodes stays what the failure classes say.
    """

    share: float
    factor: float


@dataclass(frozen=True, slots=True)
class Kill:
    """A scripted failure: the job is struck `after_s` after its first start.

    It keeps its nodes; it stands for `detect_s` and `restart_s`, then restores and goes on.
    A job that does not run at that moment is spared.
    """

    after_s: float
    detect_s: float = 0.0
    restart_s: float = 0.0


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """Nodes `first` up to `last` (exclusive) of `pool`, closed from `start_s` to `end_s`.

    For maintenance (`owner` None), or kept for the jobs of a user or group. No other job
    starts there that would by its estimate still run then; what still does is stopped.
    """

    pool: str
    first: int
    last: int
    start_s: float
    end_s: float
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class SpotSpec:
    """Nodes that their owner takes back: each for itself, at random (exponential).

    A node stays `stay_s` in the mean, is announced to go `notice_s` before it does, and
    comes back after `away_s` in the mean.
    """

    stay_s: float
    notice_s: float
    away_s: float


@dataclass(frozen=True, slots=True)
class Stragglers:
    """Nodes that become slow and with them the jobs on them.

    A node falls ill `per_node_s` times a second (exponential) and then computes
    exp(|normal| x `log_spread`) x `slowdown` times as long. After `detect_s` it is found and
    its job leaves it for repair (mean `repair_s`, exponential); without `evict` it stays slow
    for that time.
    """

    per_node_s: float
    slowdown: float
    log_spread: float = 0.0
    detect_s: float = 600.0
    repair_s: float = 86400.0
    evict: bool = True


@dataclass(frozen=True, slots=True)
class TrainingJobSpec:
    """A simulated training run.

    One step takes `step_s` on this layout (without waiting for data), times
    exp(`step_log_spread` x score): the uncertainty of the cost model, one standard
    normal score for the whole run, drawn from the seed unless `step_score` gives it.
    `exposed_communication_share` and `pipeline_bubble_share` of a step are what they say;
    the rest is useful training.

    `data_bytes_per_step` are read from storage while the steps before compute (`prefetch`
    batches ahead) or before each step (0). They are read in files of `file_bytes` (0: in
    large requests). After `dataset_bytes` an epoch is over: the first comes from the
    storage's origin, later ones from the caches of the nodes as far as they hold it; what
    is `shuffle`d finds the share that is held, what is read in order finds all or nothing.
    `initial_read_bytes` are read once before the first step. A checkpoint of
    `checkpoint_bytes` is written after every `checkpoint_interval_s` of computing (None:
    only at the end, and a failure starts the run anew) and after the last step, by
    `checkpoint_writers` of the nodes (None: sharded over all); it blocks the job or is
    written behind it, after a pause of `checkpoint_snapshot_s`. Zero `restore_bytes`
    restore in no time. Every `local_interval_s` of computing a pause of `local_save_s`
    saves onto the nodes' own drives, `local_copies` times on different nodes; a failure
    that leaves a copy of everything returns to it in `local_restore_s`.
    `start_s` passes between getting the nodes and the first read. A higher `priority`
    stands earlier in the queue. `estimate_s` is the run time that the scheduler is told
    (None: that of an undisturbed run). `kills` strike it besides the failures of nodes.
    It belongs to a `user` and a `group`. An elastic job takes `least` to `most` accelerators
    (0: as many as `accelerators`) and computes in proportion to them. A stopped or moved job
    saves first and stands for `resume_s` before its restore. A job whose `work` is a trace's
    is shown as such: its steps are parts of its run time.
    """

    name: str
    accelerators: int
    pool: str
    steps: int
    step_s: float
    submit_s: float = 0.0
    step_log_spread: float = 0.0
    step_score: float | None = None
    exposed_communication_share: float = 0.0
    pipeline_bubble_share: float = 0.0
    data_bytes_per_step: float = 0.0
    prefetch: int = 1
    initial_read_bytes: float = 0.0
    checkpoint_bytes: float = 0.0
    checkpoint_interval_s: float | None = None
    checkpoint_blocking: bool = True
    restore_bytes: float = 0.0
    start_s: float = 0.0
    priority: int = 0
    estimate_s: float | None = None
    dataset_bytes: float = float("inf")
    file_bytes: float = 0.0
    shuffle: bool = True
    checkpoint_writers: int | None = None
    checkpoint_snapshot_s: float = 0.0
    local_interval_s: float | None = None
    local_save_s: float = 0.0
    local_restore_s: float = 0.0
    local_copies: int = 1
    kills: tuple[Kill, ...] = ()
    user: str = ""
    group: str = ""
    least: int = 0
    most: int = 0
    resume_s: float = 0.0
    work: Literal["training", "trace"] = "training"


@dataclass(frozen=True, slots=True)
class RealJobSpec:
    """A real training job replayed with the times that were measured.

    `step_s` and `losses` have one entry a step. `load_s` was measured reading and
    preparing `data_bytes`; the read from the simulated storage runs beside it, and only
    what exceeds it is waiting for data. One checkpoint of `checkpoint_bytes` is written
    at the end, taking at least the measured `checkpoint_s`.
    """

    name: str
    pool: str
    step_s: tuple[float, ...]
    submit_s: float = 0.0
    accelerators: int = 1
    startup_s: float = 0.0
    load_s: float = 0.0
    evaluation_s: float = 0.0
    checkpoint_s: float = 0.0
    data_bytes: float = 0.0
    checkpoint_bytes: float = 0.0
    losses: tuple[float, ...] = ()
    priority: int = 0
    estimate_s: float | None = None


JobSpec = TrainingJobSpec | RealJobSpec


@dataclass(frozen=True, slots=True)
class SimulationSpec:
    """Everything that one simulated run of a cluster needs besides the seed.

    `spares` maps a pool's name to nodes kept ready for jobs that lose one.
    `routes` limits traffic between nodes and storage (None: only NICs and the storage
    itself). The run ends when every job has, at `horizon_s`, or after `event_limit`
    events (a job whose failures outrun its checkpoints never ends). `timeline_points`
    bounds the stored time series (0: none). `audit` re-checks all invariants after every
    event; `blame` notes which links held which job back. `lifecycles` start jobs of their
    own while the simulation runs.
    """

    pools: tuple[PoolSpec, ...]
    jobs: tuple[JobSpec, ...]
    storage: StorageSpec | None = None
    routes: StorageRoutes | None = None
    failures: tuple[FailureClass, ...] = ()
    lemons: Lemons | None = None
    scheduler: str = "fifo"
    placement: str = "best-fit"
    spares: Mapping[str, int] = field(default_factory=dict)
    horizon_s: float = float("inf")
    event_limit: int = 2_000_000
    timeline_points: int = 200
    audit: bool = False
    blame: bool = False
    lifecycles: tuple["LifecycleSpec", ...] = ()
    quota: Mapping[str, int] = field(default_factory=dict)
    quota_by: Literal["user", "group"] = "group"
    windows: tuple[WindowSpec, ...] = ()
    spot: Mapping[str, SpotSpec] = field(default_factory=dict)
    stragglers: Stragglers | None = None
    tuning: Tuning = field(default_factory=Tuning)
    rack_nodes: int = 4
    migrate: bool = False

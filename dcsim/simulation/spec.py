"""What a simulation is given: pools of nodes, storage, failures and jobs. SI units."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """`nodes` equal nodes under one name; a job runs inside one pool.

    `nic_bytes_per_s` is what one node can send, and at the same time receive. A local
    pool is the machine that dcsim runs on, where real jobs are replayed; its slots are no
    accelerators of the cluster and are left out of the cluster's ledger.
    """

    name: str
    node_type: str
    nodes: int
    accelerators_per_node: int
    nic_bytes_per_s: float
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class StorageSpec:
    """Distributed storage: data striped evenly over `servers` equal servers.

    Rates are one server's. `write_overhead` is bytes written for each byte of data:
    replicas, or (k + m) / k under erasure coding; it divides the rate that clients see.
    `port_bytes_per_s` is one server's network port and direction (inf: never the limit).
    """

    servers: int
    read_bytes_per_s: float
    write_bytes_per_s: float
    write_overhead: float = 1.0
    port_bytes_per_s: float = float("inf")
    latency_s: float = 0.0


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
    hangs on one switch); the rate counts failures by the node that they strike first.
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


@dataclass(frozen=True, slots=True)
class Lemons:
    """Nodes that fail more often: a `share` of all, `factor` times as often as the others.

    The mean rate over all nodes stays what the failure classes say.
    """

    share: float
    factor: float


@dataclass(frozen=True, slots=True)
class TrainingJobSpec:
    """A simulated training run.

    One step takes `step_s` on this layout (without waiting for data), times
    exp(`step_log_spread` x score): the uncertainty of the cost model, one standard
    normal score for the whole run, drawn from the seed unless `step_score` gives it.
    `exposed_communication_share` and `pipeline_bubble_share` of a step are what they say;
    the rest is useful training.

    `data_bytes_per_step` are read from storage while the step before computes
    (`prefetch`) or before each step. `initial_read_bytes` are read once before the first
    step. A checkpoint of `checkpoint_bytes` is written after every
    `checkpoint_interval_s` of computing (None: only at the end, and a failure starts the
    run anew) and after the last step; it blocks the job or is written behind it. Zero
    `restore_bytes` restore in no time. `start_s` passes between getting the nodes and the
    first read. A higher `priority` stands earlier in the queue. `estimate_s` is the run
    time that the scheduler is told (None: that of an undisturbed run).
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
    prefetch: bool = True
    initial_read_bytes: float = 0.0
    checkpoint_bytes: float = 0.0
    checkpoint_interval_s: float | None = None
    checkpoint_blocking: bool = True
    restore_bytes: float = 0.0
    start_s: float = 0.0
    priority: int = 0
    estimate_s: float | None = None


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
    event.
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

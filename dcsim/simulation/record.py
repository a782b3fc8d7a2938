"""What a simulation leaves behind: one run of a cluster as plain arrays. SI units."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dcsim.cost.storage_servers import Durability
from dcsim.records import Ledger
from dcsim.simulation.lifecycle_record import LifecycleRecord

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Kinds of entries in the event log, with what each means.
EVENT_KINDS: Mapping[str, str] = {
    "submit": "the job entered the queue",
    "start": "the job got its nodes",
    "failure": "a failure hit the node, and the job if one is named",
    "detected": "the job knows of its failure",
    "replaced": "a spare or free node took the place of the failed one",
    "requeue": "no node could replace the failed one; the job waits in the queue",
    "stopped": "the job saved and gave its nodes back, for the reason given",
    "notice": "the owner of the node will take it back",
    "slow": "the node computes so many times as long from now on",
    "resume": "the job trains again after restart and restore",
    "repaired": "the node is back",
    "end": "the job is done",
    "server_lost": "a storage server is lost; what it held is read from others",
    "server_rebuilt": "what a lost storage server held is restored elsewhere",
    "server_back": "a storage server serves again",
    "data_lost": "more storage servers are missing than the redundancy allows",
}

#: Series of the timeline with their units.
TIMELINE_SERIES: Mapping[str, str] = {
    "accelerators_busy": "accelerators",
    "accelerators_down": "accelerators",
    "queue_length": "jobs",
    "storage_read": "B/s",
    "storage_write": "B/s",
    "network_busiest": "share",
}


@dataclass(frozen=True, slots=True)
class JobRecord:
    """How one job went; times in seconds from the start of the simulation.

    `status` is `done`, `running`, `queued` or `not submitted` when the simulation ended;
    `start_s` and `end_s` are nan for what did not happen. `step_s` is the step time in force (the
    median measured one for a real job). `wait_s` sums all time in the queue, `lost_s`
    the computing time whose result failures destroyed. `seconds` splits the time that
    the job held its accelerators by ledger class (wall time, not accelerator-seconds);
    `queued_s` and the ledger count accelerator-seconds.
    """

    name: str
    kind: str
    pool: str
    accelerators: int
    nodes: int
    steps: int
    steps_done: float
    step_s: float
    submit_s: float
    start_s: float
    end_s: float
    wait_s: float
    failures: int
    checkpoints: int
    lost_s: float
    read_bytes: float
    written_bytes: float
    status: str
    seconds: Mapping[str, float]
    user: str = ""
    group: str = ""
    priority: int = 0

    @property
    def run_s(self) -> float:
        """Time from submission to the end; nan while unfinished."""
        return self.end_s - self.submit_s

    @property
    def ettr(self) -> float:
        """Productive time over time held plus time queued."""
        productive = sum(
            self.seconds.get(name, 0.0)
            for name in ("exposed_communication", "pipeline_bubble", "useful_training")
        )
        total = sum(self.seconds.values()) + self.wait_s
        return productive / total if total else 0.0


@dataclass(frozen=True, slots=True)
class NodeRecords:
    """All nodes, pool after pool; arrays of shape (n_nodes,).

    `busy_share` is the share of the node's accelerator-seconds held by jobs,
    `repair_share` the share of time in repair or maintenance.
    """

    names: tuple[str, ...]
    pool: tuple[str, ...]
    node_type: tuple[str, ...]
    accelerators: Ints
    busy_share: Floats
    repair_share: Floats
    failures: Ints


@dataclass(frozen=True, slots=True)
class LinkRecords:
    """Links and bundles of links between nodes and storage; arrays of shape (n_links,)."""

    names: tuple[str, ...]
    capacity_bytes_per_s: Floats
    bytes: Floats
    mean_share: Floats
    peak_share: Floats


@dataclass(frozen=True, slots=True)
class ServerRecords:
    """The data servers of the storage; arrays of shape (n_servers,).

    Bytes are those of the servers' drives, amplification, degraded reads and rebuilds
    included; `missing_s` is the time in which what a server held was not restored, `away_s`
    the time in which it did not serve. `data_losses` counts the moments at which more
    servers were missing than the redundancy allows; the data is then taken to come back
    from elsewhere. `durability` is the closed form at the rate of failures given; None
    where servers are not lost at random.
    """

    names: tuple[str, ...]
    read_bytes: Floats
    written_bytes: Floats
    missing_s: Floats
    away_s: Floats
    losses: int
    rebuilt_bytes: float
    data_losses: int
    durability: Durability | None


@dataclass(frozen=True, slots=True)
class LoadRecords:
    """Loads over time: means over equal intervals that end at `time_s`, shape (n,).

    `share` has shape (n, n_names): of the links' capacities and of the servers' drives
    when all is well. The servers that were never lost are one entry.
    """

    names: tuple[str, ...]
    time_s: Floats
    share: Floats


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One entry of the event log; `job` is empty and `node` -1 where none is meant."""

    time_s: float
    kind: str
    job: str = ""
    node: int = -1
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Means over equal intervals that end at `time_s`, shape (n,); series by name."""

    time_s: Floats
    series: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SimulationRecord:
    """One simulated run.

    `end_s` is when it ended, `stopped` why: `done`, `horizon` or `event limit`.
    `ledger` covers all pools but local ones, `ledgers` each pool by name; both sum to
    accelerators x `end_s`. `event_count` is the number of events that the kernel
    processed: equal runs have equal counts. `held_back_s` is the time that each shared
    link held each job back, by job and link, where the spec asks for it.
    """

    seed: int
    end_s: float
    stopped: str
    jobs: tuple[JobRecord, ...]
    nodes: NodeRecords
    links: LinkRecords
    events: tuple[EventRecord, ...]
    ledger: Ledger
    ledgers: Mapping[str, Ledger]
    timeline: Timeline
    event_count: int
    servers: ServerRecords | None = None
    load: LoadRecords | None = None
    held_back_s: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    lifecycles: tuple[LifecycleRecord, ...] = ()

    def job(self, name: str) -> JobRecord:
        """The job of that name; KeyError when there is none."""
        for record in self.jobs:
            if record.name == name:
                return record
        raise KeyError(name)

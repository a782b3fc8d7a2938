"""What a simulated life cycle is given: its stages as jobs, its chances and its limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dcsim.simulation.lifecycle import PREPROCESS, Limits
from dcsim.simulation.spec import TrainingJobSpec


@dataclass(frozen=True, slots=True)
class StageJobSpec:
    """One job of a stage: what it holds, moves and computes.

    `accelerators` slots of `pool` (0: nothing is held, and nothing queued for) are held
    while `read_bytes` come from the storage beside `compute_s` of work, and then
    `write_bytes` go there. `ingest_bytes` come from outside, at `ingest_bytes_per_s`,
    beside the work too.
    """

    name: str
    pool: str = ""
    accelerators: int = 0
    compute_s: float = 0.0
    read_bytes: float = 0.0
    write_bytes: float = 0.0
    ingest_bytes: float = 0.0
    ingest_bytes_per_s: float = float("inf")
    submit_s: float = 0.0
    priority: int = 0

    @property
    def ingest_s(self) -> float:
        """Time for what comes from outside."""
        return self.ingest_bytes / self.ingest_bytes_per_s if self.ingest_bytes else 0.0


@dataclass(frozen=True, slots=True)
class StageSpec:
    """A stage: nothing held for `wait_s` and a human's delay, then its jobs one by one.

    The human's delay is log-normal with mean `human_s` and `human_spread`, the standard
    deviation of its logarithm. `keeps` are bytes by kind that stay on the storage after it.
    """

    jobs: tuple[StageJobSpec, ...] = ()
    wait_s: float = 0.0
    human_s: float = 0.0
    human_spread: float = 0.0
    keeps: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """Whether a check passes: by chance, or as the checks of real releases came out.

    `outcomes` has one row a real release, its tries in order; releases take the rows in
    turn, and a try beyond the end of its row takes the last one of the row.
    """

    passes: float = 1.0
    outcomes: tuple[tuple[bool, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class DriftSpec:
    """When the data drifts away from what the model was trained on, and when that is seen.

    Drift begins at the times `at_s`, and by chance at `per_s` (exponential gaps). In every
    window the test finds a drift that is there with probability `detects` and cries wolf
    with `false_alarms`; or `before` and `after` are what a real test said of windows
    before and after the drift, taken in turn.
    """

    at_s: tuple[float, ...] = ()
    per_s: float = 0.0
    detects: float = 1.0
    false_alarms: float = 0.0
    before: tuple[bool, ...] = ()
    after: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """The deployed model: `replicas` that each hold `accelerators` slots of `pool`.

    Requests arrive at random, `requests_per_s` in all, and go to a replica at random;
    `service_s` are the times that answering one took (one of them is drawn for each).
    """

    pool: str = ""
    accelerators: int = 0
    replicas: int = 1
    requests_per_s: float = 0.0
    service_s: tuple[float, ...] = ()
    sampled: int = 2000

    @property
    def load(self) -> float:
        """Busy share of a replica, at most 1."""
        if not self.service_s or not self.requests_per_s:
            return 0.0
        mean = sum(self.service_s) / len(self.service_s)
        return min(self.requests_per_s * mean / self.replicas, 1.0)


@dataclass(frozen=True, slots=True)
class LifecycleSpec:
    """A life cycle: releases one after another until `period_s` is over.

    `stages` by name (a stage left out takes no time). `training` is the job of the training
    stage where it is a simulated training run; it then comes after the stage's own jobs.
    A window of monitoring takes `window_s`; drift that is seen, or `retrain_every_s` since
    the last deployment, begins the next release at the stage `retrain`. A release that is
    given up begins again with new data. `retention_s` is how long each kind of data is
    kept (inf or not named: for ever). Once `period_s` is over the release in hand is
    finished; at most `releases` are begun.
    """

    name: str
    stages: Mapping[str, StageSpec]
    period_s: float
    gate: CheckSpec = CheckSpec()
    evaluation: CheckSpec = CheckSpec()
    limits: Limits = field(default_factory=Limits)
    training: TrainingJobSpec | None = None
    retrain: str = PREPROCESS
    window_s: float = 86400.0
    drift: DriftSpec = DriftSpec()
    retrain_every_s: float = float("inf")
    releases: float = float("inf")
    service: ServiceSpec | None = None
    retention_s: Mapping[str, float] = field(default_factory=dict)
    submit_s: float = 0.0

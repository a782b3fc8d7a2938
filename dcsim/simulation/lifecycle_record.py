"""What a simulated life cycle leaves behind."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcsim.simulation.lifecycle import Kept


@dataclass(frozen=True, slots=True)
class Visit:
    """One passage through a stage, times in seconds from the start of the simulation.

    `release` counts from 1; `previous` is the stage before (empty for the first). `idle_s`
    is waiting with nothing held (elapsed time and the human's delay, `human_s` of it),
    `queued_s` the time in the queue, `held_s` slot-seconds by pool.
    """

    release: int
    stage: str
    previous: str
    begin_s: float
    end_s: float
    passed: bool
    idle_s: float
    human_s: float
    queued_s: float
    held_s: tuple[tuple[str, float], ...]
    read_bytes: float
    written_bytes: float
    ingested_bytes: float

    @property
    def duration_s(self) -> float:
        """From deciding on the stage to its end."""
        return self.end_s - self.begin_s


@dataclass(frozen=True, slots=True)
class Release:
    """One release: why it was begun (`first`, `drift`, `schedule`, `again`) and how it ended.

    `end_s` is when it was deployed or given up.
    """

    number: int
    trigger: str
    begin_s: float
    end_s: float
    accepted: bool
    cleanings: int
    trainings: int

    @property
    def duration_s(self) -> float:
        """From its begin to deployment."""
        return self.end_s - self.begin_s


@dataclass(frozen=True, slots=True)
class Window:
    """A window of monitoring: whether the data had drifted, whether the test said so, and
    how the requests fared that were looked at (nan without a service)."""

    release: int
    end_s: float
    drifted: bool
    alarm: bool
    requests: int
    load: float
    wait_s: float
    latency_p50_s: float
    latency_p99_s: float


@dataclass(frozen=True, slots=True)
class LifecycleRecord:
    """One life cycle: every visit, release and window, and what it keeps on the storage."""

    name: str
    begin_s: float
    end_s: float
    visits: tuple[Visit, ...]
    releases: tuple[Release, ...]
    windows: tuple[Window, ...]
    kept: tuple[Kept, ...]
    served_slot_s: float
    drifts_s: tuple[float, ...]

    @property
    def accepted(self) -> Sequence[Release]:
        """The releases that were deployed."""
        return [release for release in self.releases if release.accepted]

"""Where every second of every installed accelerator went."""

from collections.abc import Mapping
from dataclasses import dataclass

#: In order of precedence: a second belongs to the first class that matches it.
LEDGER_CLASSES: tuple[str, ...] = (
    "repair",
    "maintenance",
    "unallocated_no_demand",
    "unallocated_fragmented",
    "unallocated_held_back",
    "spare",
    "starting",
    "detecting_failure",
    "restarting",
    "checkpoint",
    "recomputing",
    "data_wait",
    "exposed_communication",
    "pipeline_bubble",
    "useful_training",
    "serving_busy",
    "serving_idle",
)

PRODUCTIVE_CLASSES: tuple[str, ...] = (
    "exposed_communication",
    "pipeline_bubble",
    "useful_training",
    "serving_busy",
)

#: Classes of accelerators that no job holds.
UNALLOCATED_CLASSES = frozenset(LEDGER_CLASSES[:6])


@dataclass(frozen=True, slots=True)
class Ledger:
    """Accelerator-seconds by class; `capacity_s` = accelerators x time observed."""

    seconds: Mapping[str, float]
    capacity_s: float
    queued_s: float = 0.0

    @property
    def productive_s(self) -> float:
        """Exposed communication + bubble + useful training + serving busy."""
        return sum(self.seconds.get(name, 0.0) for name in PRODUCTIVE_CLASSES)

    @property
    def allocated_s(self) -> float:
        """Accelerator-seconds held by some job."""
        return sum(s for name, s in self.seconds.items() if name not in UNALLOCATED_CLASSES)

    @property
    def goodput(self) -> float:
        """Productive / allocated; 0 when nothing was allocated."""
        return self.productive_s / self.allocated_s if self.allocated_s else 0.0

    @property
    def ettr(self) -> float:
        """Effective training time ratio: productive / (allocated + queued)."""
        total = self.allocated_s + self.queued_s
        return self.productive_s / total if total else 0.0

    def imbalance(self) -> float:
        """Relative difference between the sum of the classes and the capacity."""
        total = sum(self.seconds.values())
        return abs(total - self.capacity_s) / self.capacity_s if self.capacity_s else abs(total)

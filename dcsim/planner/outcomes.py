"""What a candidate delivers over the runs, whether expected or simulated."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.economics import Bill
from dcsim.records import LEDGER_CLASSES, Interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A candidate over the runs; every array has shape (runs,).

    `finish_s` holds the end of each job, `makespan_s` that of the last one, from the
    start of the scenario; `seconds` the cluster's accelerator-seconds by ledger class.
    """

    simulated: bool
    finish_s: Mapping[str, Floats]
    makespan_s: Floats
    seconds: Mapping[str, Floats]
    bill: Bill
    failures: Floats
    ettr: Floats
    goodput: Floats

    @property
    def time(self) -> Interval:
        """The makespan."""
        return Interval.from_samples(self.makespan_s, "s")

    @property
    def cost(self) -> Interval:
        """Money until every job has finished."""
        return Interval.from_samples(self.bill.total_usd, "USD")

    @property
    def energy(self) -> Interval:
        """Energy at the meter."""
        return Interval.from_samples(self.bill.energy_kwh, "kWh")

    @property
    def carbon(self) -> Interval:
        """Operational carbon."""
        return Interval.from_samples(self.bill.carbon_kg, "kg")

    def samples(self) -> dict[str, Floats]:
        """Every metric that an objective can name, by that name."""
        metrics = {f"{job}.finish": finish for job, finish in self.finish_s.items()}
        return metrics | {
            "total.finish": self.makespan_s,
            "total.cost": self.bill.total_usd,
            "total.energy": self.bill.energy_kwh,
            "total.carbon": self.bill.carbon_kg,
            "total.ettr": self.ettr,
            "total.goodput": self.goodput,
            "total.failures": self.failures,
        }

    def mean_seconds(self) -> dict[str, float]:
        """The ledger averaged over the runs, every class in the design's order."""
        return {
            name: float(np.mean(self.seconds[name])) if name in self.seconds else 0.0
            for name in LEDGER_CLASSES
        }


#: Unit of every metric of `Outcome.samples`, by the part after the last dot.
METRIC_UNITS: Mapping[str, str] = {
    "finish": "s",
    "cost": "USD",
    "energy": "kWh",
    "carbon": "kg",
    "ettr": "1",
    "goodput": "1",
    "failures": "1",
}


def unit_of(metric: str) -> str:
    """The unit in which `Outcome.samples` gives a metric."""
    return METRIC_UNITS[metric.rpartition(".")[2]]

"""A figure with its 90 % prediction interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Interval:
    """A median with the bounds of its 90 % prediction interval, all in `unit`."""

    value: float
    low: float
    high: float
    unit: str

    @classmethod
    def exact(cls, value: float, unit: str) -> Interval:
        """A figure that is known, not predicted."""
        return cls(float(value), float(value), float(value), unit)

    @classmethod
    def from_samples(cls, samples: ArrayLike, unit: str) -> Interval:
        """Median, 5th and 95th percentile of `samples` (shape (n,), n >= 1)."""
        import numpy as np  # loaded late: the command line must start without it

        low, value, high = np.percentile(np.asarray(samples, dtype=float), [5.0, 50.0, 95.0])
        return cls(float(value), float(low), float(high), unit)

    def scaled(self, factor: float, unit: str) -> Interval:
        """The same figure times `factor` (> 0), in another unit."""
        return Interval(self.value * factor, self.low * factor, self.high * factor, unit)

    def to_json(self) -> dict[str, float | str]:
        """The form in which every result file writes an interval."""
        return {"value": self.value, "low": self.low, "high": self.high, "unit": self.unit}

"""What a user's own measurements say of links, storage, power, failures and serving."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LinkShare:
    """Collectives between accelerators: what they attain of the wire.

    `tier` is `inside` (one fast domain) or `across` (nodes); `share` of the catalogue's
    bandwidth, `step_s` the software time of one step of a ring, `spread` the standard
    deviation of log(measured / fitted) over the `rows` of the log.
    """

    accelerator: str
    tier: str
    share: float
    step_s: float
    spread: float
    rows: int
    source: str


@dataclass(frozen=True, slots=True)
class StoragePeak:
    """The most that all clients of a storage system together got; 0 where not measured."""

    read_bytes_per_s: float
    write_bytes_per_s: float
    source: str


@dataclass(frozen=True, slots=True)
class PowerCurve:
    """Power of one accelerator: `idle_w` + utilisation × (`busy_w` − `idle_w`).

    `spread_w` is the standard deviation of the readings around that line.
    """

    accelerator: str
    idle_w: float
    busy_w: float
    spread_w: float
    readings: int
    source: str


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Failures of one class: their rate, and the bounds of its 90 % interval."""

    count: int
    per_accelerator_s: float
    low_per_accelerator_s: float
    high_per_accelerator_s: float


@dataclass(frozen=True, slots=True)
class FailureLog:
    """Failures by class over `window_s` seconds of `accelerators`.

    `repair_s` is the mean time to repair, 0 where the log has none.
    """

    accelerators: int
    window_s: float
    classes: Mapping[str, FailureCount]
    repair_s: float
    source: str


@dataclass(frozen=True, slots=True)
class ServingLevel:
    """One load that a server of `model` was measured under; times in seconds."""

    model: str
    requests_per_s: float
    output_tokens_per_s: float
    mean_ttft_s: float
    p99_ttft_s: float
    mean_tpot_s: float
    p99_tpot_s: float
    source: str


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything that a user has brought to a profile."""

    links: tuple[LinkShare, ...] = ()
    storage: StoragePeak | None = None
    power: tuple[PowerCurve, ...] = ()
    failures: FailureLog | None = None
    serving: tuple[ServingLevel, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries and lists; `from_json` reads back an equal record."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Measurements":
        """Read what `to_json` wrote; KeyError or TypeError where something is missing."""
        storage, failures = document.get("storage"), document.get("failures")
        return cls(
            links=tuple(LinkShare(**entry) for entry in document.get("links", ())),
            storage=StoragePeak(**storage) if storage else None,
            power=tuple(PowerCurve(**entry) for entry in document.get("power", ())),
            failures=_failures(failures) if failures else None,
            serving=tuple(ServingLevel(**entry) for entry in document.get("serving", ())),
        )


def _failures(entry: Mapping[str, Any]) -> FailureLog:
    classes = {name: FailureCount(**count) for name, count in entry["classes"].items()}
    return FailureLog(**{**entry, "classes": classes})

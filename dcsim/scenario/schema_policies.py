"""The parts of a scenario that say what befalls nodes and who may use them."""

from typing import Annotated

from dcsim.scenario.part import Count, Duration, Part, PositiveDuration
from dcsim.scenario.values import Flag, Name, Quantity, Text, Whole


class SpotPart(Part):
    """Nodes that their owner takes back and returns."""

    stay: PositiveDuration
    notice: Duration | None = None
    away: PositiveDuration


class WindowPart(Part):
    """Nodes `first` to `last` (both included) of a group, closed for some time.

    With an `owner`, a user or a group of users, they are kept for it.
    """

    nodes: Annotated[str, Name()]
    first: Annotated[int, Whole(0, 999_999)]
    last: Annotated[int, Whole(0, 999_999)]
    start: Duration
    end: PositiveDuration
    owner: Annotated[str, Text()] | None = None


class QuotaPart(Part):
    """What one user or group of users holds at most; without a name, each of them."""

    owner: Annotated[str, Text()] | None = None
    accelerators: Count


class TuningPart(Part):
    """Parameters of fair share and of least attained service."""

    half_life: PositiveDuration | None = None
    full_age: PositiveDuration | None = None
    age_weight: Annotated[float, Quantity("count", most=1e9)] | None = None
    fairshare_weight: Annotated[float, Quantity("count", most=1e9)] | None = None
    size_weight: Annotated[float, Quantity("count", most=1e9)] | None = None
    priority_weight: Annotated[float, Quantity("count", most=1e9)] | None = None
    las_threshold: PositiveDuration | None = None


class LemonsPart(Part):
    """Nodes that fail more often than the others."""

    share: Annotated[float, Quantity("share", most=1.0)]
    factor: Annotated[float, Quantity("count", positive=True, most=1e4)]


class TogetherPart(Part):
    """A class of failures that takes several neighbouring nodes at once."""

    kind: Annotated[str, Name()]
    nodes: Count


class StragglersPart(Part):
    """Nodes that become slow; `every` is the mean time until one node does."""

    every: PositiveDuration
    slowdown: Annotated[float, Quantity("count", least=1.0, most=100.0)]
    spread: Annotated[float, Quantity("count", most=3.0)] | None = None
    detect: Duration | None = None
    repair: PositiveDuration | None = None
    evict: Annotated[bool, Flag()] | None = None

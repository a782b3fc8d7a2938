"""The base of all mappings of a scenario file, and values that many of them have."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict

from dcsim.scenario.values import Quantity, Whole

Duration = Annotated[float, Quantity("time", most=3.2e10)]
PositiveDuration = Annotated[float, Quantity("time", positive=True, most=3.2e10)]
Count = Annotated[int, Whole(1, 1_000_000)]


class Part(BaseModel):
    """Base of all mappings: no unknown keys, nothing changes after reading.

    `later` names keys of the design that this version does not read yet.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    later: ClassVar[Mapping[str, str]] = {}

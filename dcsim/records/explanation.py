"""A number as a tree of formula, inputs and sources."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Explanation:
    """One figure, how it was computed and from what.

    `share` is this figure's part of its parent's value (None when it is no summand).
    """

    name: str
    value: float
    unit: str
    formula: str = ""
    source: str = ""
    share: float | None = None
    inputs: tuple["Explanation", ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Nested dictionaries, empty fields left out."""
        out: dict[str, Any] = {"name": self.name, "value": self.value, "unit": self.unit}
        if self.formula:
            out["formula"] = self.formula
        if self.source:
            out["source"] = self.source
        if self.share is not None:
            out["share"] = self.share
        if self.inputs:
            out["inputs"] = [child.to_json() for child in self.inputs]
        return out

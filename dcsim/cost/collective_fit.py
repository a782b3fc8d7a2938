"""Parameters of the collectives: few for each link technology, shared by all systems."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from dcsim.cost.collective_forms import StartUp


@dataclass(frozen=True, slots=True)
class Technology:
    """Attainable shares of a fast link: by rings, and by reduction in the switch (0: none)."""

    ring: float
    in_switch: float


@dataclass(frozen=True, slots=True)
class Network:
    """A kind of network: its share of what RDMA attains, and the time of a hop."""

    share: float
    hop_s: float


@dataclass(frozen=True, slots=True)
class CollectiveFit:
    """Everything that the closed forms need.

    `technologies` by the catalogue's link type, `default` for those never measured;
    `net_ring`, `net_tree` the attainable shares of NICs with RDMA, `networks` what other
    kinds do with them; `error` the 90 % quantile of |log error| on held-out systems by class
    of rows (`small`, `large`, each `-inside` or `-across`, and `unknown`).
    """

    technologies: Mapping[str, Technology]
    default: Technology
    net_ring: float
    net_tree: float
    networks: Mapping[str, Network]
    start: StartUp
    error: Mapping[str, float]
    source: str

    def to_json(self) -> dict[str, Any]:
        """A JSON document that `from_json` reads back."""
        return asdict(self)


def from_json(document: Mapping[str, Any]) -> CollectiveFit:
    """A fit from the document that `to_json` made."""
    fit = CollectiveFit(**document)
    return replace(
        fit,
        technologies={name: Technology(**t) for name, t in document["technologies"].items()},
        default=Technology(**document["default"]),
        networks={name: Network(**n) for name, n in document["networks"].items()},
        start=StartUp(**document["start"]),
    )


@cache
def shipped_collective_fit() -> CollectiveFit:
    """The fit to published measurements that comes with the package."""
    path = files("dcsim.cost") / "data" / "collective-fit.json"
    return from_json(json.loads(path.read_text(encoding="utf-8")))


def technology(fit: CollectiveFit, link_type: str) -> tuple[Technology, bool]:
    """Parameters of a link type by the longest known beginning, and whether one is known."""
    known = [name for name in fit.technologies if link_type.startswith(name)]
    if not known:
        return fit.default, False
    return fit.technologies[max(known, key=len)], True

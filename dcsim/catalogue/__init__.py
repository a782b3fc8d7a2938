"""Facts with sources: accelerators, nodes, links, storage, models, prices, sites.

Every accessor takes a name (or one of its aliases) and raises InputError with one
sentence and a suggestion when there is none.
"""

from collections.abc import Mapping
from typing import Any

from dcsim.catalogue.accelerators import accelerator, accelerators, could_also_be
from dcsim.catalogue.components import (
    link,
    links,
    named,
    named_all,
    named_kinds,
    storage_system,
    storage_systems,
)
from dcsim.catalogue.lookup import find, suggest
from dcsim.catalogue.models import model, models
from dcsim.catalogue.nodes import LOCAL, node, nodes
from dcsim.catalogue.prices import Rent, prices, rent
from dcsim.catalogue.records import (
    Accelerator,
    FailureRates,
    Link,
    ModelCard,
    Named,
    NodeType,
    Price,
    SiteFacts,
    StorageSystem,
)
from dcsim.catalogue.reliability import failure_rates, failure_sets, recovery
from dcsim.catalogue.sites import fleet_pue, site, sites

__all__ = [
    "LOCAL",
    "Accelerator",
    "FailureRates",
    "Link",
    "ModelCard",
    "Named",
    "NodeType",
    "Price",
    "Rent",
    "SiteFacts",
    "StorageSystem",
    "accelerator",
    "could_also_be",
    "entries",
    "failure_rates",
    "find",
    "fleet_pue",
    "kinds",
    "link",
    "model",
    "named",
    "named_all",
    "names",
    "node",
    "prices",
    "recovery",
    "rent",
    "site",
    "storage_system",
    "suggest",
]

_TABLES = {
    "accelerators": accelerators,
    "nodes": nodes,
    "models": models,
    "storage": storage_systems,
    "links": links,
    "sites": sites,
    "failures": failure_sets,
}


def kinds() -> tuple[str, ...]:
    """Every kind that `names` and `entries` know."""
    return (*_TABLES, "prices", *named_kinds())


def entries(kind: str) -> Mapping[str, Any]:
    """Every record of `kind` by name; raises InputError for an unknown kind.

    Prices have no names of their own and are numbered from 1.
    """
    if kind in _TABLES:
        return _TABLES[kind]()
    if kind == "prices":
        return {str(number): price for number, price in enumerate(prices(), start=1)}
    known = {name: name for name in kinds()}
    return named_all(find("kind of fact", kind, known, {f"{n}s": n for n in named_kinds()}))


def names(kind: str) -> tuple[str, ...]:
    """The names of every entry of `kind`, in the order of the data."""
    return tuple(entries(kind))

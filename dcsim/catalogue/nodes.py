"""Servers and racks, with the machine that the program runs on as one of them."""

import os
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from dcsim.catalogue.data_files import quantity, read_yaml, source_of
from dcsim.catalogue.lookup import find
from dcsim.catalogue.prices import rent
from dcsim.catalogue.records import NodeType
from dcsim.records import Source

#: The node type that stands for this machine: it runs real jobs and costs nothing.
LOCAL = "local"

_WATTS_PER_CORE_IDLE = 3.0
_WATTS_PER_CORE_BUSY = 10.0


@cache
def nodes() -> Mapping[str, NodeType]:
    """Every node type by name, `local` last."""
    table = {entry["name"]: _node(entry) for entry in read_yaml("nodes.yaml")}
    table[LOCAL] = _local()
    return MappingProxyType(table)


def node(name: str) -> NodeType:
    """The node type called `name`; raises InputError with a suggestion."""
    aliases = {alias: key for key, entry in nodes().items() for alias in entry.aliases}
    return find("node type", name, nodes(), aliases)


def _node(entry: Mapping[str, Any]) -> NodeType:
    value, low, high, rent_source = _rent(entry)
    power = source_of(entry["power_source"])
    return NodeType(
        name=entry["name"],
        accelerator=entry["accelerator"],
        accelerators=int(entry["accelerators"]),
        fast_domain=int(entry["fast_domain"]),
        nic_bytes_per_s=quantity(entry, "nic", "rate"),
        nic_latency_s=quantity(entry, "nic_latency", "time"),
        cpu_cores=int(entry["cpu_cores"]),
        host_memory_bytes=quantity(entry, "host_memory", "data"),
        local_storage_bytes=quantity(entry, "local_storage", "data"),
        local_storage_bytes_per_s=quantity(entry, "local_storage_rate", "rate"),
        idle_w=quantity(entry, "idle", "power"),
        peak_w=quantity(entry, "peak", "power"),
        rack_units=float(entry["rack_units"]),
        price_usd=quantity(entry, "price", "money"),
        rent_usd_per_accelerator_hour=value,
        rent_low_usd_per_accelerator_hour=low,
        rent_high_usd_per_accelerator_hour=high,
        source=source_of(entry["source"]),
        price_source=source_of(entry["price_source"]),
        aliases=tuple(entry.get("aliases", ())),
        rated_w=quantity(entry, "rated", "power"),
        power_source=power,
        rent_source=rent_source,
    )


def _rent(entry: Mapping[str, Any]) -> tuple[float, float, float, Source]:
    """Rent of the node's accelerator, or of a named other one times a stated factor."""
    like = entry.get("rent_like", {})
    found = rent(like.get("accelerator", entry["accelerator"]))
    if found is None:
        raise ValueError(f"no rent for {entry['name']}: add a price or `rent_like`")
    factor = float(like.get("factor", 1.0))
    source = source_of(like) if like else found.source
    return found.value * factor, found.low * factor, found.high * factor, source


def _local() -> NodeType:
    """This machine: cores and memory as the operating system tells them."""
    cores = os.cpu_count() or 1
    try:
        memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        memory = 0.0
    detected = Source("the operating system of this machine", "measured")
    watts = Source(
        f"{_WATTS_PER_CORE_IDLE:g} W a core idle, {_WATTS_PER_CORE_BUSY:g} W busy", "assumption"
    )
    return NodeType(
        name=LOCAL,
        accelerator="",
        accelerators=0,
        fast_domain=1,
        nic_bytes_per_s=10e9 / 8,
        nic_latency_s=50e-6,
        cpu_cores=cores,
        host_memory_bytes=memory,
        local_storage_bytes=0.0,
        local_storage_bytes_per_s=500e6,
        idle_w=cores * _WATTS_PER_CORE_IDLE,
        peak_w=cores * _WATTS_PER_CORE_BUSY,
        rack_units=0.0,
        price_usd=0.0,
        rent_usd_per_accelerator_hour=0.0,
        rent_low_usd_per_accelerator_hour=0.0,
        rent_high_usd_per_accelerator_hour=0.0,
        source=Source(
            detected.text,
            "mixed",
            from_memory=("nic_bytes_per_s", "nic_latency_s", "local_storage_bytes_per_s"),
            note="a 10 Gb/s network and a 500 MB/s disk are assumed, not measured",
        ),
        price_source=Source("it is there already", "assumption"),
        power_source=watts,
    )

"""Links, storage systems, and the names of what is implemented in code."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from dcsim.catalogue.data_files import quantity, read_yaml, source_of
from dcsim.catalogue.lookup import find
from dcsim.catalogue.records import Link, Named, StorageSystem


@cache
def links() -> Mapping[str, Link]:
    """Every link technology by name."""
    return MappingProxyType({entry["name"]: _link(entry) for entry in read_yaml("links.yaml")})


def link(name: str) -> Link:
    """The link technology called `name`; raises InputError with a suggestion."""
    return find("link", name, links(), {})


@cache
def storage_systems() -> Mapping[str, StorageSystem]:
    """Every storage product by name."""
    return MappingProxyType({e["name"]: _storage(e) for e in read_yaml("storage.yaml")})


def storage_system(name: str) -> StorageSystem:
    """The storage product called `name`; raises InputError with a suggestion."""
    return find("storage system", name, storage_systems(), {})


@cache
def named_kinds() -> tuple[str, ...]:
    """The kinds of names: scheduler, placement, topology, job, metric and so on."""
    return tuple(read_yaml("names.yaml"))


@cache
def named_all(kind: str) -> Mapping[str, Named]:
    """Every name of one kind (a key of `names.yaml`)."""
    return MappingProxyType(
        {entry["name"]: _named(kind, entry) for entry in read_yaml("names.yaml")[kind]}
    )


def named(kind: str, name: str) -> Named:
    """The policy, metric, job or the like of `kind` called `name`; raises InputError."""
    entries = read_yaml("names.yaml")[kind]
    aliases = {alias: e["name"] for e in entries for alias in e.get("aliases", ())}
    return find(kind, name, named_all(kind), aliases)


def _link(entry: Mapping[str, Any]) -> Link:
    return Link(
        name=entry["name"],
        bytes_per_s=quantity(entry, "rate", "rate"),
        latency_s=quantity(entry, "latency", "time"),
        source=source_of(entry["source"]),
        port_power_w=quantity(entry, "port_power", "power"),
        port_price_usd=quantity(entry, "port_price", "money"),
    )


def _storage(entry: Mapping[str, Any]) -> StorageSystem:
    return StorageSystem(
        name=entry["name"],
        kind=entry["kind"],
        server_read_bytes_per_s=quantity(entry, "read", "rate"),
        server_write_bytes_per_s=quantity(entry, "write", "rate"),
        server_capacity_bytes=quantity(entry, "capacity", "data"),
        server_iops=quantity(entry, "iops", "count"),
        latency_s=quantity(entry, "latency", "time"),
        server_power_w=quantity(entry, "power", "power"),
        server_price_usd=quantity(entry, "price", "money"),
        redundancy=entry["redundancy"],
        source=source_of(entry["source"]),
    )


def _named(kind: str, entry: Mapping[str, Any]) -> Named:
    return Named(
        name=entry["name"],
        kind=kind,
        description=entry["description"],
        parameters=MappingProxyType(dict(entry.get("parameters", {}))),
        unit=entry.get("unit", ""),
    )

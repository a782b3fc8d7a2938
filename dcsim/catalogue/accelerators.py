"""Accelerators: data sheets with their sources, and the one table of their other names."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from dcsim.catalogue.data_files import read_csv, status_of
from dcsim.catalogue.lookup import find
from dcsim.catalogue.records import Accelerator
from dcsim.records import Source

_TYPES = ("fp32", "tf32", "bf16", "fp16", "fp8", "fp4", "int8")
_TERA = 1e12
_GIGA = 1e9


@cache
def accelerators() -> Mapping[str, Accelerator]:
    """Every accelerator by name."""
    aliases: dict[str, list[str]] = {}
    for row in read_csv("accelerator_aliases.csv"):
        aliases.setdefault(row["accelerator"], []).append(row["alias"])
    rows = read_csv("accelerators.csv")
    table = {row["name"]: _accelerator(row, tuple(aliases.get(row["name"], ()))) for row in rows}
    return MappingProxyType(table)


def accelerator(name: str) -> Accelerator:
    """The accelerator called `name`, under any of its names; raises InputError.

    A name that leaves the variant open takes the commonest one (`A100` is the 80 GB SXM);
    `could_also_be` tells the other.
    """
    return find("accelerator", name, accelerators(), _aliases())


def could_also_be(name: str) -> tuple[Accelerator, ...]:
    """The other variants that an incomplete name such as `A100` may stand for."""
    table = {row["alias"]: row["could_also_be"] for row in read_csv("accelerator_aliases.csv")}
    other = table.get(name, "")
    return (accelerators()[other],) if other else ()


@cache
def _aliases() -> Mapping[str, str]:
    return {row["alias"]: row["accelerator"] for row in read_csv("accelerator_aliases.csv")}


def _number(row: Mapping[str, str], column: str, scale: float = 1.0) -> float:
    return float(row[column]) * scale if row[column] else 0.0


def _memory_bytes(row: Mapping[str, str]) -> float:
    # A data sheet's "80 GB" is 80 GiB, apart from a few chips that keep some back: for
    # those the driver's own figure is in the table.
    if row["device_mib"]:
        return float(row["device_mib"]) * 2**20
    return float(row["mem_gb"]) * 2**30


def _accelerator(row: Mapping[str, str], aliases: tuple[str, ...]) -> Accelerator:
    return Accelerator(
        name=row["name"],
        vendor=row["vendor"],
        form=row["form"],
        peak_flops=MappingProxyType(
            {kind: float(row[kind]) * _TERA for kind in _TYPES if row[kind]}
        ),
        memory_bytes=_memory_bytes(row),
        memory_bytes_per_s=_number(row, "mem_bw_gbs", _GIGA),
        l2_bytes=_number(row, "l2_mb", 1e6),
        link_bytes_per_s=_number(row, "link_gbs_per_dir", _GIGA),
        link_type=row["link_type"],
        tdp_w=_number(row, "tdp_w"),
        matmul_flops=_number(row, "mamf_bf16", _TERA),
        release=row["release"],
        source=Source(
            text=row["source"],
            status=status_of(row["provenance"]),
            date=row["release"],
            from_memory=tuple(row["from_memory_fields"].split()),
            note=row["notes"],
        ),
        aliases=aliases,
    )

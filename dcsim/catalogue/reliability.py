"""Named sets of failure rates, derived from published counts."""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from dcsim.catalogue.data_files import read_csv, read_yaml, source_of, status_of
from dcsim.catalogue.lookup import find
from dcsim.catalogue.records import FailureRates
from dcsim.records import Source
from dcsim.units import SECONDS_PER_DAY, parse

_YEAR_OF_ARXIV = re.compile(r"arXiv (\d{2})(\d{2})\.")


@cache
def failure_sets() -> Mapping[str, FailureRates]:
    """Every named set."""
    return MappingProxyType({entry["name"]: _rates(entry) for entry in read_yaml("failures.yaml")})


def failure_rates(name: str) -> FailureRates:
    """The set called `name`; raises InputError with a suggestion."""
    return find("set of failure rates", name, failure_sets(), {})


@cache
def _facts() -> Mapping[str, Mapping[str, str]]:
    return {row["fact"]: row for row in read_csv("reliability.csv")}


def _value(fact: str) -> float:
    return float(_facts()[fact]["value"])


def _per_accelerator_s(entry: Mapping[str, Any]) -> dict[str, float]:
    """Failures per accelerator-second by class, from whichever facts the set names."""
    if "classes" in entry:
        exposure_s = _value(entry["window"]) * SECONDS_PER_DAY * _value(entry["accelerators"])
        return {
            name: sum(map(_value, facts)) / exposure_s for name, facts in entry["classes"].items()
        }
    if "mttf_days" in entry:
        of = entry["mttf_days"]
        return {"any": 1 / (_value(of["fact"]) * SECONDS_PER_DAY * of["accelerators"])}
    of = entry["per_1000_node_days"]
    return {"hardware": _value(of["fact"]) / (1000 * SECONDS_PER_DAY * of["accelerators"])}


def _source(entry: Mapping[str, Any]) -> Source:
    first = next(
        entry[key]["fact"] if isinstance(entry[key], Mapping) else entry[key]
        for key in ("mttf_days", "per_1000_node_days", "window")
        if key in entry
    )
    row = _facts()[first]
    arxiv = _YEAR_OF_ARXIV.search(row["source"])
    return Source(
        row["source"],
        status_of(row["provenance"]),
        f"20{arxiv[1]}-{arxiv[2]}" if arxiv else "",
        note=entry["note"],
    )


def recovery(kind: str) -> tuple[float, Source]:
    """Seconds of `detect`, `restart` or `repair`, with their source."""
    entry = read_yaml("recovery.yaml")[kind]
    return parse(entry["value"], "time"), source_of(entry)


def _rates(entry: Mapping[str, Any]) -> FailureRates:
    detect_s, detect_source = recovery("detect")
    restart_s, restart_source = recovery("restart")
    repair_s, repair_source = recovery("repair")
    return FailureRates(
        name=entry["name"],
        per_accelerator_s=MappingProxyType(_per_accelerator_s(entry)),
        detect_s=detect_s,
        restart_s=restart_s,
        repair_s=repair_s,
        source=_source(entry),
        basis=entry["basis"],
        detect_source=detect_source,
        restart_source=restart_source,
        repair_source=repair_source,
    )

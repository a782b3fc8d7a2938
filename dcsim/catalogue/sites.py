"""Places: carbon of the grid, price of electricity, power usage effectiveness."""

from collections.abc import Mapping
from functools import cache
from statistics import median
from types import MappingProxyType
from typing import Any

from dcsim.catalogue.data_files import read_csv, read_yaml, source_of, status_of
from dcsim.catalogue.lookup import find
from dcsim.catalogue.records import SiteFacts
from dcsim.records import Source
from dcsim.units import parse

_GRAMS_PER_KG = 1000.0
_TARIFF_ITEM = "electricity industrial"


@cache
def sites() -> Mapping[str, SiteFacts]:
    """Every region by name."""
    return MappingProxyType({entry["region"]: _site(entry) for entry in read_yaml("sites.yaml")})


def site(region: str) -> SiteFacts:
    """The facts of `region`; raises InputError with a suggestion."""
    return find("region", region, sites(), {})


@cache
def fleet_pue() -> tuple[float, Source]:
    """The median of the published fleet averages, for a site that states no PUE."""
    rows = [row for row in read_csv("pue.csv") if row["name"].endswith(("fleet", "global"))]
    text = "median of " + ", ".join(f"{row['name']} {row['pue']}" for row in rows)
    return (
        median(float(row["pue"]) for row in rows),
        Source(f"{text}; {rows[0]['source']}", "sourced", "2023-24"),
    )


def _site(entry: Mapping[str, Any]) -> SiteFacts:
    grid = next(row for row in read_csv("grid.csv") if row["name"] == entry["grid"])
    tariff, tariff_source = _tariff(entry)
    pue, pue_source = fleet_pue()
    return SiteFacts(
        region=entry["region"],
        carbon_kg_per_kwh=float(grid["grams_co2e_per_kwh"]) / _GRAMS_PER_KG,
        tariff_usd_per_kwh=tariff,
        pue=pue,
        source=Source(
            f"grid {grid['name']}: {grid['source']}",
            status_of(grid["provenance"]),
            grid["date"],
        ),
        tariff_source=tariff_source,
        pue_source=pue_source,
    )


def _tariff(entry: Mapping[str, Any]) -> tuple[float, Source]:
    """USD/kWh: the newest industrial average of the state, or the region's own figure."""
    if "tariff" in entry:
        return parse(entry["tariff"], "energy-price"), source_of(entry["tariff_source"])
    rows = [
        row
        for row in read_csv("prices.csv")
        if row["item"] == _TARIFF_ITEM and row["region"] == entry["tariff_region"]
    ]
    newest = max(rows, key=lambda row: row["date"])
    return float(newest["price"]), Source(
        newest["source"], status_of(newest["provenance"]), newest["date"]
    )

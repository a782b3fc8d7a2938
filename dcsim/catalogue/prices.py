"""Published prices, and the hourly rent of an accelerator that follows from them by rule."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from statistics import median

from dcsim.catalogue.data_files import read_csv, status_of
from dcsim.catalogue.records import Price
from dcsim.records import Source

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}$")
_FEWEST_PROVIDERS = 3
_BEST_COVERED = "H100-SXM"


@dataclass(frozen=True, slots=True)
class Rent:
    """USD an accelerator-hour: the median over providers and their range."""

    value: float
    low: float
    high: float
    source: Source


@cache
def prices() -> tuple[Price, ...]:
    """Every price that is a single figure, in the order of the table."""
    return tuple(_price(row) for row in read_csv("prices.csv") if _is_figure(row["price"]))


@cache
def rent(accelerator: str) -> Rent | None:
    """The on-demand rent of `accelerator` (a catalogue name); None without any price.

    Rule: of each provider the newest price list counts (a dated one supersedes an undated
    snapshot), and of it the cheapest region, because the region is the buyer's choice;
    the figure is the median over providers, its range their lowest and highest. Prices
    from memory and prices of the accelerator without its host are left out. With fewer
    than three providers the range is at least that of the best covered accelerator,
    relative to the median.
    """
    figures = _by_provider(accelerator)
    if not figures:
        return None
    value, low, high = median(figures.values()), min(figures.values()), max(figures.values())
    note = f"median over {', '.join(figures)}; range over the same"
    if len(figures) < _FEWEST_PROVIDERS and accelerator != _BEST_COVERED:
        wide = rent(_BEST_COVERED)
        if wide is not None:
            low = min(low, value * wide.low / wide.value)
            high = max(high, value * wide.high / wide.value)
            note = f"{', '.join(figures)} only; relative range of {_BEST_COVERED}"
    return Rent(value, low, high, Source(_text(accelerator), "sourced", "2025-26", note=note))


def _by_provider(accelerator: str) -> dict[str, float]:
    newest: dict[str, tuple[str, float]] = {}
    for row in read_csv("prices.csv"):
        if not _counts(row, accelerator):
            continue
        provider = row["item"].split()[0]
        day = row["date"] if _ISO_DAY.match(row["date"]) else ""
        # Cheapest region of the newest list: later day first, then lower price.
        known_day, known_usd = newest.get(provider, ("", float("inf")))
        usd = float(row["usd_per_gpu_hour"])
        if day > known_day or (day == known_day and usd < known_usd):
            newest[provider] = (day, usd)
    return {provider: usd for provider, (_, usd) in newest.items()}


def _counts(row: Mapping[str, str], accelerator: str) -> bool:
    return (
        row["accelerator"] == accelerator
        and row["kind"] == "on-demand"
        and row["provenance"] != "from-memory"
        and "(GPU part)" not in row["item"]
    )


def _text(accelerator: str) -> str:
    sources = {row["source"] for row in read_csv("prices.csv") if _counts(row, accelerator)}
    return "; ".join(sorted(sources))


def _is_figure(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _note(row: Mapping[str, str]) -> str:
    """The table's own remark, and a warning where it calls the source weak."""
    weak = "a weak source" if "weak" in row["provenance"] else ""
    return "; ".join(part for part in (row["note"], weak) if part)


def _price(row: Mapping[str, str]) -> Price:
    return Price(
        item=row["item"],
        price_usd=float(row["price"]),
        unit=row["unit"],
        region=row["region"],
        date=row["date"],
        kind=row["kind"],
        accelerators=int(row["gpus"] or 0),
        usd_per_accelerator_hour=float(row["usd_per_gpu_hour"] or 0.0),
        source=Source(row["source"], status_of(row["provenance"]), row["date"], note=_note(row)),
        accelerator=row["accelerator"],
    )

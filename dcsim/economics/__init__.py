"""From a ledger to money, energy and carbon."""

from dcsim.economics.bill import (
    CATEGORIES,
    PURCHASE_RANGE,
    PURCHASE_RANGE_SOURCE,
    Bill,
    Rates,
    bill,
    rates,
)
from dcsim.economics.energy import (
    ACTIVITY,
    BUSY_SHARE,
    BUSY_SHARE_SOURCE,
    activity,
    carbon_kg,
    energy_kwh,
)
from dcsim.economics.spread import Z90, draw

__all__ = [
    "ACTIVITY",
    "BUSY_SHARE",
    "BUSY_SHARE_SOURCE",
    "CATEGORIES",
    "PURCHASE_RANGE",
    "PURCHASE_RANGE_SOURCE",
    "Z90",
    "Bill",
    "Rates",
    "activity",
    "bill",
    "carbon_kg",
    "draw",
    "energy_kwh",
    "rates",
]

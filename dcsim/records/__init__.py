"""Plain frozen data that the other packages pass around."""

from dcsim.records.errors import Fault, InputError
from dcsim.records.explanation import Explanation
from dcsim.records.interval import Interval
from dcsim.records.ledger import LEDGER_CLASSES, PRODUCTIVE_CLASSES, Ledger
from dcsim.records.result import Result
from dcsim.records.source import Source
from dcsim.records.tiers import Tiers

__all__ = [
    "LEDGER_CLASSES",
    "PRODUCTIVE_CLASSES",
    "Explanation",
    "Fault",
    "InputError",
    "Interval",
    "Ledger",
    "Result",
    "Source",
    "Tiers",
]

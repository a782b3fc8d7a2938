"""Plain frozen data that the other packages pass around."""

from dcsim.records.errors import Fault, InputError
from dcsim.records.explanation import Explanation
from dcsim.records.interval import Interval
from dcsim.records.ledger import LEDGER_CLASSES, PRODUCTIVE_CLASSES, Ledger
from dcsim.records.operators import OPERATOR_KINDS, PHASES, OperatorCall
from dcsim.records.real_run import RealRun
from dcsim.records.result import Result
from dcsim.records.source import Source
from dcsim.records.tiers import Tiers

__all__ = [
    "LEDGER_CLASSES",
    "OPERATOR_KINDS",
    "PHASES",
    "PRODUCTIVE_CLASSES",
    "Explanation",
    "Fault",
    "InputError",
    "Interval",
    "Ledger",
    "OperatorCall",
    "RealRun",
    "Result",
    "Source",
    "Tiers",
]

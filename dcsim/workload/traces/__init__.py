"""Job traces: what was asked for, when and by whom, read from the formats in use."""

from dcsim.workload.traces.formats import FORMATS, read_trace
from dcsim.workload.traces.trace import Trace, endings, prepared

__all__ = ["FORMATS", "Trace", "endings", "prepared", "read_trace"]

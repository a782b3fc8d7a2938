"""Writing a trace in the generic format."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcsim.workload.traces.trace import Trace


def shortest(column: NDArray[np.float64]) -> Iterator[str]:
    """The shortest text that reads back exactly; whole numbers without a point, NaN empty."""
    for x in column.tolist():
        if x != x:
            yield ""
        else:
            yield repr(int(x)) if x.is_integer() and abs(x) < 2**53 else repr(x)


def csv_field(text: str) -> str:
    """`text` as a field of a CSV, quoted where it must be."""
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text


def write_trace(trace: Trace, path: Path) -> None:
    """Write `job_id,submit,run,procs,est,user,vc,status` atomically."""
    times = (shortest(column) for column in (trace.submit_s, trace.run_s))
    texts = ([csv_field(str(x)) for x in c] for c in (trace.user, trace.group, trace.status))
    rows = zip(
        (csv_field(str(job)) for job in trace.job_id),
        *times,
        map(str, trace.accelerators.tolist()),
        shortest(trace.est_s),
        *texts,
        strict=True,
    )
    partial = path.with_name(path.name + ".part")
    with partial.open("w", encoding="utf-8", newline="") as file:
        file.write("job_id,submit,run,procs,est,user,vc,status\n")
        file.writelines(",".join(row) + "\n" for row in rows)
    partial.replace(path)

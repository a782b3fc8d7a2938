"""`dcsim estimate storage`: one prediction for each row of a table."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dcsim.cost.storage import (
    MEBIBYTE,
    accelerators_supported,
    busy_share,
    samples_per_s,
    workloads,
)

COLUMNS = (
    "row_id",
    "status",
    "predicted_samples_per_s",
    "predicted_MiBps",
    "predicted_au_pct",
    "accelerators_supported",
)


def estimate_storage_rows(table: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Predict each row from `workload`, `n_accelerators` and `peak_MiBps` alone.

    A row is `refused`, its figures None, when the workload is unknown or a figure is missing
    or not positive.
    """
    return [_row(row, number) for number, row in enumerate(table, start=1)]


def _row(row: Mapping[str, str], number: int) -> dict[str, Any]:
    out: dict[str, Any] = dict.fromkeys(COLUMNS)
    out["row_id"], out["status"] = row.get("row_id") or number, "refused"
    workload = workloads().get((row.get("workload") or "").strip())
    count, peak = _positive(row.get("n_accelerators")), _positive(row.get("peak_MiBps"))
    if workload is None or count is None or peak is None:
        return out
    peak_bytes_per_s = peak * MEBIBYTE
    rate = float(samples_per_s(workload, count, peak_bytes_per_s))
    return out | {
        "status": "ok",
        "predicted_samples_per_s": rate,
        "predicted_MiBps": rate * workload.bytes_per_sample / MEBIBYTE,
        "predicted_au_pct": 100.0 * float(busy_share(workload, count, peak_bytes_per_s)),
        "accelerators_supported": accelerators_supported(workload, peak_bytes_per_s),
    }


def _positive(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if 0.0 < value < math.inf else None

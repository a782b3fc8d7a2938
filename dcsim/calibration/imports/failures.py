"""A log of failures → rates by class with exact intervals.

A CSV with the columns `time` (ISO 8601), `class` (hardware, network, software, maintenance,
silent_corruption or any other word) and, if known, `repair_hours`; above it, the exposure:

    # accelerators: 1024
    # from: 2026-01-01
    # to: 2026-03-01
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from dcsim.calibration.imports.text import fault, number, read_table
from dcsim.records.measurements import FailureCount, FailureLog

SECONDS_PER_HOUR = 3600.0


def read_failures(path: Path) -> FailureLog:
    """Counts over exposure with the exact 90 % interval of a Poisson rate (Garwood 1936)."""
    rows, notes = read_table(path, ("time", "class"))
    accelerators = number(path, notes, "accelerators", "the log's head")
    if accelerators < 1.0 or accelerators % 1.0:
        raise fault(path, "needs a line such as `# accelerators: 1024` above the table")
    begin, end = (_time(path, notes.get(key, ""), f"# {key}") for key in ("from", "to"))
    if end <= begin:
        raise fault(path, "ends before it begins; # to must be later than # from")
    for row in rows:
        if not begin <= _time(path, row["time"], "time") <= end:
            raise fault(path, f"has a failure at {row['time']}, outside # from and # to")
    window_s = (end - begin).total_seconds()
    counts = Counter(row["class"].strip() for row in rows)
    repairs = [number(path, row, "repair_hours", "it") for row in rows if row.get("repair_hours")]
    exposure_s = window_s * accelerators
    return FailureLog(
        accelerators=int(accelerators),
        window_s=window_s,
        classes={name: _rate(count, exposure_s) for name, count in sorted(counts.items())},
        repair_s=SECONDS_PER_HOUR * sum(repairs) / len(repairs) if repairs else 0.0,
        source=f"failure log: {path.name}",
    )


def _time(path: Path, text: str, what: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise fault(path, f'{what} is "{text}"; write it as 2026-01-31T12:00') from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _rate(count: int, exposure_s: float) -> FailureCount:
    from scipy.stats import chi2

    low, high = chi2.ppf(0.05, 2 * count) / 2.0, chi2.ppf(0.95, 2 * count + 2) / 2.0
    return FailureCount(
        count, count / exposure_s, float(low) / exposure_s, float(high) / exposure_s
    )

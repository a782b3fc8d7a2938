"""Which of many candidates are worth a line, chosen by rule and in a fixed order."""

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

Row = Mapping[str, Any]


def shown_candidates(rows: Sequence[Row], most: int, subject: str | None = None) -> list[Row]:
    """At most `most` candidates, `subject` (the recommended one, or the nearest miss) first.

    With it come, in turns, the best of every other node type and the others of the
    frontier, then dominated ones, each group nearest to the subject first; up to two
    places are kept for infeasible ones. A cluster (node type and accelerators) is shown
    once, because its layouts differ little, and by a layout that does not fit in memory
    only where none does. The rest is ordered by status, then by time.
    """
    chosen = [row for row in rows if row.get("id") == subject][:1]
    reference = chosen[0] if chosen else {}
    ranked = sorted(rows, key=lambda row: _distance(row, reference))
    frontier, dominated, misfits = (
        [row for row in ranked if row.get("status") == status]
        for status in ("frontier", "dominated", "infeasible")
    )
    able = {_cluster(row) for row in rows if _missing_memory(row) <= 1.0}
    misfits = [r for r in misfits if _missing_memory(r) <= 1.0 or _cluster(r) not in able]
    best_of_type: dict[Any, Row] = {}
    for row in frontier + dominated:
        if row.get("node_type") != reference.get("node_type"):
            best_of_type.setdefault(row.get("node_type"), row)
    types = sorted(best_of_type.values(), key=lambda row: _distance(row, reference))
    turns = [row for pair in zip_longest(frontier, types) for row in pair if row is not None]
    others = _once([*turns, *dominated], chosen)
    misfits = _once(misfits, chosen)
    room = most - len(chosen)
    kept = others[: max(room - min(len(misfits), 2), 0)]
    kept += _once(misfits, kept)[: room - len(kept)]
    return chosen + sorted(kept, key=_order)


def _once(rows: Sequence[Row], shown: Sequence[Row]) -> list[Row]:
    """The first row of every cluster that is not among `shown`."""
    seen = {_cluster(row) for row in shown}
    kept = []
    for row in rows:
        if _cluster(row) not in seen:
            seen.add(_cluster(row))
            kept.append(row)
    return kept


def _cluster(row: Row) -> tuple[Any, Any]:
    return row.get("node_type"), row.get("gpus")


def _distance(row: Row, reference: Row) -> tuple[float, float, float, str]:
    """How unlike two candidates are: ratios of money and time, of size, missing memory."""
    apart = _ratio(row, reference, "cost_usd") + _ratio(row, reference, "time_s")
    over = max(_missing_memory(row), 1.0)
    return apart, _ratio(row, reference, "gpus"), over, str(row.get("id"))


def _missing_memory(row: Row) -> float:
    """Memory needed as a multiple of what there is; infinite where either is unknown."""
    needed, capacity = row.get("memory_device_bytes"), row.get("memory_capacity_bytes")
    return needed / capacity if needed is not None and capacity else math.inf


def _ratio(row: Row, reference: Row, name: str) -> float:
    """Logarithm of a ratio without its sign; a missing figure is far from any, 0 from none."""
    theirs, ours = reference.get(name), row.get(name)
    if not theirs or not math.isfinite(theirs):
        return 0.0
    return abs(math.log(ours / theirs)) if ours and math.isfinite(ours) else 99.0


_STATUS_ORDER = {"recommended": 0, "frontier": 0, "dominated": 1, "infeasible": 2}


def _order(row: Row) -> tuple[int, float]:
    """Status, then time; equals stay in the order of their distance."""
    time = row.get("time_s")
    rank = _STATUS_ORDER.get(str(row.get("status")), 3)
    return rank, math.inf if time is None else time

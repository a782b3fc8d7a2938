"""Named checks: each derives a total of stored results again and yields what disagrees."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.store.reading import Stored

if TYPE_CHECKING:
    import pandas as pd

#: Sums of the same doubles in another order agree to this.
SUM_TOLERANCE = 1e-9

#: A confidence is stored exactly, but may have been written as a rounded share.
SHARE_TOLERANCE = 1e-9

#: Column of `finalist_runs` that holds the samples of a metric, where one does.
RUN_COLUMNS: Mapping[str, str] = {
    "total.finish": "finish_s",
    "total.cost": "cost_usd",
    "total.energy": "energy_kwh",
    "total.carbon": "carbon_kg",
    "total.ettr": "ettr",
    "total.failures": "failures",
    "total.goodput": "goodput",
}

#: Column of `finalist_runs` behind each quantity of a candidate.
FIGURE_COLUMNS: Mapping[str, str] = {
    "time_s": "finish_s",
    "cost_usd": "cost_usd",
    "energy_kwh": "energy_kwh",
    "carbon_kg": "carbon_kg",
}

#: Metrics of which more is better; all others are bounded from above.
MORE_IS_BETTER = frozenset({"ettr", "goodput", "mfu", "utilisation"})


def ledger_sums_to_capacity(stored: Stored) -> Iterator[str]:
    """The ledger sums to the capacity, and its shares to one."""
    ledger = stored.tables.get("ledger")
    if ledger is None or ledger.empty:
        return
    seconds = ledger["seconds"].to_numpy(dtype=float)
    total = math.fsum(seconds)
    capacity = stored.summary.get("capacity_s")
    if capacity is not None and not _close(total, float(capacity)):
        yield f"the ledger sums to {total:.6g} s, the capacity is {float(capacity):.6g} s"
    if total > 0 and not np.allclose(
        ledger["share"].to_numpy(dtype=float), seconds / total, rtol=1e-6, atol=1e-9
    ):
        yield "the shares in the ledger are not its seconds over their sum"
    stated = stored.summary.get("ledger_s")
    if isinstance(stated, Mapping):
        table = dict(zip(ledger["ledger_class"], seconds, strict=True))
        for name in sorted({*stated, *table}):
            ours, theirs = float(table.get(name, 0.0)), float(stated.get(name) or 0.0)
            if not _close(ours, theirs):
                yield f"{name} is {ours:.6g} s in the ledger, {theirs:.6g} s in the summary"


def money_sums_to_total(stored: Stored) -> Iterator[str]:
    """The categories of money sum to their total."""
    money = stored.tables.get("money")
    if money is None or money.empty:
        return
    is_total = (money["category"] == "total").to_numpy(dtype=bool)
    usd = money["usd"].to_numpy(dtype=float)
    if is_total.any() and not _close(math.fsum(usd[~is_total]), float(usd[is_total][0])):
        yield (
            f"the categories of money sum to {math.fsum(usd[~is_total]):.6g} USD, "
            f"the total says {float(usd[is_total][0]):.6g} USD"
        )


def shares_carry_the_whole(stored: Stored) -> Iterator[str]:
    """Money, energy and carbon of the ledger, and the bill, sum to the plan's own figures."""
    ledger, money = stored.tables.get("ledger"), stored.tables.get("money")
    for name, unit in (("cost_usd", "USD"), ("energy_kwh", "kWh"), ("carbon_kg", "kg")):
        whole = _subject_figure(stored, name)
        if whole is None:
            continue
        if ledger is not None and name in ledger.columns and not ledger[name].isna().any():
            total = math.fsum(ledger[name].to_numpy(dtype=float))
            if not math.isclose(total, whole, rel_tol=1e-6, abs_tol=1e-9):
                yield f"{name} of the ledger sums to {total:.6g} {unit}, not to {whole:.6g} {unit}"
        if name == "cost_usd" and money is not None and "category" in money.columns:
            usd = money.loc[money["category"] != "total", "usd"].to_numpy(dtype=float)
            if usd.size and not math.isclose(math.fsum(usd), whole, rel_tol=1e-6, abs_tol=1e-9):
                yield f"the bill sums to {math.fsum(usd):.6g} USD, not to {whole:.6g} USD"


def intervals_follow_from_runs(stored: Stored) -> Iterator[str]:
    """Medians and 90 % intervals are those of the simulated runs."""
    runs = stored.tables.get("finalist_runs")
    if runs is None or runs.empty or "candidate" not in runs.columns:
        return
    for row in _candidates(stored):
        own = runs[runs["candidate"].astype(str) == str(row["id"])]
        for name, column in FIGURE_COLUMNS.items():
            figure = row.get(name)
            if own.empty or column not in own.columns or not isinstance(figure, Mapping):
                continue
            samples = own[column].to_numpy(dtype=float)
            found = np.percentile(samples, [5.0, 50.0, 95.0])
            stated = [float(figure[key]) for key in ("low", "value", "high")]
            if not np.allclose(found, stated, rtol=1e-6):
                yield (
                    f"{name} of {row['id']} is {stated[1]:.6g}, the median of its runs is "
                    f"{found[1]:.6g}, or its interval is another than theirs"
                )


def parts_sum_to_step(stored: Stored) -> Iterator[str]:
    """The parts of a step have shares that sum to one."""
    table = stored.tables.get("breakdown")
    if table is None or table.empty:
        return
    parts = table[table["level"] == "part"]
    for (candidate, job), group in parts.groupby(["candidate", "job"], sort=True):
        total = math.fsum(group["share"].to_numpy(dtype=float))
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            yield f"the parts of a step of {job} in {candidate} sum to {total:.6g}, not to 1"


def verdicts_follow(stored: Stored) -> Iterator[str]:
    """Every objective's verdict follows from its figures, and its figures from the runs."""
    runs = _recommended_runs(stored)
    for objective in stored.summary.get("objectives") or []:
        name = objective["name"]
        reached, asked = objective.get("confidence"), objective.get("confidence_asked")
        if reached is None or asked is None:
            continue
        if bool(objective["met"]) != (reached >= asked - SHARE_TOLERANCE):
            said = "met" if objective["met"] else "missed"
            yield f"objective {name} is said to be {said} at {reached:.3g} sure of {asked:.3g}"
        column = RUN_COLUMNS.get(str(objective["metric"]))
        if runs is None or column not in runs.columns or runs[column].isna().any():
            continue
        samples = runs[column].to_numpy(dtype=float)
        more = str(objective["metric"]).rpartition(".")[2] in MORE_IS_BETTER
        good = samples >= objective["target"] if more else samples <= objective["target"]
        if not math.isclose(float(np.mean(good)), reached, abs_tol=1e-6):
            yield (
                f"objective {name} is met in {np.mean(good):.3g} of the runs, "
                f"the summary says {reached:.3g}"
            )


def intervals_are_ordered(stored: Stored) -> Iterator[str]:
    """Every interval has its median between its bounds."""
    for place, figure in _intervals(stored.summary):
        low, value, high = (figure[key] for key in ("low", "value", "high"))
        if None not in (low, value, high) and not low <= value <= high:
            yield f"{place} is {value:.6g}, outside its own interval {low:.6g} to {high:.6g}"


def nothing_dominates(stored: Stored) -> Iterator[str]:
    """The recommended candidate and the frontier are undominated in time and money."""
    rows = [
        row
        for row in stored.summary.get("candidates") or []
        if row.get("status") != "infeasible"
        and None not in (_value(row, "time_s"), _value(row, "cost_usd"))
    ]
    time = np.array([_value(row, "time_s") for row in rows], dtype=float)
    cost = np.array([_value(row, "cost_usd") for row in rows], dtype=float)
    for i, row in enumerate(rows):
        # Compared one by one: a check must not share the planner's sorting.
        no_worse = (time <= time[i]) & (cost <= cost[i])
        best = not np.any(no_worse & ((time < time[i]) | (cost < cost[i])))
        if row.get("status") in ("recommended", "frontier") and not best:
            yield f"candidate {row['id']} is called {row['status']}, but another dominates it"
        if row.get("status") == "dominated" and best:
            yield f"candidate {row['id']} is called dominated, but no other dominates it"


def recommended_exists(stored: Stored) -> Iterator[str]:
    """The recommended candidate is among the candidates and fits in memory."""
    chosen = stored.summary.get("recommended")
    if chosen is None:
        return
    rows = [row for row in stored.summary.get("candidates") or [] if row["id"] == chosen]
    if not rows:
        yield f"the recommended candidate {chosen} is not among the candidates"
        return
    needed, capacity = rows[0].get("memory_device_bytes"), rows[0].get("memory_capacity_bytes")
    if needed is not None and capacity is not None and needed > capacity:
        yield f"the recommended candidate {chosen} does not fit in memory"


#: Every check, in the order of the report of `dcsim check`.
CHECKS: tuple[Callable[[Stored], Iterable[str]], ...] = (
    ledger_sums_to_capacity,
    money_sums_to_total,
    shares_carry_the_whole,
    parts_sum_to_step,
    recommended_exists,
    nothing_dominates,
    intervals_follow_from_runs,
    verdicts_follow,
    intervals_are_ordered,
)


def _candidates(stored: Stored) -> list[Mapping[str, Any]]:
    """All candidates of a plan, or the one configuration of a run."""
    configuration = stored.summary.get("configuration")
    return list(stored.summary.get("candidates") or ([configuration] if configuration else []))


def _subject_figure(stored: Stored, name: str) -> float | None:
    """A quantity of the candidate that the run tables are about."""
    near = stored.summary.get("nearest_miss") or {}
    subject = stored.summary.get("recommended") or near.get("id")
    rows = [r for r in _candidates(stored) if subject is None or r.get("id") == subject]
    return _value(rows[0], name) if len(rows) == 1 else None


def _recommended_runs(stored: Stored) -> "pd.DataFrame | None":
    """The simulated runs of the recommended candidate; None when there are none."""
    runs, chosen = stored.tables.get("finalist_runs"), stored.summary.get("recommended")
    if chosen is None:
        chosen = (stored.summary.get("configuration") or {}).get("id")
    if runs is None or chosen is None or "candidate" not in runs.columns:
        return None
    own = runs[runs["candidate"].astype(str) == str(chosen)]
    return None if own.empty else own


def _intervals(document: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every mapping in `document` that holds value, low and high, with its dotted place."""
    if isinstance(document, Mapping):
        if {"value", "low", "high"} <= document.keys():
            yield place or "a figure", document
        for key, entry in document.items():
            yield from _intervals(entry, f"{place}.{key}" if place else str(key))
    elif isinstance(document, list):
        for i, entry in enumerate(document):
            label = entry.get("id") or entry.get("name") if isinstance(entry, Mapping) else None
            yield from _intervals(entry, f"{place}.{i if label is None else label}")


def _value(row: Mapping[str, Any], name: str) -> float | None:
    figure = row.get(name)
    value = figure.get("value") if isinstance(figure, Mapping) else figure
    return None if value is None else float(value)


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=SUM_TOLERANCE, abs_tol=1e-9)

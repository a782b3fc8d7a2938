"""In sentences: what is most likely to go wrong, and what would change the answer."""

from collections.abc import Mapping
from typing import Any

from dcsim.report.terminal_plan import binding_text
from dcsim.report.view import View
from dcsim.report.wording import (
    FAILURE_CLASSES,
    cluster_text,
    is_bounded_below,
    joined,
    objective_label,
    percent,
    plain_text,
    quantity,
    sureness,
)

Row = Mapping[str, Any]


def risk_sentences(view: View) -> list[str]:
    """The objective that is nearest to failing and what moves it most; then failures."""
    if view.kind == "plan" and view.recommended is None:
        return []
    sentences = []
    weakest = _weakest(view)
    if weakest is not None:
        sentences.append(_weakest_sentence(weakest))
    driver = _driver(view, weakest)
    if driver is not None:
        sentences.append(_driver_sentence(driver))
    shares = {r["ledger_class"]: r.get("share") or 0.0 for r in view.rows("ledger")}
    lost = sum(shares.get(name, 0.0) for name in FAILURE_CLASSES)
    if lost > 0:
        sentences.append(f"Failures take {percent(lost)} of the accelerators’ time.")
    return sentences


def change_sentences(view: View) -> list[str]:
    """Factors at whose ends another candidate would be recommended, and what binds."""
    chosen = view.recommended
    sentences = []
    if chosen is not None:
        sentences += _flips(view, chosen)
    texts = [binding_text(entry) for entry in view.summary.get("binding_constraints") or []]
    for text in [text for text in texts if text][:2]:
        readable = with_names(view, text)
        sentences.append(f"{readable[0].upper()}{readable[1:]}.")
    return sentences


def with_names(view: View, text: str) -> str:
    """`text` with the ids of candidates replaced by what they are."""
    rows = sorted(view.rows("candidates"), key=lambda row: -len(str(row.get("id"))))
    for row in rows:
        name = str(row.get("id"))
        if name in text:
            text = text.replace(name, cluster_text(row))
    return text


def _weakest(view: View) -> Row | None:
    rows = view.rows("objectives") or list(view.summary.get("objectives") or [])
    known = [row for row in rows if row.get("confidence") is not None]
    return min(known, key=lambda row: (row["confidence"], -_margin(row)), default=None)


def _margin(row: Row) -> float:
    """How near the unfavourable end of the interval is to the target: 1 when it is there."""
    target = row.get("target")
    end = row.get("low" if is_bounded_below(row) else "high")
    if not target or not end:
        return 0.0
    return target / end if is_bounded_below(row) else end / target


def _weakest_sentence(row: Row) -> str:
    unit = str(row.get("unit") or "")
    label = objective_label(row)
    if row.get("value") is None:
        return f"“{label}” cannot be met."
    end = row.get("low" if is_bounded_below(row) else "high")
    reach = f"its 90 % interval reaches {quantity(end, unit)}"
    if not row.get("met"):
        return f"The plan misses “{label}”: {sureness(row['confidence'])}, {reach}."
    nearest = f"“{label}” is the objective nearest to failing"
    return f"{nearest}: {sureness(row['confidence'])}, {reach}."


def _driver(view: View, weakest: Row | None) -> Row | None:
    """The factor whose unfavourable end moves the weakest objective's metric most."""
    rows = [row for row in view.rows("sensitivity") if row.get("factor") != "nodes"]
    unit = "s" if weakest is None else weakest.get("unit")
    rows = [row for row in rows if row.get("unit") == unit and row.get("high_value") is not None]
    return max(
        rows, key=lambda row: max(row["high_value"], row.get("low_value") or 0), default=None
    )


def _driver_sentence(row: Row) -> str:
    low, high = row.get("low_value") or 0.0, row["high_value"]
    setting, value = ("high_setting", high) if high >= low else ("low_setting", low)
    factor, end = plain_text(row["factor"]), plain_text(row.get(setting))
    return (
        f"It hangs most on {factor}: {_at(end)}, it would be {quantity(value, str(row['unit']))}."
    )


def _at(setting: str) -> str:
    """`at the high end of its range`, `at double`."""
    article = "the " if setting.startswith(("low end", "high end")) else ""
    return f"at {article}{setting}"


def _flips(view: View, chosen: Row) -> list[str]:
    """One sentence for each end of a factor that changes the recommendation."""
    rows = [row for row in view.rows("sensitivity") if "low_choice" in row]
    by_id = {row["id"]: row for row in view.rows("candidates")}
    flips: dict[tuple[str, str], str] = {}
    steady: list[str] = []
    for row in rows:
        factor = plain_text(row["factor"])
        changed = False
        for end in ("low", "high"):
            other = row.get(f"{end}_choice")
            if other and other != chosen["id"]:
                setting = plain_text(row.get(f"{end}_setting"))
                name = cluster_text(by_id[other]) if other in by_id else plain_text(other)
                flips[factor, setting] = f"With {factor} {_at(setting)}, choose {name}."
                changed = True
        asked = row.get("low_choice") or row.get("high_choice")
        if asked and not changed and factor not in steady:
            steady.append(factor)
    steady = [factor for factor in steady if factor not in {name for name, _ in flips}]
    sentences = list(flips.values())[:3]
    if steady:
        sentences.append(f"Varied without changing it: {joined(steady)}.")
    return sentences

"""Short sentences: why a candidate is not the plan."""

from collections.abc import Sequence

from dcsim.planner.objectives import Verdict
from dcsim.units import format_quantity, number

_DIMENSION = {"s": "time", "USD": "money", "kWh": "energy", "kg": "mass", "W": "power"}

#: Differences below this share are not worth a sentence of their own.
_EQUAL = 0.0005


def quantity(value: float, unit: str, digits: int = 3) -> str:
    """`value` in the unit that reads best."""
    dimension = _DIMENSION.get(unit)
    if dimension is None:
        return f"{number(value, digits)} {'' if unit == '1' else unit}".rstrip()
    return format_quantity(value, dimension, digits)


def memory(needed_bytes: float, capacity_bytes: float) -> str:
    """Why a layout does not fit, `needs 96 GB of 80 GB`."""
    for digits in (2, 3):
        needed = format_quantity(needed_bytes, "data", digits)
        capacity = format_quantity(capacity_bytes, "data", digits)
        if needed != capacity:
            return f"needs {needed} of {capacity}"
    over = format_quantity(needed_bytes - capacity_bytes, "data", 2)
    return f"needs {over} more than its {capacity}"


def over_limit(needed: float, limit: float, unit: str, what: str) -> str:
    """Why a site does not carry a cluster, `2.4 MW of 2 MW power`."""
    return f"{quantity(needed, unit)} of {quantity(limit, unit)} {what}"


def percent(share: float) -> str:
    """A share as a rounded percentage that is never shown as 0."""
    value = 100.0 * abs(share)
    if value >= 9.95:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 0.05 else "under 0.1 %"


def missed(verdict: Verdict) -> str:
    """How a missed objective is missed: `late by 23 d`, `54 % over 2 M USD`."""
    objective = verdict.objective
    gap = verdict.value.value - objective.target
    if objective.sense == "at_least":
        gap = -gap
    target = as_asked(objective.target, objective.unit)
    if gap <= 0.0:
        return f"{_certainty(verdict.confidence)} sure of {target}"
    if objective.metric.endswith(".finish"):
        return f"late by {quantity(gap, 's', 2)}"
    if not objective.target:
        return f"{quantity(gap, objective.unit)} over 0"
    side = "over" if objective.sense == "at_most" else "under"
    return f"{percent(gap / objective.target)} {side} {target}"


def as_asked(target: float, unit: str) -> str:
    """A bound as a user would write it: `60 d`, not `60.0 d`."""
    amount, _, rest = quantity(target, unit, 4).partition(" ")
    if "." in amount:
        amount = amount.rstrip("0").rstrip(".")
    return f"{amount} {rest}".rstrip()


def _certainty(confidence: float) -> str:
    return f"{100.0 * confidence:.0f} %"


def worst_missed(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The missed objective that excludes most: hard before soft, then the largest miss."""
    failing = [v for v in verdicts if not v.met]
    if not failing:
        return None
    return max(failing, key=lambda v: (v.objective.hard, v.shortfall))


def against(time_s: float, cost_usd: float, best_time_s: float, best_cost_usd: float) -> str:
    """What speaks against a candidate beside another: `3.0 % dearer`, `12 % slower`.

    Where it is both, money comes first: `3.0 % dearer, slower`.
    """
    dearer = cost_usd / best_cost_usd - 1.0 if best_cost_usd else 0.0
    slower = time_s / best_time_s - 1.0 if best_time_s else 0.0
    if dearer > _EQUAL:
        return f"{percent(dearer)} dearer" + (", slower" if slower > _EQUAL else "")
    return f"{percent(slower)} slower" if slower > _EQUAL else "no better"


def gain(time_s: float, cost_usd: float, than_time_s: float, than_cost_usd: float) -> str:
    """What speaks for a candidate beside another: `16 % cheaper, 91 % slower`."""
    parts = []
    for own, other, more, less in (
        (cost_usd, than_cost_usd, "dearer", "cheaper"),
        (time_s, than_time_s, "slower", "faster"),
    ):
        change = own / other - 1.0 if other else 0.0
        if abs(change) > _EQUAL:
            parts.append(f"{percent(change)} {more if change > 0.0 else less}")
    return ", ".join(parts) or "as good"

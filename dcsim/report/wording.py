"""Numbers and names as people read them: units, digits, labels. Computes nothing else."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcsim.units import DIMENSIONS, SECONDS_PER_YEAR, number

#: Dimension of each base unit that results are stored in.
_DIMENSION_OF = {
    "s": "time",
    "USD": "money",
    "kWh": "energy",
    "kg": "mass",
    "B": "data",
    "B/s": "rate",
    "W": "power",
    "FLOP/s": "compute",
    "/s": "frequency",
}

#: How a unit stands at the head of a column.
_HEADS = {"d": "days", "h": "hours", "min": "minutes", "us": "µs", "t": "t CO₂", "kg": "kg CO₂"}
_MASS_HEADS = {"g": "g CO₂", "kg": "kg CO₂", "t": "t CO₂", "kt": "kt CO₂"}

#: Durations from here on are told in years.
_IN_YEARS_FROM = 3 * SECONDS_PER_YEAR

NO_BREAK = "\u00a0"

#: The space between a number and its unit or its name, where no line may end.
_BEFORE_UNIT = re.compile(
    r"(?<=\d) (?=%|×|[kMGTPE]?(?:B|USD|W|Wh|FLOP)\b|[a-zµ]{1,3}\b)"
    r"|(?<=\d) (?=[kMB] USD)|(?<=\d [kMB]) (?=USD)"
    r"|(?<=\b[TPVDCE]P) (?=\d)|(?<=ZeRO) (?=\d)|(?<=batch) (?=\d)|(?<=×) (?=\S)"
)

PART_LABELS: Mapping[str, str] = {
    "compute": "compute",
    "tp": "tensor-parallel exchange",
    "pp_bubble": "pipeline bubble",
    "dp": "data-parallel exchange",
    "ep": "expert-parallel exchange",
    "cp": "context-parallel exchange",
    "optimizer": "optimizer",
    "other": "host and launches",
}

LEDGER_LABELS: Mapping[str, str] = {
    "repair": "in repair",
    "maintenance": "in maintenance",
    "unallocated_no_demand": "unallocated: no demand",
    "unallocated_fragmented": "unallocated: fragmented",
    "unallocated_held_back": "unallocated: held back",
    "spare": "spare",
    "starting": "starting",
    "detecting_failure": "detecting failures",
    "restarting": "restarting",
    "checkpoint": "blocked by checkpoints",
    "recomputing": "recomputing lost work",
    "data_wait": "waiting for data",
    "exposed_communication": "exposed communication",
    "pipeline_bubble": "pipeline bubble",
    "useful_training": "useful training",
    "serving_busy": "serving, busy",
    "serving_idle": "serving, idle",
}

#: Ledger classes that a failure causes, which are told as one.
FAILURE_CLASSES = ("repair", "detecting_failure", "restarting", "recomputing")

#: Metrics of which more is better, where an objective does not carry its sense.
_MORE_IS_BETTER = frozenset({"ettr", "goodput", "mfu", "utilisation"})


@dataclass(frozen=True, slots=True)
class Scale:
    """A display unit: a stored value divided by `size` is shown under `head`."""

    symbol: str
    head: str
    size: float

    def text(self, value: float | None, digits: int = 3) -> str:
        """The number alone, with significant digits; a dash where there is none."""
        return "–" if value is None else _grouped(value / self.size, digits)

    def range(self, low: float | None, high: float | None, digits: int = 3) -> str:
        """`39.0 – 46.1`; a dash where there is no interval."""
        if low is None or high is None:
            return "–"
        return f"{self.text(low, digits)} – {self.text(high, digits)}"

    def fixed(self, value: float | None, decimals: int) -> str:
        """The number with a fixed number of decimals, for columns of one precision."""
        return "–" if value is None else f"{value / self.size:,.{decimals}f}"


def scale_for(unit: str, values: Iterable[float | None]) -> Scale:
    """The display unit in which the median of `values` (in `unit`) reads best."""
    present = sorted(abs(v) for v in values if v is not None)
    middle = present[len(present) // 2] if present else 0.0
    dimension = DIMENSIONS.get(_DIMENSION_OF.get(unit, ""))
    if dimension is None:
        symbol = "" if unit in ("1", "") else unit
        return Scale(symbol, symbol, 1.0)
    if unit == "s" and middle >= _IN_YEARS_FROM:
        return Scale("years", "years", SECONDS_PER_YEAR)
    symbol = dimension.base if middle == 0 else dimension.shown[0]
    for candidate in dimension.shown:
        if middle and middle >= dimension.units[candidate] * 0.9995:
            symbol = candidate
    heads = _MASS_HEADS if dimension.name == "mass" else _HEADS
    return Scale(shown_unit(symbol), heads.get(symbol, symbol), dimension.units[symbol])


def decimals_for(scale: Scale, values: Iterable[float | None], digits: int = 3) -> int:
    """Decimals that give the median of `values` that many significant digits."""
    present = sorted(abs(v) / scale.size for v in values if v)
    if not present:
        return 0
    text = number(present[len(present) // 2], digits)
    return len(text.partition(".")[2]) if "e" not in text else digits


def shown_unit(symbol: str) -> str:
    """The unit as it is printed: `us` as `µs`."""
    return "µs" if symbol == "us" else symbol


def quantity(value: float | None, unit: str, digits: int = 3) -> str:
    """`value` with the unit that reads best, `1.41 M USD`; a dash where there is none.

    What follows a known unit stays behind it: `B/s a server`, `FLOP/s, dense`.
    """
    if value is None:
        return "–"
    known, tail = unit, ""
    if unit not in _DIMENSION_OF:
        head = re.split(r"(?=[ ,])", unit, maxsplit=1)
        if head[0] in _DIMENSION_OF and len(head) == 2:
            known, tail = head
    scale = scale_for(known, [value])
    return f"{scale.text(value, digits)} {scale.symbol}".rstrip() + tail


def is_bounded_below(objective: Mapping[str, Any]) -> bool:
    """Whether more of the objective's metric is better."""
    tail = str(objective.get("metric")).rpartition(".")[2]
    sense = objective.get("sense") or ("at_least" if tail in _MORE_IS_BETTER else "at_most")
    return sense == "at_least"


def percent(share: float | None, digits: int = 2) -> str:
    """A share in per cent; what is there but rounds to nothing is `<0.1 %`."""
    if share is None:
        return "–"
    value = 100.0 * share
    if value == 0:
        return "0 %"
    if abs(value) < 0.05:
        return "<0.1 %"
    if abs(value) >= 99.95 or abs(value) >= 9.95:
        return f"{value:.{max(digits - 2, 0)}f} %"
    return f"{value:.1f} %"


def sureness(confidence: float | None) -> str:
    """`99 % sure`; never rounded up to certainty nor down to impossibility."""
    if confidence is None:
        return ""
    if confidence >= 1.0:
        return "100 % sure"
    if confidence <= 0.0:
        return "0 % sure"
    return f"{min(max(100.0 * confidence, 1.0), 99.0):.0f} % sure"


def layout_text(row: Mapping[str, Any]) -> str:
    """The whole layout, `TP 1 · PP 1 · DP 128, micro-batch 2, ZeRO 1`."""
    degrees = [("TP", "tp", True), ("PP", "pp", True), ("VP", "vp", False), ("DP", "dp", True)]
    degrees += [("CP", "cp", False), ("EP", "ep", False)]
    shown = [
        f"{label} {int(row[key])}"
        for label, key, always in degrees
        if _has(row, key) and (always or row[key] > 1)
    ]
    tail = []
    if _has(row, "micro_batch"):
        tail.append(f"micro-batch {int(row['micro_batch'])}")
    if _has(row, "zero_stage") and row["zero_stage"] > 0:
        tail.append(f"ZeRO {int(row['zero_stage'])}")
    if _has(row, "recompute") and row["recompute"] != "none":
        tail.append(f"recompute {row['recompute']}")
    return ", ".join(part for part in (" · ".join(shown), *tail) if part)


def layout_short(row: Mapping[str, Any], micro_batch: bool = True) -> str:
    """The layout in a few letters, `TP2 DP64 mb2`; degrees of 1 are left out."""
    degrees = [("TP", "tp"), ("PP", "pp"), ("VP", "vp"), ("CP", "cp"), ("EP", "ep"), ("DP", "dp")]
    shown = [f"{label}{int(row[key])}" for label, key in degrees if _has(row, key) and row[key] > 1]
    if micro_batch and _has(row, "micro_batch"):
        shown.append(f"mb{int(row['micro_batch'])}")
    return " ".join(shown)


def layouts_short(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """`layout_short` of every row; a micro-batch that all share is left out."""
    differs = len({row.get("micro_batch") for row in rows}) > 1
    texts = [layout_short(row, micro_batch=differs) for row in rows]
    return texts if any(texts) else [layout_short(row) for row in rows]


def cluster_text(row: Mapping[str, Any]) -> str:
    """`16 × hgx-h100 (128 GPUs)`, or `17 × hgx-h100 (128 GPUs, 1 spare node)`."""
    inside = []
    if _has(row, "gpus"):
        inside.append(f"{_count(row['gpus'])} GPUs")
    if row.get("spare_nodes"):
        spares = int(row["spare_nodes"])
        inside.append(f"{spares} spare node{'s' if spares > 1 else ''}")
    gpus = f" ({', '.join(inside)})" if inside else ""
    nodes = f"{_count(row['nodes'])} × " if _has(row, "nodes") else ""
    return f"{nodes}{plain_text(row.get('node_type') or 'nodes')}{gpus}"


def objective_label(objective: Mapping[str, Any], digits: int = 3) -> str:
    """What an objective asks, `finish by 60 d`; a name that the user gave stands in front."""
    metric = str(objective.get("metric") or objective.get("name") or "objective")
    name = plain_text(objective.get("name") or metric)
    tail = metric.rpartition(".")[2]
    target = _target(objective, digits)
    bound = "at least" if is_bounded_below(objective) else "at most"
    if tail == "finish":
        asked = f"finish by {target}"
    elif objective.get("unit") == "USD":
        asked = f"{bound} {target}"
    else:
        asked = f"{plain_text(metric_noun(metric))} {bound} {target}"
    if name == metric or target in name:
        return asked if name == metric else name
    return f"{name}: {asked}"


def metric_noun(metric: str) -> str:
    """A metric in words, `finish of base` or `energy`."""
    job, _, tail = metric.rpartition(".")
    word = {"ettr": "ETTR", "mfu": "MFU"}.get(tail, tail.replace("_", " "))
    return word if job in ("", "total") else f"{word} of {job}"


def plain_text(value: Any) -> str:
    """`value` on one line, without characters that could steer a terminal or a reader."""
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() else " " for c in text).strip()


def bound(text: str) -> str:
    """`text` with its numbers tied to their units by spaces that do not break."""
    return _BEFORE_UNIT.sub(NO_BREAK, text)


def joined(words: Sequence[str]) -> str:
    """`a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _target(objective: Mapping[str, Any], digits: int) -> str:
    """The bound as short as it can be without losing a digit that the user wrote."""
    value, unit = objective.get("target"), str(objective.get("unit") or "")
    if value is None:
        return "–"
    scale = scale_for(unit, [value])
    shown = number(value / scale.size, digits)
    if "." in shown and "e" not in shown:
        shown = shown.rstrip("0").rstrip(".")
    return f"{shown} {scale.symbol}".rstrip()


def _grouped(value: float, digits: int) -> str:
    """Significant digits, thousands set apart; whole numbers of few digits as they are."""
    if value == int(value) and abs(value) < 10**digits:
        return f"{int(value)}"
    text = number(value, digits)
    if "e" in text or abs(value) < 1000:
        return text
    return f"{float(text):,.0f}"


def _count(value: Any) -> str:
    return f"{int(value):,}"


def _has(row: Mapping[str, Any], key: str) -> bool:
    return row.get(key) is not None

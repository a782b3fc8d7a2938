"""Fields of a row of runs: text into numbers, and descriptions into codes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dcsim.records import InputError
from dcsim.workload.layouts import RECOMPUTES
from dcsim.workload.table import PRECISIONS

Row = Mapping[str, Any]

TRUE = {"yes", "true", "1", "1.0"}
_EMPTY = {"", "nan", "none given", "unknown"}
_NOT_APPLICABLE = {"n/a", "na", "-"}

#: Larger whole numbers are slips of the pen, and sizes made of them overflow.
LARGEST_NUMBER = 10**9
_LARGEST = {"layers": 100_000, "hidden": 10**7, "moe_experts": 10**6}


def text_of(row: Row, column: str) -> str:
    """The trimmed text of a field, '' where it is unknown."""
    value = row.get(column)
    if value is None:
        return ""
    text = str(value).strip()
    return "" if text.lower() in _EMPTY else text


def number_of(row: Row, column: str) -> float | None:
    """A finite number of at least 0, None where it is unknown; InputError otherwise."""
    text = text_of(row, column)
    if not text or text.lower() in _NOT_APPLICABLE:
        return None
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{column} must be a number, not {text!r}") from None
    if not np.isfinite(value) or value < 0:
        raise InputError(f"{column} must be a finite number of at least 0, not {text!r}")
    return value


def whole_of(row: Row, column: str) -> int | None:
    """A whole number, None where it is unknown; InputError otherwise."""
    value = number_of(row, column)
    if value is None:
        return None
    if value != round(value):
        raise InputError(f"{column} must be a whole number, not {value!r}")
    most = _LARGEST.get(column, LARGEST_NUMBER)
    if value > most:
        raise InputError(f"{column} must be at most {most}, not {value:g}")
    return round(value)


def positive_of(row: Row, column: str) -> int | None:
    """A whole number of at least 1, None where it is unknown; InputError otherwise."""
    value = whole_of(row, column)
    if value == 0:
        raise InputError(f"{column} must be at least 1, not 0")
    return value


def zero_stage(text: str) -> int:
    """The ZeRO stage that a description means: 0–3, FSDP being 3."""
    low = text.strip().lower()
    if low in {"0", "1", "2", "3", "0.0", "1.0", "2.0", "3.0"}:
        return int(float(low))
    if "zero-3" in low or "fsdp" in low or "full-shard" in low or "hsdp" in low:
        return 3
    if "zero-2" in low:
        return 2
    if "zero-1" in low or "distributed optimizer" in low or "zero-0/1" in low:
        return 1
    return 0


def recompute_code(text: str) -> int:
    """The index in `RECOMPUTES` that a description means."""
    low = text.strip().lower()
    for code, name in enumerate(RECOMPUTES):
        if low.startswith(name):
            return code
    if low.startswith("partial"):
        return RECOMPUTES.index("selective")
    raise InputError(f"recompute must be one of {', '.join(RECOMPUTES)}, not {text!r}")


def precision_of(text: str) -> tuple[str, bool]:
    """(one of `PRECISIONS`, whether weights and optimiser are 16 bit too)."""
    low = text.lower() or "bf16"
    pure = "pure" in low
    for name in ("nvfp4", "mxfp8", "fp8", "bf16", "fp16", "tf32", "fp32"):
        if low.startswith(name):
            return name, pure
    if low.startswith(("fp4", "mxfp4")):
        return "nvfp4", pure
    raise InputError(f"precision must be one of {', '.join(PRECISIONS)}, not {text!r}")

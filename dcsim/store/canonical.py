"""One way to write a document as bytes, so that equal documents are equal files."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def canonical_json(document: Any) -> str:
    """`document` as JSON text that ends in a newline.

    Keys keep their order (a person reads the file from the top), numbers print as the
    shortest text that reads back exactly, NumPy scalars and arrays become plain numbers
    and lists, and what JSON cannot hold (not-a-number, infinity) becomes null. Raises
    TypeError for any other type.
    """
    return json.dumps(plain(document), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """`value` with JSON types only; TypeError where there is no faithful form."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if hasattr(value, "to_json"):
        return plain(value.to_json())
    raise TypeError(f"{type(value).__name__} has no JSON form")

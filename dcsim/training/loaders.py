"""The data sets that jobs name."""

from __future__ import annotations

from collections.abc import Callable

from dcsim.training import data, source_code, transactions
from dcsim.training.data import Dataset

Loader = Callable[..., Dataset]
#: Each takes the type of real inputs and targets; those of sequences also `context`.
LOADERS: dict[str, Loader] = {
    "ball": data.ball,
    "breast-cancer": data.breast_cancer,
    "digits": data.digits,
    "digit-images": data.digit_images,
    "golden": data.golden,
    "payments": transactions.payments,
    "python-calls": source_code.call_histories,
    "python-manual": data.python_manual,
    "python-passages": source_code.passages,
}

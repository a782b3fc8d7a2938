"""The report's part on storage: the risk first, figures as people read them."""

import pandas as pd
import pytest

from dcsim.report.sections.storage import what_storage_gives
from dcsim.report.view import View


def view(rows):
    frame = pd.DataFrame(rows, columns=["item", "value", "unit", "reason"])
    return View("run", {}, {"storage": frame})


def test_nothing_is_said_without_storage():
    assert what_storage_gives(view([])) is None


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (8.75e6, "years", "8.75 × 10⁶ years"),
        (120.0, "years", "120 years"),
        (1.14e-7, "1", "1.14 × 10⁻⁷"),
        (0.012, "1", "1.2 %"),
        (0.0, "1", "0"),
        (12.0, "count", "12"),
        (3.75e11, "B/s", "375 GB/s"),
    ],
)
def test_figures(value, unit, text):
    block = what_storage_gives(view([("probability of x", value, unit, "because")]))
    assert text.replace(" ", "") in block.source.replace("\u00a0", "").replace(" ", "")

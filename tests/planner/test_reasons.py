from hypothesis import given
from hypothesis import strategies as st

from dcsim.planner.reasons import against, memory, over_limit, percent


def test_memory_is_said_in_one_unit() -> None:
    assert memory(96e9, 80e9) == "needs 96.0 GB of 80.0 GB"
    assert memory(80.01e9, 80e9) == "needs 10 MB more than its 80.0 GB"


def test_a_site_limit_names_what_binds() -> None:
    assert over_limit(2.4e6, 2e6, "W", "power") == "2.40 MW of 2.00 MW power"
    assert over_limit(18, 12, "", "racks") == "18.0 of 12.0 racks"


def test_only_drawbacks_are_reasons() -> None:
    assert against(12.0, 10.3, 10.0, 10.0) == "3.0 % dearer, 20 % slower"
    assert against(5.0, 10.3, 10.0, 10.0) == "3.0 % dearer"
    assert against(10.0, 10.0, 10.0, 10.0) == "no better"


@given(st.floats(0.0, 10.0))
def test_a_percentage_is_never_nothing(share: float) -> None:
    assert percent(share) not in {"0 %", "0.0 %"}

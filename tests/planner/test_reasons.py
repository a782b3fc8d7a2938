from hypothesis import given
from hypothesis import strategies as st

from dcsim.planner.reasons import against, as_asked, gain, memory, over_limit, percent


def test_memory_is_said_in_one_unit() -> None:
    assert memory(96e9, 80e9) == "needs 96 GB of 80 GB"
    assert memory(85.9e9, 85.6e9) == "needs 85.9 GB of 85.6 GB"
    assert memory(80.01e9, 80e9) == "needs 10 MB more than its 80.0 GB"


def test_a_site_limit_names_what_binds() -> None:
    assert over_limit(2.4e6, 2e6, "W", "power") == "2.40 MW of 2.00 MW power"
    assert over_limit(18, 12, "", "racks") == "18.0 of 12.0 racks"


def test_only_drawbacks_are_reasons() -> None:
    assert against(12.0, 10.3, 10.0, 10.0) == "3.0 % dearer, slower"
    assert against(5.0, 10.3, 10.0, 10.0) == "3.0 % dearer"
    assert against(12.0, 9.0, 10.0, 10.0) == "20 % slower"
    assert against(10.0, 10.0, 10.0, 10.0) == "no better"
    assert gain(12.0, 9.0, 10.0, 10.0) == "10 % cheaper, 20 % slower"


def test_a_bound_is_said_as_it_was_asked() -> None:
    assert as_asked(60 * 86400.0, "s") == "60 d"
    assert as_asked(2.0e6, "USD") == "2 M USD"
    assert as_asked(1.25e6, "USD") == "1.25 M USD"
    assert as_asked(0.9, "1") == "0.9"


@given(st.floats(0.0, 10.0))
def test_a_percentage_is_never_nothing(share: float) -> None:
    assert percent(share) not in {"0 %", "0.0 %"}

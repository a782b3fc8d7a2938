"""Numbers, units and labels as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.report.wording import (
    bound,
    decimals_for,
    joined,
    layout_short,
    layout_text,
    layouts_short,
    objective_label,
    percent,
    plain_text,
    quantity,
    scale_for,
    sureness,
)

DAY = 86400.0


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (41.8 * DAY, "s", "41.8 d"),
        (4.1e-4, "s", "410 µs"),
        (0.0, "s", "0 s"),
        (5 * 365 * DAY, "s", "5 years"),
        (1.41e6, "USD", "1.41 M USD"),
        (118e3, "kWh", "118 MWh"),
        (41e3, "kg", "41 t"),
        (0.95, "1", "0.950"),
        (9, "1", "9"),
        (3.75e10, "B/s a server", "37.5 GB/s a server"),
        (9.89e14, "FLOP/s, dense 16 bit", "989 TFLOP/s, dense 16 bit"),
        (8, "accelerators", "8 accelerators"),
        (None, "s", "–"),
    ],
)
def test_quantities_take_the_unit_that_reads_best(value, unit, text):
    assert quantity(value, unit) == text


def test_a_column_has_one_unit_and_one_precision():
    days = [d * DAY for d in (5.71, 45.5, 174.7)]
    scale = scale_for("s", days)
    assert scale.head == "days"
    decimals = decimals_for(scale, days)
    assert [scale.fixed(d, decimals) for d in days] == ["5.7", "45.5", "174.7"]
    assert scale.range(days[0], days[1]) == "5.71 – 45.5"


def test_units_that_are_too_few_or_too_many_do_not_fail():
    assert scale_for("s", []).text(None) == "–"
    assert scale_for("parsecs", [3.0]).text(3.25) == "3.25"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (0.0001, "<0.1 %"), (0.006, "0.6 %"), (0.851, "85 %"), (1.0, "100 %")],
)
def test_shares(share, text):
    assert percent(share) == text


def test_near_certainty_is_not_certainty():
    assert sureness(0.999) == "99 % sure"
    assert sureness(0.001) == "1 % sure"
    assert sureness(1.0) == "100 % sure"
    assert sureness(None) == ""


LAYOUT = {"tp": 2, "pp": 1, "vp": 1, "dp": 64, "cp": 1, "ep": 1, "micro_batch": 2}


def test_layouts():
    row = LAYOUT | {"zero_stage": 1, "recompute": "full"}
    assert layout_text(row) == "TP 2 · PP 1 · DP 64, micro-batch 2, ZeRO 1, recompute full"
    assert layout_short(row) == "TP2 DP64 mb2"
    assert layout_text({}) == ""


def test_what_all_layouts_share_is_left_out():
    assert layouts_short([LAYOUT, LAYOUT | {"tp": 4}]) == ["TP2 DP64", "TP4 DP64"]
    assert layouts_short([LAYOUT, LAYOUT | {"micro_batch": 1}]) == ["TP2 DP64 mb2", "TP2 DP64 mb1"]


@pytest.mark.parametrize(
    ("objective", "label"),
    [
        ({"metric": "base.finish", "target": 60 * DAY, "unit": "s"}, "finish by 60 d"),
        ({"metric": "total.cost", "target": 1.2e6, "unit": "USD"}, "at most 1.2 M USD"),
        ({"metric": "total.goodput", "target": 0.85, "unit": "1"}, "goodput at least 0.85"),
        ({"metric": "total.energy", "target": 5e5, "unit": "kWh"}, "energy at most 500 MWh"),
        (
            {"metric": "total.cost", "target": 2e6, "unit": "USD", "name": "grant"},
            "grant: at most 2 M USD",
        ),
    ],
)
def test_objectives_are_named_by_what_they_ask(objective, label):
    assert objective_label({"name": objective["metric"]} | objective) == label


def test_numbers_stay_with_their_units():
    assert bound("31 % of 1.41 M USD in 38.0 GB/s, TP 2") == (
        "31\u00a0% of 1.41\u00a0M\u00a0USD in 38.0\u00a0GB/s, TP\u00a02"
    )


@given(st.text())
def test_plain_text_is_printable_and_on_one_line(text):
    plain = plain_text(text)
    assert plain == plain.strip()
    assert all(c.isprintable() for c in plain)


def test_lists_of_words():
    assert joined([]) == ""
    assert joined(["a"]) == "a"
    assert joined(["a", "b", "c"]) == "a, b and c"

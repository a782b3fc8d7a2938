import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import finite, quantities

from dcsim.units import (
    DIMENSIONS,
    QuantityError,
    format_bits,
    format_quantity,
    number,
    parse,
    parse_date,
)


@pytest.mark.parametrize(
    ("text", "dimension", "size"),
    [
        ("400 Gb/s", "rate", 50e9),
        ("400Gbps", "rate", 50e9),
        ("50 GB/s", "rate", 50e9),
        ("80 GiB", "data", 80 * 2**30),
        ("80 GB", "data", 80e9),
        ("8 Gb", "data", 1e9),
        ("30 d", "time", 2_592_000),
        ("2.5 us", "time", 2.5e-6),
        ("90 min", "time", 5400),
        ("20 MW", "power", 20e6),
        ("0.09 USD/kWh", "energy-price", 0.09),
        ("90 USD/MWh", "energy-price", 0.09),
        ("9M USD", "money", 9e6),
        ("3.9 M USD", "money", 3.9e6),
        ("20k USD", "money", 20e3),
        ("40 /s", "frequency", 40),
        ("0.08 /month", "frequency", 0.08 / (365 * 86400 / 12)),
        ("2 USD/h", "price", 2),
        ("48 USD/d", "price", 2),
        ("989 TFLOP/s", "compute", 989e12),
        ("5 %", "share", 0.05),
        ("15 T", "count", 15e12),
        ("15e12", "count", 15e12),
        (15e12, "count", 15e12),
        (7, "count", 7),
        ("322 gCO2e/kWh", "carbon-intensity", 0.322),
        ("3.6 MJ", "energy", 1.0),
    ],
)
def test_reads(text: str | float, dimension: str, size: float) -> None:
    assert parse(text, dimension) == pytest.approx(size, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "dimension", "sentence"),
    [
        (
            "400 Gb",
            "rate",
            '"400 Gb" is an amount of data, not a rate; write "400 Gb/s"',
        ),
        ("20 MWh", "power", '"20 MWh" is an amount of energy, not a power; write "20 MW"'),
        ("20 MW", "energy", '"20 MW" is a power, not an amount of energy; write "20 MWh"'),
        ("15 T", "data", '"15 T" is a plain number, not an amount of data; write "15 TB"'),
        ("60 d", "money", '"60 d" is a duration, not an amount of money; write "9M USD"'),
        (
            "400 gb/s",
            "rate",
            '"400 gb/s": there is no unit "gb/s"; did you mean "GB/s" or "Gb/s"?',
        ),
        ("60", "time", '"60" has no unit; write a duration such as "60 d"'),
        (60, "time", '60 has no unit; write a duration such as "60 d"'),
        ("soon", "time", '"soon" is text, not a duration; write for instance "30 d"'),
        ("-5 d", "time", '"-5 d" is negative; write a duration such as "30 d"'),
        ("1e400", "count", '"1e400" is too large for a number'),
        ("1e300 EB", "data", '"1e300 EB" is too large to be an amount of data'),
        ("1e-400", "count", '"1e-400" is too small for a number'),
        (math.nan, "count", "not-a-number is no quantity; write a number"),
        (math.inf, "count", "inf is too large for a number"),
        (10**400, "count", "a number of more than 40 digits is too large for a number"),
        (True, "count", 'true is not a plain number; write for instance "15e12"'),
        (None, "time", 'an empty value is not a duration; write for instance "30 d"'),
        ([1], "time", 'a list is not a duration; write for instance "30 d"'),
        ("$9M", "money", '"$9M" has its currency in front; write "9M USD"'),
        (
            "5 parsec",
            "time",
            '"5 parsec": "parsec" is no unit of duration; write for instance "30 d"',
        ),
    ],
)
def test_says_what_is_wrong_and_what_would_be_right(
    text: object, dimension: str, sentence: str
) -> None:
    with pytest.raises(QuantityError) as caught:
        parse(text, dimension)
    assert str(caught.value) == sentence


@given(quantities())
def test_every_unit_of_every_dimension_is_read(quantity: tuple[str, str, float]) -> None:
    text, dimension, size = quantity
    assert parse(text, dimension) == pytest.approx(size, rel=1e-12)


@given(st.sampled_from(sorted(DIMENSIONS)), finite(1e-6, 1e18))
def test_what_is_written_reads_back_within_its_digits(dimension: str, size: float) -> None:
    text = format_quantity(size, dimension)
    assert parse(text, dimension) == pytest.approx(size, rel=0.0051)


@given(st.sampled_from(sorted(DIMENSIONS)), finite(1e-3, 1e15))
def test_writing_what_was_read_changes_nothing(dimension: str, size: float) -> None:
    text = format_quantity(size, dimension)
    assert format_quantity(parse(text, dimension), dimension) == text


@given(st.text(max_size=30), st.sampled_from(sorted(DIMENSIONS)))
def test_any_text_is_read_or_refused_in_one_sentence(text: str, dimension: str) -> None:
    said = read_or_sentence(text, dimension)
    if isinstance(said, str):
        assert said.strip()
        assert "\n" not in said
    else:
        assert said >= 0
        assert math.isfinite(said)


def read_or_sentence(text: str, dimension: str) -> float | str:
    try:
        return parse(text, dimension)
    except QuantityError as error:
        return str(error)


def test_every_example_is_right() -> None:
    for name, dimension in DIMENSIONS.items():
        assert parse(dimension.example, name) > 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1.4142, "1.41"), (999.6, "1000"), (41.84, "41.8"), (0.001234, "0.00123")],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_formats_as_people_read_it() -> None:
    assert format_quantity(1.412e6, "money") == "1.41 M USD"
    assert format_quantity(41.8 * 86400, "time") == "41.8 d"
    assert format_quantity(0.9996e9, "data") == "1.00 GB"
    assert format_bits(50e9) == "400 Gb/s"
    assert format_bits(12) == "96.0 b/s"


def test_dates() -> None:
    assert parse_date("2027-03-01").isoformat() == "2027-03-01"
    for wrong in ("2027-13-01", "1.3.2027", "2027-3-1", 20270301, None):
        with pytest.raises(QuantityError):
            parse_date(wrong)

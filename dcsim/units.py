"""Quantities: read `400 Gb/s`, `80 GiB` or `30 d` and write them back.

A closed table, because a general unit library reads `Gb` as gilbert and knows neither
FLOP nor USD. Units are case-sensitive: `Gb` is a gigabit, `GB` a gigabyte of 10^9 bytes
and `GiB` one of 2^30. Inside the program every quantity is a plain float in the base
unit of its dimension.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

SECONDS_PER_MINUTE = 60.0
SECONDS_PER_HOUR = 3600.0
SECONDS_PER_DAY = 86400.0
#: A year of 365 days and a twelfth of it: what contracts and price lists mean.
SECONDS_PER_YEAR = 365 * SECONDS_PER_DAY
SECONDS_PER_MONTH = SECONDS_PER_YEAR / 12


class QuantityError(ValueError):
    """The text is no such quantity; the message is one sentence that says what would be."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A kind of quantity: what it is called, its base unit, an example and its units.

    `units` maps each unit to its size in the base unit; `shown` lists those that
    formatting chooses from, smallest first.
    """

    name: str
    noun: str
    base: str
    example: str
    units: Mapping[str, float]
    shown: tuple[str, ...]


_SI = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY = {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)}


def _scaled(symbol: str, prefixes: Mapping[str, float], size: float = 1.0) -> dict[str, float]:
    return {prefix + symbol: factor * size for prefix, factor in prefixes.items()}


_TIME = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": SECONDS_PER_MINUTE,
    "h": SECONDS_PER_HOUR,
    "d": SECONDS_PER_DAY,
    "week": 7 * SECONDS_PER_DAY,
    "month": SECONDS_PER_MONTH,
    "year": SECONDS_PER_YEAR,
}
_TIME_WORDS = {
    "hour": SECONDS_PER_HOUR,
    "hours": SECONDS_PER_HOUR,
    "day": SECONDS_PER_DAY,
    "days": SECONDS_PER_DAY,
    "weeks": 7 * SECONDS_PER_DAY,
    "months": SECONDS_PER_MONTH,
    "years": SECONDS_PER_YEAR,
    "y": SECONDS_PER_YEAR,
}
_BITS = {**_scaled("b", _SI, 1 / 8), **_scaled("bit", _SI, 1 / 8)}
_BYTES = {**_scaled("B", _SI), **_scaled("B", _BINARY)}
_DATA = {**_BYTES, **_BITS}
_BIT_RATES_SPELT = _scaled("bps", _SI, 1 / 8)
_MONEY = {
    "USD": 1.0,
    **{f"{prefix} USD": size for prefix, size in (("k", 1e3), ("M", 1e6), ("B", 1e9))},
}
_ENERGY_KWH = {
    "Wh": 1e-3,
    "kWh": 1.0,
    "MWh": 1e3,
    "GWh": 1e6,
    "J": 1 / 3.6e6,
    "kJ": 1 / 3.6e3,
    "MJ": 1 / 3.6,
    "GJ": 1e3 / 3.6,
}
_GRAMS_KG = {"g": 1e-3, "kg": 1.0, "t": 1e3, "kt": 1e6}


def _table() -> dict[str, Dimension]:
    rates = {f"{unit}/s": size for unit, size in _DATA.items()} | _BIT_RATES_SPELT
    per_time = {f"/{unit}": 1 / size for unit, size in (_TIME | _TIME_WORDS).items()}
    usd_per_h = {
        f"{money}/{unit}": usd * SECONDS_PER_HOUR / _TIME[unit]
        for money, usd in _MONEY.items()
        for unit in ("s", "h", "d", "month", "year")
    }
    usd_per_kwh = {
        f"USD/{unit}": 1 / size for unit, size in _ENERGY_KWH.items() if unit.endswith("Wh")
    }
    kg_per_kwh = {
        f"{mass}{gas}/{energy}": kg / _ENERGY_KWH[energy]
        for mass, kg in _GRAMS_KG.items()
        for gas in ("", "CO2", "CO2e")
        for energy in ("kWh", "MWh")
    }
    rows = [
        Dimension(
            "count",
            "a plain number",
            "",
            "15e12",
            {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12},
            ("", "k", "M", "B", "T"),
        ),
        Dimension("share", "a share", "", "0.9", {"": 1.0, "%": 0.01}, ("%",)),
        Dimension(
            "data",
            "an amount of data",
            "B",
            "80 GiB",
            _DATA,
            ("B", "kB", "MB", "GB", "TB", "PB", "EB"),
        ),
        Dimension(
            "rate",
            "a rate",
            "B/s",
            "400 Gb/s",
            rates,
            ("B/s", "kB/s", "MB/s", "GB/s", "TB/s", "PB/s"),
        ),
        Dimension(
            "time",
            "a duration",
            "s",
            "30 d",
            _TIME | _TIME_WORDS,
            ("ns", "us", "ms", "s", "min", "h", "d"),
        ),
        Dimension(
            "frequency", "a rate of events", "/s", "40 /s", per_time, ("/year", "/d", "/h", "/s")
        ),
        Dimension("power", "a power", "W", "20 MW", _scaled("W", _SI), ("W", "kW", "MW", "GW")),
        Dimension(
            "energy",
            "an amount of energy",
            "kWh",
            "500 MWh",
            _ENERGY_KWH,
            ("Wh", "kWh", "MWh", "GWh"),
        ),
        Dimension(
            "money",
            "an amount of money",
            "USD",
            "9M USD",
            _MONEY,
            ("USD", "k USD", "M USD", "B USD"),
        ),
        Dimension("price", "a price by the hour", "USD/h", "2 USD/h", usd_per_h, ("USD/h",)),
        Dimension(
            "energy-price",
            "a price of energy",
            "USD/kWh",
            "0.09 USD/kWh",
            usd_per_kwh,
            ("USD/kWh",),
        ),
        Dimension("mass", "a mass", "kg", "120 t", _GRAMS_KG, ("g", "kg", "t", "kt")),
        Dimension(
            "carbon-intensity",
            "a carbon intensity",
            "kg/kWh",
            "0.35 kg/kWh",
            kg_per_kwh,
            ("g/kWh",),
        ),
        Dimension(
            "compute",
            "a rate of arithmetic",
            "FLOP/s",
            "989 TFLOP/s",
            _scaled("FLOP/s", _SI) | _scaled("FLOPS", _SI),
            ("FLOP/s", "kFLOP/s", "MFLOP/s", "GFLOP/s", "TFLOP/s", "PFLOP/s", "EFLOP/s"),
        ),
    ]
    return {row.name: row for row in rows}


#: Every kind of quantity, by name.
DIMENSIONS: Mapping[str, Dimension] = _table()

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_SPACE = re.compile(r"\s+")
_MONEY_PREFIX = re.compile(r"^([kMB]) ?(?=USD)")


def parse(value: object, dimension: str) -> float:
    """The size of `value` in the base unit of `dimension` (a key of `DIMENSIONS`).

    `value` is a text such as `400 Gb/s`, or a number where the dimension has no unit.
    Raises QuantityError with one sentence: no number, no or another unit, not finite,
    or negative (no quantity of a scenario is).
    """
    wanted = DIMENSIONS[dimension]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise QuantityError(
            f"{shown(value)} is not {wanted.noun}; write for instance {_quoted(wanted)}"
        )
    if isinstance(value, str):
        amount, unit = _split(value, wanted)
    else:
        amount, unit = value, ""
    size = _finite(amount, value) * _unit_size(value, unit, wanted)
    if math.isinf(size):
        raise QuantityError(f"{shown(value)} is too large to be {wanted.noun}")
    if size < 0 or (size == 0 and str(value).lstrip().startswith("-")):
        raise QuantityError(
            f"{shown(value)} is negative; write {wanted.noun} such as {_quoted(wanted)}"
        )
    return size


def parse_date(value: object) -> date:
    """A calendar day written `YYYY-MM-DD`; raises QuantityError."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value.strip()):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            raise QuantityError(f"{shown(value)} is not a day of the calendar") from None
    raise QuantityError(f'{shown(value)} is not a date; write it as "2027-03-01"')


def is_date(value: object) -> bool:
    """Whether `value` has the form of a date."""
    return isinstance(value, str) and bool(re.fullmatch(r"\s*\d{4}-\d{1,2}-\d{1,2}\s*", value))


def number(value: float, digits: int = 3) -> str:
    """`value` with `digits` significant digits, never in exponent form below 10^15."""
    if value == 0 or not math.isfinite(value):
        return str(value) if value else "0"
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = math.floor(math.log10(abs(rounded)))
    if not -6 < exponent < 15:
        return f"{value:.{digits - 1}e}"
    return f"{rounded:.{max(digits - 1 - exponent, 0)}f}"


def format_quantity(value: float, dimension: str, digits: int = 3) -> str:
    """`value` (in the base unit) with the unit that reads best, `1.41 M USD` or `41.8 d`.

    The unit is the largest shown one that leaves at least 1 in front of the point, so
    that `parse` gives back `value` within the rounding to `digits` significant digits.
    """
    wanted = DIMENSIONS[dimension]
    unit = wanted.shown[0]
    for candidate in wanted.shown:
        if abs(value) >= wanted.units[candidate] * (1 - 0.5 * 10.0**-digits):
            unit = candidate
    text = number(value / wanted.units[unit], digits)
    return f"{text} {unit}".rstrip()


def format_bits(bytes_per_s: float, digits: int = 3) -> str:
    """A rate the way networks are sold, `400 Gb/s`."""
    for unit in ("Tb/s", "Gb/s", "Mb/s", "kb/s"):
        size = DIMENSIONS["rate"].units[unit]
        if abs(bytes_per_s) >= size * (1 - 0.5 * 10.0**-digits):
            return f"{number(bytes_per_s / size, digits)} {unit}"
    return f"{number(bytes_per_s * 8, digits)} b/s"


def _split(text: str, wanted: Dimension) -> tuple[float | int, str]:
    """Number and unit of `text`, the unit with single spaces."""
    stripped = text.strip()
    match = _NUMBER.match(stripped)
    if match is None:
        raise QuantityError(_no_number(text, stripped, wanted))
    unit = _SPACE.sub(" ", stripped[match.end() :].strip())
    return _to_float(match.group(), text), _MONEY_PREFIX.sub(r"\1 ", unit)


def _no_number(text: str, stripped: str, wanted: Dimension) -> str:
    if stripped.startswith("$") and wanted.name == "money":
        return f'{shown(text)} has its currency in front; write "{stripped[1:].strip()} USD"'
    return f"{shown(text)} is text, not {wanted.noun}; write for instance {_quoted(wanted)}"


def _to_float(digits: str, text: str) -> float:
    value = float(digits)
    if value == 0 and any(c in "123456789" for c in re.split("[eE]", digits)[0]):
        raise QuantityError(f"{shown(text)} is too small for a number")
    return value


def _finite(amount: float | int, value: object) -> float:
    try:
        size = float(amount)
    except OverflowError:
        size = math.inf
    if math.isnan(size):
        raise QuantityError("not-a-number is no quantity; write a number")
    if math.isinf(size):
        raise QuantityError(f"{shown(value)} is too large for a number")
    return size


def _unit_size(value: object, unit: str, wanted: Dimension) -> float:
    """Size of `unit` in the base unit of `wanted`, or a sentence about what is wrong."""
    if unit in wanted.units:
        return wanted.units[unit]
    if not unit:
        suggestion = f"{str(value).strip()} {wanted.example.split(' ', 1)[-1]}"
        raise QuantityError(
            f'{shown(value)} has no unit; write {wanted.noun} such as "{suggestion}"'
        )
    for other in DIMENSIONS.values():
        if unit in other.units:
            raise QuantityError(
                f"{shown(value)} is {other.noun}, not {wanted.noun}; write "
                f'"{_converted(str(value), unit, wanted)}"'
            )
    raise QuantityError(_unknown_unit(value, unit, wanted))


def _converted(text: str, unit: str, wanted: Dimension) -> str:
    """`text` with the smallest change to its unit that makes it a `wanted`."""
    stripped = text.strip()
    for suffix in ("/s", "B", "h"):
        if unit + suffix in wanted.units:
            return stripped + suffix
        if unit.endswith(suffix) and unit.removesuffix(suffix) in wanted.units:
            return stripped.removesuffix(suffix).rstrip()
    return wanted.example


def _unknown_unit(value: object, unit: str, wanted: Dimension) -> str:
    folded = {known.lower(): known for known in wanted.units if known}
    same = [known for known in wanted.units if known.lower() == unit.lower()]
    close = same or [folded[name] for name in get_close_matches(unit.lower(), folded, n=2)]
    hint = " or ".join(f'"{name}"' for name in close[:3])
    if hint:
        return f'{shown(value)}: there is no unit "{unit}"; did you mean {hint}?'
    return (
        f'{shown(value)}: "{unit}" is no unit of {wanted.noun.split(" ", 1)[1]}; '
        f"write for instance {_quoted(wanted)}"
    )


def _quoted(wanted: Dimension) -> str:
    return f'"{wanted.example}"'


_LONGEST_SHOWN = 40


def shown(value: object) -> str:
    """`value` as it is quoted in a sentence: on one line and not too long."""
    if value is None:
        return "an empty value"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and abs(value) >= 10**_LONGEST_SHOWN:
        return "a number of more than 40 digits"
    text = one_line(str(value))
    return f'"{text}"' if isinstance(value, str) else text


def one_line(text: str) -> str:
    """`text` as it can stand in a message: printable and not too long."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    if len(printable) > _LONGEST_SHOWN:
        return printable[: _LONGEST_SHOWN - 1] + "…"
    return printable

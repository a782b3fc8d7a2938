"""The kinds of values that a scenario holds, as annotations for the schema.

Each reads one value, raises ValueError with one sentence, and knows its JSON Schema.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from dcsim import catalogue
from dcsim.records import InputError
from dcsim.units import DIMENSIONS, QuantityError, format_quantity, parse, shown


class ValueProblems(ValueError):
    """Several things wrong inside one value, each with its path below it."""

    def __init__(self, problems: list[tuple[tuple[str | int, ...], str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(message for _, message in problems))


class Reader:
    """Base of the annotations: a function that reads a value and a JSON Schema for it."""

    def read(self, value: Any) -> Any:
        """The value as the program uses it; ValueError says what is wrong."""
        raise NotImplementedError

    def json_schema(self) -> dict[str, Any]:
        """What a text may look like that `read` accepts."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self.json_schema()


@dataclass(frozen=True)
class Quantity(Reader):
    """A size with its unit, of one dimension of `dcsim.units`."""

    dimension: str
    positive: bool = False
    most: float = math.inf
    least: float = 0.0

    def read(self, value: Any) -> float:
        """The size in the base unit."""
        size = parse(value, self.dimension)
        noun = DIMENSIONS[self.dimension].noun
        if self.positive and size == 0:
            example = DIMENSIONS[self.dimension].example
            raise QuantityError(f'zero makes no sense here; write {noun} such as "{example}"')
        if size < self.least:
            least = format_quantity(self.least, self.dimension)
            raise QuantityError(f"{shown(value)} is less than the least accepted, {least}")
        if size > self.most:
            most = format_quantity(self.most, self.dimension)
            raise QuantityError(f"{shown(value)} is more than the largest accepted, {most}")
        return size

    def json_schema(self) -> dict[str, Any]:
        """Text with a unit; also a number where the dimension has a bare unit."""
        dimension = DIMENSIONS[self.dimension]
        kinds = ["string", "number"] if "" in dimension.units else ["string"]
        units = ", ".join(unit for unit in dimension.shown if unit)
        return {
            "type": kinds,
            "description": f"{dimension.noun}; units {units} and more",
            "examples": [dimension.example],
        }


@dataclass(frozen=True)
class Whole(Reader):
    """A whole number between two bounds."""

    least: int = 1
    most: int = 10**9

    def read(self, value: Any) -> int:
        """The number; `1e3` is one, `1.5` and text are not."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise QuantityError(f"{shown(value)} is not a whole number; write one such as 8")
        if isinstance(value, float | int) and value == value and value < self.least:
            raise QuantityError(f"{shown(value)} is too small; the least is {self.least}")
        try:
            size = parse(value, "count")
        except QuantityError as error:
            raise QuantityError(str(error).replace("15e12", "16")) from None
        if size != int(size):
            raise QuantityError(f"{shown(value)} is not a whole number")
        if size < self.least:
            raise QuantityError(f"{shown(value)} is too small; the least is {self.least}")
        if size > self.most:
            raise QuantityError(f"{shown(value)} is too large; the most is {self.most:,}")
        return int(size)

    def json_schema(self) -> dict[str, Any]:
        """An integer with its bounds."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Flag(Reader):
    """true or false."""

    def read(self, value: Any) -> bool:
        """The flag; `yes` and `no` are texts in YAML 1.2 and therefore wrong."""
        if isinstance(value, bool):
            return value
        raise ValueError(f"{shown(value)} is not a flag; write true or false")

    def json_schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Name(Reader):
    """The user's own name of a thing, by which others and the command line address it."""

    def read(self, value: Any) -> str:
        """The name: letters, digits, hyphens and underscores."""
        if not isinstance(value, str):
            raise ValueError(f"{shown(value)} is not a name; write text such as main")
        if not _NAME.fullmatch(value):
            raise ValueError(
                f"{shown(value)} cannot be a name; use up to 60 letters, digits, "
                '"-" and "_", and begin with a letter or digit'
            )
        return value

    def json_schema(self) -> dict[str, Any]:
        """A text of the form that `read` accepts."""
        return {"type": "string", "pattern": f"^{_NAME.pattern}$"}


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Text(Reader):
    """A line of free text."""

    def read(self, value: Any) -> str:
        """The text without surrounding space."""
        if not isinstance(value, str):
            raise ValueError(f"{shown(value)} is not text; put it in quotes")
        text = value.strip()
        if not text or len(text) > _LONGEST_TEXT or not text.isprintable():
            raise ValueError(f"write one line of 1 to {_LONGEST_TEXT} printable characters")
        return text

    def json_schema(self) -> dict[str, Any]:
        """A short string."""
        return {"type": "string", "minLength": 1, "maxLength": _LONGEST_TEXT}


@dataclass(frozen=True)
class Sides(Reader):
    """The sides of a torus, `8x8x8`."""

    def read(self, value: Any) -> str:
        """The sides without spaces."""
        if isinstance(value, str) and _SIDES.fullmatch(value.replace(" ", "")):
            return value.replace(" ", "")
        raise ValueError(f'{shown(value)} are no sides of a torus; write them as "8x8x8"')

    def json_schema(self) -> dict[str, Any]:
        """A text of the form that `read` accepts."""
        return {"type": "string", "pattern": f"^{_SIDES.pattern}$"}


_SIDES = re.compile(r"[1-9]\d{0,4}(x[1-9]\d{0,4}){1,5}")


@dataclass(frozen=True)
class Known(Reader):
    """A name from the catalogue, under any of its aliases; read as the catalogue's own."""

    kind: str
    known: Callable[[], Iterable[str]]
    find: Callable[[str], Any]
    key: str = "name"
    extra: tuple[str, ...] = ()

    def read(self, value: Any) -> str:
        """The catalogue's name of it, or one of `extra`."""
        if value is None and "none" in self.extra:
            return "none"
        if not isinstance(value, str):
            raise ValueError(f"{shown(value)} is not the name of a {self.kind}")
        if value in self.extra:
            return value
        try:
            return str(getattr(self.find(value), self.key))
        except InputError as error:
            raise ValueError(error.faults[0].message) from None

    def json_schema(self) -> dict[str, Any]:
        """Text, with the catalogue's names as examples."""
        known = [*self.extra, *self.known()]
        return {"type": "string", "description": f"name of a {self.kind}", "examples": known}


def listed(kind: str) -> Callable[[], Iterable[str]]:
    """The catalogue's names of `kind`, asked for when needed."""
    return lambda: catalogue.names(kind)


def named(kind: str) -> Known:
    """A name among those implemented in code, such as a scheduler."""
    return Known(kind, listed(kind), lambda name: catalogue.named(kind, name))


def one_of(value: Any, choices: Mapping[str, Any]) -> str:
    """`value` if it is a key of `choices`; ValueError with a suggestion."""
    if isinstance(value, str) and value in choices:
        return value
    if isinstance(value, str):
        raise ValueError(f"there is no {shown(value)} here; {catalogue.suggest(value, choices)}")
    raise ValueError(f"{shown(value)} is not one of {', '.join(choices)}")

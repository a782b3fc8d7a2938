"""What the planner may vary: keys addressed by name, each with the values to try."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dcsim import catalogue
from dcsim.records import InputError
from dcsim.scenario.resolved import FixedLayout
from dcsim.scenario.values import Reader, ValueProblems, Whole, one_of
from dcsim.units import shown

#: Every sensible value.
ALL = "all"

_COUNT = Whole(1, 1_000_000)
_NODE_KEY = re.compile(r"cluster\.nodes\.([A-Za-z0-9_-]+)\.(count|node)")
_LAYOUT_KEYS = ("parallelism", "micro_batch", "recompute")
_DEGREES = ("tp", "pp", "vp", "dp", "cp", "ep")
_MOST_VALUES = 1000


@dataclass(frozen=True, slots=True)
class Vary:
    """`node_counts` and `node_types` by group; None where a key was left out.

    An empty tuple of micro-batches or recomputations means `all`.
    """

    node_counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    node_types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parallelism: str | tuple[FixedLayout, ...] | None = None
    micro_batches: tuple[int, ...] | None = None
    recomputes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class VaryReader(Reader):
    """Reads `plan.vary`; reports every wrong key and value at once."""

    def read(self, value: Any) -> Vary:
        """The axes of the search."""
        if not isinstance(value, Mapping):
            raise ValueError(f"{shown(value)} is not a mapping from keys to lists of values")
        problems: list[tuple[tuple[str | int, ...], str]] = []
        counts: dict[str, tuple[int, ...]] = {}
        types: dict[str, tuple[str, ...]] = {}
        layout: dict[str, Any] = {}
        for key, values in value.items():
            match = _NODE_KEY.fullmatch(key)
            if match and match[2] == "count":
                counts[match[1]] = _each(key, values, _COUNT.read, problems)
            elif match:
                types[match[1]] = _each(key, values, _node, problems)
            elif key in _LAYOUT_KEYS:
                layout[key] = _layout_axis(key, values, problems)
            else:
                problems.append(((key,), _unknown_key(key)))
        if problems:
            raise ValueProblems(problems)
        return Vary(
            node_counts=counts,
            node_types=types,
            parallelism=layout.get("parallelism"),
            micro_batches=layout.get("micro_batch"),
            recomputes=layout.get("recompute"),
        )

    def json_schema(self) -> dict[str, Any]:
        """A mapping with the keys that can be varied."""
        all_or = [{"const": ALL}]
        counts = {"type": "array", "items": _COUNT.json_schema()}
        nodes = {"type": "array", "items": {"type": "string"}}
        layouts = {"type": "array", "items": {"type": "object"}}
        return {
            "type": "object",
            "properties": {
                "parallelism": {"anyOf": [*all_or, layouts]},
                "micro_batch": {"anyOf": [*all_or, counts]},
                "recompute": {"anyOf": [*all_or, nodes]},
            },
            "patternProperties": {
                r"^cluster\.nodes\.[A-Za-z0-9_-]+\.count$": counts,
                r"^cluster\.nodes\.[A-Za-z0-9_-]+\.node$": nodes,
            },
            "additionalProperties": False,
        }


def _layout_axis(key: str, values: Any, problems: list[Any]) -> Any:
    if values == ALL:
        return ALL if key == "parallelism" else ()
    read = {"parallelism": _layout, "micro_batch": _COUNT.read, "recompute": _recompute}[key]
    return _each(key, values, read, problems)


def _each(
    key: str, values: Any, read: Callable[[Any], Any], problems: list[Any]
) -> tuple[Any, ...]:
    """Every value of a list, read; repeated ones count once."""
    if not isinstance(values, list) or not values:
        what = f'{shown(values)} is not a list of values; write them as "[8, 16]"'
        if key in _LAYOUT_KEYS:
            what = f'{shown(values)} is neither "all" nor a list of values'
        problems.append(((key,), what))
        return ()
    if len(values) > _MOST_VALUES:
        problems.append(((key,), f"{len(values)} values are more than {_MOST_VALUES}"))
        return ()
    found: list[Any] = []
    for index, item in enumerate(values):
        try:
            read_value = read(item)
        except ValueProblems as error:
            problems += [((key, index, *path), message) for path, message in error.problems]
            continue
        except ValueError as error:
            problems.append(((key, index), str(error)))
            continue
        if read_value not in found:
            found.append(read_value)
    return tuple(found)


def _node(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not the name of a node type")
    try:
        return catalogue.node(value).name
    except InputError as error:
        raise ValueError(error.faults[0].message) from None


def _recompute(value: Any) -> str:
    return one_of("none" if value is None else value, catalogue.entries("recompute"))


def _layout(value: Any) -> FixedLayout:
    """A mapping such as `{tp: 8, pp: 2}`."""
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f'{shown(value)} is not a layout; write it as "{{tp: 8, pp: 2}}"')
    problems: list[tuple[tuple[str | int, ...], str]] = []
    pins: dict[str, Any] = {}
    for key, degree in value.items():
        try:
            if key == "zero":
                pins["zero_stage"] = Whole(0, 3).read(degree)
            else:
                pins[one_of(key, dict.fromkeys((*_DEGREES, "zero")))] = _COUNT.read(degree)
        except ValueError as error:
            problems.append(((key,), str(error)))
    if problems:
        raise ValueProblems(problems)
    return FixedLayout(**pins)


def _unknown_key(key: str) -> str:
    known = ["cluster.nodes.NAME.count", "cluster.nodes.NAME.node", *_LAYOUT_KEYS]
    return f"{shown(key)} cannot be varied; {catalogue.suggest(key, known)}"

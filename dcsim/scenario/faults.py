"""What pydantic found wrong, as sentences with the place of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from dcsim import catalogue
from dcsim.records import Fault
from dcsim.scenario.part import Part
from dcsim.scenario.schema import LATER_KINDS, ScenarioFile
from dcsim.scenario.values import ValueProblems
from dcsim.scenario.yaml_text import Document, Path, dotted
from dcsim.units import one_line, shown

_KINDS = ("training", "real")


class Rank(IntEnum):
    """How bad a problem is; the worst come first."""

    STRUCTURE = 0
    UNKNOWN_KEY = 1
    MISSING = 2
    VALUE = 3
    MEANING = 4


@dataclass(frozen=True, slots=True)
class Problem:
    """A sentence about the value (or the key) at a path of the document."""

    path: Path
    message: str
    rank: Rank = Rank.MEANING
    on_key: bool = False


def to_faults(problems: list[Problem], document: Document) -> list[Fault]:
    """Faults with file, line and column, worst first, then from top to bottom."""
    placed = [
        (problem.rank, document.place(problem.path, of_key=problem.on_key), problem)
        for problem in problems
    ]
    placed.sort(key=lambda item: item[:2])
    return [
        Fault(p.message, document.file, *place, dotted(p.path, document.value))
        for _, place, p in placed
    ]


def schema_problems(error: ValidationError, root: Any) -> list[Problem]:
    """Every error that pydantic reports about `root`, in our words."""
    problems: list[Problem] = []
    for item in error.errors(include_url=False):
        if item["type"] == "extra_forbidden":
            continue  # said by `unknown_keys`, with a suggestion
        path = _path(item["loc"], root)
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, ValueProblems):
            problems += [
                Problem((*path, *below), message, Rank.VALUE) for below, message in cause.problems
            ]
        elif isinstance(cause, ValueError):
            problems.append(Problem(path, str(cause), Rank.VALUE))
        else:
            problems.append(_native(item["type"], path, item, root))
    return problems


def _path(loc: tuple[str | int, ...], root: Any) -> Path:
    """`loc` without the tags that pydantic inserts for members of a union."""
    path: list[str | int] = []
    value = root
    for index, step in enumerate(loc):
        is_last = index == len(loc) - 1
        inside = (isinstance(value, Mapping) and step in value) or (
            isinstance(value, list) and isinstance(step, int)
        )
        if not inside and not (is_last and isinstance(value, Mapping) and step not in _KINDS):
            continue
        path.append(step)
        value = value[step] if inside else None  # type: ignore[index]
    return tuple(path)


def _native(kind: str, path: Path, item: Mapping[str, Any], root: Any) -> Problem:
    """A sentence for one of pydantic's own error types."""
    value = _at(root, path)
    if kind == "missing":
        return Problem(path, f'the key "{path[-1]}" is missing', Rank.MISSING)
    if kind == "union_tag_not_found":
        return Problem((*path, "kind"), _NO_KIND, Rank.MISSING)
    if kind == "union_tag_invalid":
        return Problem((*path, "kind"), _wrong_kind(_at(root, (*path, "kind"))), Rank.VALUE)
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return Problem(path, f'{shown(value)} is not a mapping of "key: value" lines', Rank.VALUE)
    if kind == "list_type":
        return Problem(path, f'{shown(value)} is not a list; begin items with "- "', Rank.VALUE)
    if kind == "too_short":
        return Problem(path, "the list is empty; it needs at least one item", Rank.VALUE)
    if kind == "literal_error":
        return Problem(path, f"{shown(value)} is not {item['ctx']['expected']}", Rank.VALUE)
    return Problem(path, f"{shown(value)} does not fit here: {item['msg']}", Rank.VALUE)


_NO_KIND = 'the key "kind" is missing; write "kind: training" or "kind: real"'


def _wrong_kind(kind: Any) -> str:
    if kind in LATER_KINDS:
        return f'workloads of kind "{kind}" are not part of this version of dcsim; leave them out'
    if not isinstance(kind, str):
        return f"{shown(kind)} is no kind of workload; there are training and real"
    return f"there is no kind of workload {shown(kind)}; {catalogue.suggest(kind, _KINDS)}"


def _at(root: Any, path: Path) -> Any:
    value = root
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def unknown_keys(root: Any) -> list[Problem]:
    """Every key that the schema does not know, with what was probably meant."""
    return list(_unknown(root, ScenarioFile, ()))


def _unknown(value: Any, part: type[Part], path: Path) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        return
    fields = part.model_fields
    for key, child in value.items():
        if key in fields:
            yield from _below(child, fields[key].annotation, (*path, key))
        elif key in part.later:
            message = f'"{key}" {part.later[key]}'
            yield Problem((*path, key), message, Rank.UNKNOWN_KEY, on_key=True)
        else:
            message = f'there is no key "{one_line(key)}" here; {catalogue.suggest(key, fields)}'
            yield Problem((*path, key), message, Rank.UNKNOWN_KEY, on_key=True)


def _below(value: Any, annotation: Any, path: Path) -> Iterator[Problem]:
    parts = list(parts_of(annotation))
    if not parts:
        return
    items = enumerate(value) if isinstance(value, list) else [(None, value)]
    for index, item in items:
        part = _choose(item, parts)
        if part is not None:
            yield from _unknown(item, part, path if index is None else (*path, index))


def parts_of(annotation: Any) -> Iterator[type[Part]]:
    """The mappings that an annotation such as `list[A | B] | None` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    elif get_origin(annotation) is not Literal:
        for inner in get_args(annotation):
            yield from parts_of(inner)


def _choose(item: Any, parts: list[type[Part]]) -> type[Part] | None:
    """The member of a union that `item` means by its `kind`."""
    if len(parts) == 1:
        return parts[0]
    kind = item.get("kind") if isinstance(item, Mapping) else None
    for part in parts:
        if kind in get_args(part.model_fields["kind"].annotation):
            return part
    return None

"""Scenario text to plain values, with the line and column of everything in it.

Scalars follow the core schema of YAML 1.2, because 1.1 reads `no` as false, `010` as
eight and `1e3` as text. Aliases, tags and further documents are refused: a scenario is
short, and each of them hides what is meant.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from dcsim.records import Fault, InputError
from dcsim.units import one_line

Path = tuple[str | int, ...]
Place = tuple[int, int]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_BYTES = 1_000_000
_DEEPEST = 50
_FIRST: Place = (1, 1)

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = {"0o": (re.compile(r"0o[0-7]+"), 8), "0x": (re.compile(r"0x[0-9a-fA-F]+"), 16)}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST_INT = 300
_LARGEST = 1.7e308

#: Sentences for what libyaml calls its problems.
_PROBLEMS = {
    "mapping values are not allowed": (
        'there is a second ":" here; put text that contains ": " in quotes, and check that '
        "the line is indented like its neighbours"
    ),
    "could not find expected ':'": 'this is not "key: value"; the colon is missing',
    "did not find expected key": (
        "the indentation does not match the lines above; line up the keys of one block"
    ),
    "did not find expected '-' indicator": (
        'every item of this list must start with "- " in the same column'
    ),
    "did not find expected ',' or ']'": 'a list that begins with "[" lacks its "," or "]"',
    "did not find expected ',' or '}'": 'a mapping that begins with "{" lacks its "," or "}"',
    "found unexpected end of stream": "a text in quotes is never closed",
    "found undefined tag handle": 'tags such as "!x" are not supported; write plain values',
    "found undefined alias": "aliases (*x) are not supported; write the value out",
}


@dataclass(slots=True)
class Document:
    """Plain values, the places of values and keys by path, and faults of structure."""

    file: str
    value: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    key_places: dict[Path, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def place(self, path: Path, *, of_key: bool = False) -> Place:
        """Line and column of the value (or key) at `path`, or of its nearest parent."""
        if of_key and path in self.key_places:
            return self.key_places[path]
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return _FIRST


def read_document(data: bytes, file: str) -> Document:
    """The values in `data`; raises InputError where it is no YAML mapping at all.

    Duplicate keys and the like are collected in `faults`, so that a caller can report
    them together with what is wrong in the values.
    """
    text = _decode(data, file)
    try:
        _refuse_events(text, file)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise InputError(_syntax_fault(error, text, file)) from None
    document = Document(file)
    if root is None:
        raise InputError(Fault(_EMPTY, file, *_FIRST))
    problems: list[_Problem] = []
    document.value = _build(root, (), document, problems)
    document.faults = [
        Fault(message, file, *place, dotted(path, document.value))
        for path, message, place in problems
    ]
    if not isinstance(document.value, dict):
        what = "a list" if isinstance(document.value, list) else "text"
        message = f'the file holds {what}, not a scenario; begin with "name: my-scenario"'
        raise InputError(Fault(message, file, *document.place(())))
    return document


_EMPTY = 'the file is empty; begin with "name: my-scenario", then "cluster:" and "workload:"'


def _decode(data: bytes, file: str) -> str:
    if len(data) > _MOST_BYTES:
        raise InputError(Fault("the file is larger than 1 MB; a scenario is a short text", file))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            Fault("this is not UTF-8 text; a scenario is a YAML text file", file, line)
        ) from None
    if not text.strip():
        raise InputError(Fault(_EMPTY, file, *_FIRST))
    return text


def _place(mark: Any) -> Place:
    return mark.line + 1, mark.column + 1


def _refuse_events(text: str, file: str) -> None:
    """Raise for aliases, tags, deep nesting and further documents, before composing."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        place = _place(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            raise InputError(
                Fault("aliases (*x) are not supported; write the value out", file, *place)
            )
        if getattr(event, "tag", None) is not None:
            raise InputError(
                Fault('tags such as "!x" are not supported; write plain values', file, *place)
            )
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                message = 'a second document starts here with "---"; a scenario is a single one'
                raise InputError(Fault(message, file, *place))
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            message = f"values are nested more than {_DEEPEST} deep here"
            raise InputError(Fault(message, file, *place))


def _syntax_fault(error: yaml.YAMLError, text: str, file: str) -> Fault:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "unreadable"
        line, column = _place(mark) if mark else _FIRST
        return Fault(_sentence(problem, text, line, column), file, line, column)
    position = getattr(error, "position", 0) or 0
    line = text.count("\n", 0, position) + 1
    return Fault("there is a control character that YAML does not allow", file, line)


def _sentence(problem: str, text: str, line: int, column: int) -> str:
    lines = text.splitlines()
    at = lines[line - 1][column - 1 :] if 0 < line <= len(lines) else ""
    before = lines[line - 1][: column - 1] if 0 < line <= len(lines) else ""
    if at.startswith("\t") or (not before.strip() and "\t" in before):
        return "there is a tab; YAML allows only spaces for indentation"
    if "cannot start any token" in problem:
        return f'text that begins with "{at[:1]}" must be in quotes'
    for known, sentence in _PROBLEMS.items():
        if known in problem:
            return sentence
    return f"this is not valid YAML: {problem}"


_Problem = tuple[Path, str, Place]


def _build(node: yaml.Node, path: Path, document: Document, problems: list[_Problem]) -> Any:
    document.places[path] = _place(node.start_mark)
    if isinstance(node, yaml.MappingNode):
        return {
            key: _build(child, (*path, key), document, problems)
            for key, child in _items(node, path, document, problems)
        }
    if isinstance(node, yaml.SequenceNode):
        return [_build(child, (*path, i), document, problems) for i, child in enumerate(node.value)]
    plain = isinstance(node, yaml.ScalarNode) and node.style in (None, "")
    return _scalar(node.value) if plain else node.value


def _items(
    node: yaml.MappingNode, path: Path, document: Document, problems: list[_Problem]
) -> Iterator[tuple[str, yaml.Node]]:
    """Keys and values of a mapping; a repeated or unreadable key becomes a problem."""
    seen: dict[str, int] = {}
    for key_node, child in node.value:
        place = _place(key_node.start_mark)
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append((path, "a key must be plain text", place))
            continue
        key = key_node.value
        if key in seen:
            message = f'the key "{one_line(key)}" appears twice; it is already on line {seen[key]}'
            problems.append(((*path, key), message, place))
            continue
        seen[key] = place[0]
        document.key_places[(*path, key)] = place
        yield key, child


def _scalar(text: str) -> str | int | float | bool | None:
    """A plain scalar by the YAML 1.2 core schema; a number too large stays text."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return int(text) if len(text) <= _LONGEST_INT else text
    for prefix, (form, base) in _BASED.items():
        if text.startswith(prefix) and form.fullmatch(text) and len(text) <= _LONGEST_INT:
            return int(text, base)
    if _FLOAT.fullmatch(text):
        value = float(text)
        # Kept as text, so that the sentence about it can show what was written.
        return value if abs(value) <= _LARGEST else text
    special = _SPECIAL.fullmatch(text)
    if special:
        return float(text.replace(".", "", 1))
    return text


def dotted(path: Path, root: Any) -> str:
    """`path` as it is addressed in messages: list items by their `name`, else by number."""
    parts: list[str] = []
    value = root
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            value = None
        if isinstance(step, int):
            name = value.get("name") if isinstance(value, dict) else None
            parts.append(name if isinstance(name, str) and name else str(step + 1))
        else:
            parts.append(step)
    return ".".join(one_line(part) for part in parts)

"""Reading a scenario: text, values, checks, resolved names; all faults in one go."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dcsim import catalogue
from dcsim.records import Fault, InputError
from dcsim.scenario.checks import check_all
from dcsim.scenario.faults import (
    Problem,
    Rank,
    parts_of,
    schema_problems,
    to_faults,
    unknown_keys,
)
from dcsim.scenario.part import Part
from dcsim.scenario.resolve import resolve
from dcsim.scenario.resolved import Scenario
from dcsim.scenario.schema import ScenarioFile
from dcsim.scenario.yaml_text import Document, read_document

_JSON_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def load_scenario(path: str | Path) -> Scenario:
    """The scenario in the file at `path`, names resolved and defaults filled in.

    Raises InputError with every fault found, worst first, each with line and column.
    """
    path = Path(path)
    return parse_scenario(_read(path), path)


def parse_scenario(text: str | bytes, path: str | Path = "scenario.yaml") -> Scenario:
    """The scenario in `text`; `path` is what messages call it. Raises InputError."""
    data = text.encode() if isinstance(text, str) else text
    document = read_document(data, str(path))
    return _validated(document, Path(path), data)


def with_override(path: str | Path, key: str, value: Any) -> Scenario:
    """The scenario at `path` with the value at the dotted `key` replaced.

    As `with_overrides`, for one key.
    """
    return with_overrides(path, {key: value})


def with_overrides(path: str | Path, changes: Mapping[str, Any]) -> Scenario:
    """The scenario at `path` with the values at dotted keys replaced, one after the other.

    List items are addressed by name (`cluster.nodes.main.count`). The text that the
    result carries (and that is hashed) has the changes as comments at its end. Raises
    InputError when a key leads nowhere or the changed scenario is wrong.
    """
    path = Path(path)
    data = _read(path)
    document = read_document(data, str(path))
    for key, value in changes.items():
        _replace(document, key, value)
        data += f"\n# changed: {key} = {value!r}\n".encode()
    return _validated(document, path, data)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file."""
    schema = ScenarioFile.model_json_schema()
    return {"$schema": _JSON_SCHEMA_DIALECT, **schema, "title": "dcsim scenario"}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(Fault("there is no such file", str(path))) from None
    except IsADirectoryError:
        raise InputError(Fault("this is a directory, not a scenario file", str(path))) from None
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise InputError(Fault(f"the file cannot be read: {reason}", str(path))) from None


def _validated(document: Document, path: Path, data: bytes) -> Scenario:
    problems = unknown_keys(document.value)
    file: ScenarioFile | None = None
    try:
        file = ScenarioFile.model_validate(document.value)
    except ValidationError as error:
        problems += schema_problems(error, document.value)
    if file is not None:
        problems += check_all(file)
    if problems or document.faults or file is None:
        raise InputError([*document.faults, *to_faults(problems, document)])
    return resolve(file, path, data)


def _replace(document: Document, key: str, value: Any) -> None:
    """Set the value at a dotted key in place, following names through lists."""
    steps = key.split(".")
    here: Any = document.value
    for position, step in enumerate(steps):
        is_last = position == len(steps) - 1
        if isinstance(here, dict) and is_last:
            here[step] = value
            return
        if isinstance(here, dict) and (step in here or _may_be_left_out(steps[: position + 1])):
            here = here.setdefault(step, {})
        elif isinstance(here, list):
            named = {item.get("name"): item for item in here if isinstance(item, dict)}
            if step not in named or is_last:
                raise _lost(document, key, step, [name for name in named if name])
            here = named[step]
        else:
            known = list(here) if isinstance(here, dict) else []
            raise _lost(document, key, step, known if position else list(ScenarioFile.model_fields))


def _may_be_left_out(steps: Sequence[str]) -> bool:
    """Whether the schema has a mapping at these keys, none of them inside a list."""
    part: type[Part] = ScenarioFile
    for step in steps:
        field = part.model_fields.get(step)
        inner = [] if field is None else list(parts_of(field.annotation))
        if field is None or field.is_required() or not inner:
            return False
        part = inner[0]
    return True


def _lost(document: Document, key: str, step: str, known: list[str]) -> InputError:
    hint = f"; {catalogue.suggest(step, known)}" if known else ""
    problem = Problem((), f'"{key}" leads nowhere: there is no "{step}"{hint}', Rank.VALUE)
    return InputError(to_faults([problem], document))

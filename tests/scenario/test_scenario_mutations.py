"""Whatever is done to a right scenario, it loads or raises InputError; nothing else."""

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import COMPLETE, WRONG_VALUES

from dcsim.records import Fault, InputError
from dcsim.scenario import parse_scenario
from dcsim.scenario.yaml_text import read_document

LINES = COMPLETE.splitlines()


def faults_of(text: str | bytes) -> tuple[Fault, ...]:
    try:
        parse_scenario(text)
    except InputError as error:
        return error.faults
    return ()


def load_or_refuse(text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    for fault in faults_of(data):
        assert fault.message
        assert "\n" not in fault.message
        assert fault.line <= data.count(b"\n") + 2


@pytest.fixture(scope="module")
def paths() -> list[tuple[str | int, ...]]:
    found: list[tuple[str | int, ...]] = []

    def enter(value: Any, path: tuple[str | int, ...]) -> None:
        found.append(path)
        if isinstance(value, dict):
            for key, child in value.items():
                enter(child, (*path, key))
        elif isinstance(value, list):
            for index, child in enumerate(value):
                enter(child, (*path, index))

    enter(read_document(COMPLETE.encode(), "complete.yaml").value, ())
    return found[1:]


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), value=WRONG_VALUES)
def test_any_value_may_be_replaced(
    paths: list[tuple[str | int, ...]], data: st.DataObject, value: Any
) -> None:
    document = read_document(COMPLETE.encode(), "complete.yaml").value
    path = data.draw(st.sampled_from(paths))
    here = document
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    load_or_refuse(yaml.safe_dump(document, allow_unicode=True, width=10**6))


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, len(LINES) - 1),
    st.sampled_from(["drop", "twice", "indent", "tab", "cut", "swap"]),
    st.integers(0, 40),
)
def test_any_line_may_be_damaged(index: int, how: str, amount: int) -> None:
    lines = list(LINES)
    line = lines[index]
    damaged = {
        "drop": [],
        "twice": [line, line],
        "indent": [" " * (amount % 8) + line],
        "tab": ["\t" + line],
        "cut": [line[:amount]],
        "swap": [lines[amount % len(lines)]],
    }
    lines[index : index + 1] = damaged[how]
    load_or_refuse("\n".join(lines))


@settings(max_examples=100)
@given(st.integers(0, len(COMPLETE) - 1), st.text(max_size=4))
def test_any_characters_may_be_inserted(position: int, text: str) -> None:
    data = COMPLETE[:position] + text + COMPLETE[position:]
    load_or_refuse(data.encode("utf-8", "surrogatepass"))


@settings(max_examples=100)
@given(st.binary(max_size=60))
def test_any_bytes_may_come(data: bytes) -> None:
    load_or_refuse(data)

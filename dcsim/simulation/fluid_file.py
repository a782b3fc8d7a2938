"""Files of flow scenarios (`dcsim-netflows/1`): reading, checking, running."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.catalogue import suggest
from dcsim.records import Fault, InputError
from dcsim.simulation.fluid_batch import simulate_flows

Floats = NDArray[np.float64]

FORMAT = "dcsim-netflows/1"
#: Beyond these sizes numbers mean nothing on any network, and rates would overflow.
LEAST, MOST = 1e-30, 1e30
UNITS = {"capacity": "bytes/s", "latency": "s", "size": "bytes", "time": "s"}


@dataclass(frozen=True, slots=True)
class FlowScenario:
    """Links and flows of one scenario; link arrays (n_links,), flow arrays (n_flows,).

    `published_s` holds the completion times that the file carries, NaN where it has none.
    """

    name: str
    capacity_bytes_per_s: Floats
    latency_s: Floats
    flows: tuple[str, ...]
    routes: tuple[tuple[int, ...], ...]
    size_bytes: Floats
    start_s: Floats
    weight: Floats
    published_s: Floats

    def completion_s(self) -> Floats:
        """Absolute completion time of every flow, shape (n_flows,)."""
        return simulate_flows(
            self.capacity_bytes_per_s,
            self.latency_s,
            self.routes,
            self.size_bytes,
            self.start_s,
            self.weight,
        )

    def errors(self, completion_s: Floats) -> Floats:
        """Deviation from the published times relative to each flow's duration, (n_flows,)."""
        duration = self.published_s - self.start_s
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.abs(completion_s - self.published_s) / duration
        return np.where(duration > 0.0, error, np.abs(completion_s - self.published_s))


def read_flow_scenarios(path: Path) -> list[FlowScenario]:
    """All scenarios of a file; raises InputError naming every fault."""
    document = _document(path)
    faults = list(_faults(document))
    if faults:
        raise InputError([Fault(f.message, str(path), f.line, f.column, f.field) for f in faults])
    return [_scenario(entry) for entry in document["scenarios"]]


def _document(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or "not a file"
        raise InputError(Fault(f"cannot read the flows ({reason})", str(path))) from error
    except UnicodeDecodeError as error:
        raise InputError(Fault("the file is not UTF-8 text; save it as JSON", str(path))) from error
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        message = f"the file is not JSON ({error.msg})"
        raise InputError(Fault(message, str(path), error.lineno, error.colno)) from error
    except (RecursionError, ValueError) as error:
        raise InputError(Fault("the file is no JSON that can be read", str(path))) from error


def _scenario(entry: Mapping[str, Any]) -> FlowScenario:
    links = {link["id"]: index for index, link in enumerate(entry["links"])}
    flows = entry["flows"]

    def column(rows: list[Any], key: str, default: float = math.nan) -> Floats:
        return np.array([row.get(key, default) for row in rows], dtype=np.float64)

    return FlowScenario(
        name=entry["name"],
        capacity_bytes_per_s=column(entry["links"], "capacity"),
        latency_s=column(entry["links"], "latency", 0.0),
        flows=tuple(str(flow["id"]) for flow in flows),
        routes=tuple(tuple(links[name] for name in flow["route"]) for flow in flows),
        size_bytes=column(flows, "size"),
        start_s=column(flows, "start", 0.0),
        weight=column(flows, "weight", 1.0),
        published_s=column(flows, "completion_time"),
    )


def _faults(document: Any) -> Iterator[Fault]:
    """Everything that is wrong in a document, in the order of the file."""
    if not isinstance(document, dict) or not isinstance(document.get("scenarios"), list):
        yield Fault(f'there is no list "scenarios"; the file must be {FORMAT}')
        return
    if document.get("format", FORMAT) != FORMAT:
        yield Fault(f'the format "{document["format"]}" is not known; use {FORMAT}', field="format")
    units = document.get("units", UNITS)
    if not isinstance(units, dict):
        yield Fault("the units are no object of names", field="units")
        units = {}
    for key, unit in units.items():
        if unit != UNITS.get(key, unit):
            yield Fault(f'the unit is "{unit}"; write values in {UNITS[key]}', field=f"units.{key}")
    names: set[str] = set()
    for index, entry in enumerate(document["scenarios"]):
        where = f"scenarios[{index}]"
        if not isinstance(entry, dict):
            yield Fault("a scenario must be an object", field=where)
            continue
        name = entry.get("name")
        if not isinstance(name, str) or not name:
            yield Fault("the scenario has no name; give it one", field=where)
        elif not _can_be_written(name):
            yield Fault(f"the name {json.dumps(name)} is no valid text; use another", field=where)
        elif name in names:
            yield Fault(f'there are two scenarios "{name}"; rename one', field=where)
        else:
            names.add(name)
            where = name
        yield from _scenario_faults(entry, where)


def _scenario_faults(entry: Mapping[str, Any], where: str) -> Iterator[Fault]:
    for key in ("links", "flows"):
        if not isinstance(entry.get(key), list):
            yield Fault(f'there is no list "{key}"', field=where)
            return
    links: dict[Any, None] = {}
    for index, link in enumerate(entry["links"]):
        yield from _identity_faults(link, "link", links, f"{where}.links[{index}]")
        if isinstance(link, dict):
            spot = f"{where}.{_label(link, index, 'links')}"
            yield from _number_faults(link, "capacity", spot, positive=True)
            yield from _number_faults(link, "latency", spot, optional=True)
    flows: dict[Any, None] = {}
    for index, flow in enumerate(entry["flows"]):
        yield from _identity_faults(flow, "flow", flows, f"{where}.flows[{index}]")
        if isinstance(flow, dict):
            spot = f"{where}.{_label(flow, index, 'flows')}"
            yield from _flow_faults(flow, links, spot)


def _flow_faults(flow: Mapping[str, Any], links: Mapping[Any, None], where: str) -> Iterator[Fault]:
    yield from _number_faults(flow, "size", where)
    yield from _number_faults(flow, "start", where, optional=True, signed=True)
    yield from _number_faults(flow, "weight", where, optional=True, positive=True)
    yield from _number_faults(flow, "completion_time", where, optional=True, signed=True)
    route = flow.get("route")
    if not isinstance(route, list) or not route:
        what = "is empty" if route == [] else "is no list"
        yield Fault(f"the route {what}; list at least one link", field=where)
        return
    for name in route:
        if not isinstance(name, str) or name not in links:
            known = [link for link in links if isinstance(link, str)]
            hint = suggest(str(name), known) if known else "the scenario has no links"
            yield Fault(f"the route names no known link {json.dumps(name)}; {hint}", field=where)


def _identity_faults(item: Any, what: str, known: dict[Any, None], where: str) -> Iterator[Fault]:
    if not isinstance(item, dict):
        yield Fault(f"a {what} must be an object", field=where)
        return
    name = item.get("id")
    if not isinstance(name, str) or not name:
        yield Fault(f'the {what} has no "id"; give it a name', field=where)
    elif not _can_be_written(name):
        yield Fault(f"the id {json.dumps(name)} is no valid text; use another", field=where)
    elif name in known:
        yield Fault(f'there are two {what}s "{name}"; rename one', field=where)
    else:
        known[name] = None


def _can_be_written(name: str) -> bool:
    """JSON may escape halves of a character, which no file can hold."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _label(item: Mapping[str, Any], index: int, kind: str) -> str:
    name = item.get("id")
    return name if isinstance(name, str) and name else f"{kind}[{index}]"


def _number_faults(
    item: Mapping[str, Any],
    key: str,
    where: str,
    *,
    optional: bool = False,
    positive: bool = False,
    signed: bool = False,
) -> Iterator[Fault]:
    """Say what is wrong with a number, if anything."""
    bound = "" if signed else " above 0" if positive else " of at least 0"
    right = f"a finite number{bound}"
    if key not in item:
        if not optional:
            yield Fault(f"{key} is missing; give {right}", field=where)
        return
    value = item[key]
    number = math.nan
    wrong = isinstance(value, bool) or not isinstance(value, int | float)
    if not wrong:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        wrong = not math.isfinite(number) or (not signed and number < 0.0)
        wrong = wrong or (positive and number == 0.0)
    if wrong:
        yield Fault(f"{key} is {_shown(value)}; give {right}", field=where)
    elif abs(number) > MOST or (positive and number < LEAST):
        sizes = f"{LEAST:g} to {MOST:g}" if positive else f"at most {MOST:g}"
        yield Fault(f"{key} is {_shown(value)}; give a number of {sizes}", field=where)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."

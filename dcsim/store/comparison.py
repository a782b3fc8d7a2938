"""Two stored results side by side: what changed in, what changed out."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dcsim.records import InputError
from dcsim.store.reading import Stored

#: The comment that an overridden scenario carries for every changed key.
_CHANGED = re.compile(r"^# changed: (\S+) = (.*)$")

#: The metric that each quantity of a candidate is.
CANDIDATE_METRICS: Mapping[str, str] = {
    "time_s": "total.finish",
    "cost_usd": "total.cost",
    "energy_kwh": "total.energy",
    "carbon_kg": "total.carbon",
}

#: What describes a candidate, apart from how it fares.
CONFIGURATION = (
    "node_type", "nodes", "gpus", "spare_nodes", "tp", "pp", "vp", "dp", "cp", "ep",
    "micro_batch", "recompute", "zero_stage", "bottleneck", "mfu", "memory_device_bytes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """Something that differs; None where one of the two does not have it.

    `part` is where it was found: scenario, default, fact, version, seed, kind or
    configuration.
    """

    part: str
    name: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of both results; `difference` = b - a, `relative` = b / a - 1 (None at a = 0).

    `group` is metrics, money or ledger. The bounds are None where a figure has none.
    """

    group: str
    name: str
    unit: str
    a: float
    b: float
    difference: float
    relative: float | None
    a_low: float | None = None
    a_high: float | None = None
    b_low: float | None = None
    b_high: float | None = None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """An objective in both results; an entry is None where it is not in one."""

    name: str
    a: Mapping[str, Any] | None
    b: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs between results `a` and `b`.

    `differences` are ordered by group and, in it, by how much they differ, largest first.
    `note` says what limits the comparison, empty where nothing does; `only_a` and
    `only_b` name metrics that the other lacks.
    """

    a: str
    b: str
    kinds: tuple[str, str]
    note: str
    inputs: tuple[Change, ...]
    configuration: tuple[Change, ...]
    objectives: tuple[Verdicts, ...]
    differences: tuple[Difference, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain mappings and lists, in the order of the fields."""
        return asdict(self)


def compare(a: Stored, b: Stored) -> Comparison:
    """What differs between two stored results, of whatever kinds."""
    ours, theirs = metrics(a), metrics(b)
    differences = [
        *_differences("metrics", ours, theirs),
        *_differences("money", _money(a), _money(b)),
        *_differences("ledger", _ledger(a), _ledger(b)),
    ]
    chosen = _changes("configuration", _configuration(a), _configuration(b))
    return Comparison(
        a=str(a.directory),
        b=str(b.directory),
        kinds=(a.kind, b.kind),
        note=_note(a, b),
        inputs=tuple(_input_changes(a, b)),
        configuration=tuple(chosen),
        objectives=tuple(_objectives(a, b)),
        differences=tuple(differences),
        only_a=tuple(name for name in ours if name not in theirs),
        only_b=tuple(name for name in theirs if name not in ours),
    )


def subject(stored: Stored) -> Mapping[str, Any] | None:
    """The configuration of a run, or the candidate of a plan that its figures are about."""
    if stored.kind == "run":
        return stored.summary.get("configuration")
    chosen = stored.summary.get("recommended")
    if chosen is None:
        chosen = (stored.summary.get("nearest_miss") or {}).get("id")
    rows = stored.summary.get("candidates") or []
    return next((row for row in rows if row["id"] == chosen), None)


def metrics(stored: Stored) -> dict[str, Mapping[str, Any]]:
    """Every figure with its interval, by metric: a run's own, or those of a plan's subject."""
    if stored.kind == "run":
        return dict(stored.summary.get("metrics") or {})
    row = subject(stored) or {}
    found = {
        metric: row[name]
        for name, metric in CANDIDATE_METRICS.items()
        if (row.get(name) or {}).get("value") is not None
    }
    for objective in stored.summary.get("objectives") or []:
        found.setdefault(objective["metric"], {k: objective[k] for k in _FIGURE})
    return found


_FIGURE = ("value", "low", "high", "unit")


def scenario_fields(stored: Stored) -> dict[str, Any]:
    """The scenario that was kept with results, by dotted key; empty where it is gone."""
    from dcsim.scenario.yaml_text import read_document

    found: dict[str, Any] = {}
    for name, content in stored.inputs.items():
        if not name.endswith((".yaml", ".yml")):
            continue
        try:
            found |= dict(_flat(read_document(content, name).value))
        except InputError:
            continue
        for line in content.decode("utf-8", "replace").splitlines():
            if match := _CHANGED.match(line):
                found[match[1]] = ast.literal_eval(match[2])
    return found


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves by dotted key; items of lists by their name, else their number."""
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _flat(entry, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for i, item in enumerate(value):
            named = item.get("name") or item.get("metric") if isinstance(item, Mapping) else None
            yield from _flat(item, f"{key}.{i if named is None else named}")
    else:
        yield key, value


def _input_changes(a: Stored, b: Stored) -> Iterator[Change]:
    if a.kind != b.kind:
        yield Change("kind", "command", a.kind, b.kind)
    seeds = a.summary.get("seed"), b.summary.get("seed")
    if seeds[0] != seeds[1]:
        yield Change("seed", "seed", *seeds)
    yield from _changes("scenario", scenario_fields(a), scenario_fields(b))
    yield from _changes("default", _defaults(a), _defaults(b))
    yield from _changes("fact", _facts(a), _facts(b))
    yield from _changes("version", a.manifest.get("versions", {}), b.manifest.get("versions", {}))


def _changes(part: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys([*a, *b]):
        if a.get(name) != b.get(name):
            yield Change(part, name, a.get(name), b.get(name))


def _defaults(stored: Stored) -> dict[str, Any]:
    table = stored.tables.get("defaults")
    if table is None:
        return {}
    return dict(zip(table["field"], table["value"], strict=True))


def _facts(stored: Stored) -> dict[str, Any]:
    """Facts by name, the profile's among them; an unknown value is None."""
    return {row["item"]: row.get("value") for row in stored.summary.get("provenance") or []}


def _configuration(stored: Stored) -> dict[str, Any]:
    row = subject(stored) or {}
    return {name: row[name] for name in CONFIGURATION if row.get(name) is not None}


def _money(stored: Stored) -> dict[str, Mapping[str, Any]]:
    table = stored.tables.get("money")
    if table is None:
        return {}
    return {
        row["category"]: {
            "value": row["usd"], "low": row["low_usd"], "high": row["high_usd"], "unit": "USD",
        }
        for row in table.to_dict("records")
    }  # fmt: skip


def _ledger(stored: Stored) -> dict[str, Mapping[str, Any]]:
    seconds = stored.summary.get("ledger_s") or {}
    return {name: {"value": value, "unit": "s"} for name, value in seconds.items()}


def _differences(
    group: str, a: Mapping[str, Mapping[str, Any]], b: Mapping[str, Mapping[str, Any]]
) -> list[Difference]:
    """Figures of both that differ, largest relative difference first; then those equal."""
    found = []
    for name in a:
        if name not in b or None in (a[name]["value"], b[name]["value"]):
            continue
        ours, theirs = float(a[name]["value"]), float(b[name]["value"])
        relative = theirs / ours - 1.0 if ours else (None if theirs else 0.0)
        bounds = [figure.get(k) for figure in (a[name], b[name]) for k in ("low", "high")]
        unit = str(a[name]["unit"])
        found.append(Difference(group, name, unit, ours, theirs, theirs - ours, relative, *bounds))
    if group == "ledger":
        # A class that hardly exists may double: what moves is what matters.
        return sorted(found, key=lambda d: -abs(d.difference))
    return sorted(found, key=lambda d: -float("inf") if d.relative is None else -abs(d.relative))


def _objectives(a: Stored, b: Stored) -> Iterable[Verdicts]:
    ours = {o["name"]: o for o in a.summary.get("objectives") or []}
    theirs = {o["name"]: o for o in b.summary.get("objectives") or []}
    return [Verdicts(n, ours.get(n), theirs.get(n)) for n in dict.fromkeys([*ours, *theirs])]


def _note(a: Stored, b: Stored) -> str:
    sentences = []
    if a.kind != b.kind:
        sentences.append(
            "One is a plan and the other a run: the candidate that the plan recommends (or "
            "that comes nearest) stands beside the configuration that the run was given."
        )
    for stored in (a, b):
        if subject(stored) is None:
            sentences.append(f"{stored.directory} holds no candidate that could be compared.")
        elif stored.summary.get("refused"):
            sentences.append(f"{stored.directory} was refused: {stored.summary['refused']}.")
        elif stored.kind == "plan" and stored.summary.get("recommended") is None:
            sentences.append(f"{stored.directory} recommends nothing; its nearest miss is shown.")
    return " ".join(sentences)

"""Any number of stored results as a tree: formula, inputs, sources, share of the total.

Two kinds of node have inputs. Where inputs carry a share, those inputs sum to the value;
otherwise the formula joins names of inputs by ×, ÷ or +, and gives the value. Inputs that a
formula does not name are there for information.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dcsim import catalogue
from dcsim.records import Explanation, InputError
from dcsim.store.comparison import metrics, subject
from dcsim.store.reading import Stored

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Facts:
    """Stored results with what explanations ask of them again and again."""

    stored: Stored

    @cached_property
    def figures(self) -> dict[str, Mapping[str, Any]]:
        """Every metric of the run, or of the candidate that a plan is about."""
        return metrics(self.stored)

    @cached_property
    def ledger(self) -> dict[str, float]:
        """Accelerator-seconds by class, means over the runs; classes without time left out."""
        seconds = self.stored.summary.get("ledger_s") or {}
        return {name: float(value) for name, value in seconds.items() if value}

    @cached_property
    def jobs(self) -> list[dict[str, Any]]:
        """Rows of the table `jobs`: the one run that is stored in full."""
        return self.rows("jobs")

    @cached_property
    def subject_id(self) -> str:
        """The id of the configuration that the figures are about."""
        return str((subject(self.stored) or {}).get("id", ""))

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Rows of a table, empty when the results have none."""
        frame = self.stored.tables.get(table)
        if frame is None:
            return []
        return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]

    def fact(self, start: str) -> tuple[float | None, str]:
        """Value and source of the first fact whose name begins so; (None, "") without one."""
        for row in self.stored.summary.get("provenance") or []:
            if str(row["item"]).startswith(start):
                date = f", {row['date']}" if row.get("date") else ""
                text = f"{row['item']}: {row['source']}{date} ({row['status']})"
                return row.get("value"), text
        return None, ""

    def jobs_of(self, name: str) -> list[dict[str, Any]]:
        """The rows of a job and of its repeats."""
        from dcsim.planner.build import REPEAT

        return [job for job in self.jobs if str(job["name"]).partition(REPEAT)[0] == name]


def explain(stored: Stored, metric: str) -> Explanation:
    """The figure called `metric` as a tree; its value is the one in `summary.json`.

    Raises InputError, with the nearest name, where the results have no such number.
    """
    known = explainable(stored)
    if metric in known:
        return known[metric]()
    value = _stored_number(stored.summary, metric)
    if value is None:
        hint = catalogue.suggest(metric, known)
        raise InputError(f'{stored.directory} has no number "{metric}"; {hint}')
    return Explanation(metric, value, "", source="summary.json; nothing finer is stored")


def explainable(stored: Stored) -> dict[str, Callable[[], Explanation]]:
    """Every number with more to say than its value, by name, with what builds its tree."""
    from dcsim.store import explaining_parts as parts

    facts = Facts(stored)
    trees: dict[str, Callable[[], Explanation]] = {}

    def add(name: str, build: Callable[[Facts, str], Explanation]) -> None:
        trees[name] = lambda: build(facts, name)

    tails = {
        "finish": parts.finish,
        "cost": parts.cost,
        "energy": parts.energy,
        "carbon": parts.carbon,
        "ettr": parts.ettr,
        "goodput": parts.goodput,
        "failures": parts.failures,
    }
    for name in facts.figures:
        add(name, tails.get(name.rpartition(".")[2], parts.plain_figure))
    for job in dict.fromkeys(row["job"] for row in parts.step_rows(facts, "part")):
        add(f"{job}.step", parts.expected_step)
    for name in stored.summary.get("ledger_s") or {}:
        add(f"ledger.{name}", parts.ledger_class)
    if "capacity_s" in stored.summary:
        add("capacity_s", parts.capacity)
    for objective in stored.summary.get("objectives") or []:
        add(f"objectives.{objective['name']}.confidence", parts.confidence)
    return trees


def _stored_number(document: Any, path: str) -> float | None:
    """A number in the summary by its dotted path; list items by id or name, else number."""
    here, rest = document, path
    while rest:
        step = _step(here, rest)
        if step is None:
            return None
        here, rest = step
    if isinstance(here, Mapping):
        here = here.get("value")
    return None if isinstance(here, bool) or not isinstance(here, int | float) else float(here)


def _step(here: Any, rest: str) -> tuple[Any, str] | None:
    """The entry of `here` with the longest name that `rest` begins with, and what remains."""
    if isinstance(here, list):
        named = [(_label(item, i), item) for i, item in enumerate(here)]
    elif isinstance(here, Mapping):
        named = [(str(key), value) for key, value in here.items()]
    else:
        return None
    for label, item in sorted(named, key=lambda pair: -len(pair[0])):
        if rest == label:
            return item, ""
        if rest.startswith(label + "."):
            return item, rest[len(label) + 1 :]
    return None


def _label(item: Any, number: int) -> str:
    if isinstance(item, Mapping):
        for key in ("id", "name", "field", "item"):
            if item.get(key) is not None:
                return str(item[key])
    return str(number)

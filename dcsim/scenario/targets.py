"""Bounds on metrics: which metrics there are, in which unit, and which way is good."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dcsim import catalogue
from dcsim.scenario.values import ValueProblems
from dcsim.units import DIMENSIONS, QuantityError, is_date, one_line, parse, parse_date, shown

#: Stands for the name of any job in the catalogue's metrics.
_ANY_JOB = "JOB"


@dataclass(frozen=True, slots=True)
class Target:
    """A bound: `value` in `unit`, or the date `day` (YYYY-MM-DD) to be counted from the start.

    `job` is the job that the metric belongs to, empty for a total; `words` is the bound
    as the user wrote it.
    """

    metric: str
    job: str
    sense: str
    unit: str
    value: float
    day: str
    words: str


def read_target(metric: str, bounds: Mapping[str, Any]) -> Target:
    """The bound that an objective states.

    Raises ValueProblems: the metric is none, no or several bounds, the wrong unit.
    """
    found = _metric(metric)
    given = {name: value for name, value in bounds.items() if value is not None}
    if len(given) != 1:
        what = "no bound" if not given else f"{len(given)} bounds"
        hint = "write one of by, at_most, at_least"
        raise ValueProblems([((), f"the objective on {shown(metric)} has {what}; {hint}")])
    bound, raw = next(iter(given.items()))
    dimension = found.parameters["dimension"]
    if bound == "by" and dimension != "time":
        noun = DIMENSIONS[dimension].noun
        raise ValueProblems(
            [(("by",), f'"{metric}" is {noun}, not a date or duration; write at_most instead')]
        )
    day, value = "", 0.0
    try:
        if dimension == "time" and is_date(raw):
            day = parse_date(raw).isoformat()
        else:
            value = parse(raw, dimension)
            if dimension == "time" and value == 0:
                raise QuantityError('no time is too short; write a duration such as "60 d"')
            if dimension == "share" and value > 1:
                raise QuantityError(f'{shown(raw)} is more than all; write a share such as "90 %"')
    except QuantityError as error:
        raise ValueProblems([((bound,), str(error))]) from None
    return Target(
        metric=metric,
        job="" if metric.startswith("total.") else metric.rpartition(".")[0],
        sense="at_least" if bound == "at_least" else "at_most",
        unit=found.unit,
        value=value,
        day=day,
        words=f"{bound.replace('_', ' ')} {one_line(str(raw))}",
    )


def _metric(metric: str) -> catalogue.Named:
    known = catalogue.named_all("metric")
    if metric in known and not metric.startswith(_ANY_JOB):
        return known[metric]
    head, _, tail = metric.rpartition(".")
    general = f"{_ANY_JOB}.{tail}"
    if head and head != "total" and general in known:
        return known[general]
    job = head if head and head != "total" else _ANY_JOB
    hint = catalogue.suggest(metric, [name.replace(_ANY_JOB, job) for name in known])
    raise ValueProblems([(("metric",), f"there is no metric {shown(metric)}; {hint}")])

"""What would change the answer: one thing at a time at its low and at its high end."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dcsim.economics import Z90
from dcsim.planner.candidates import Candidate
from dcsim.planner.choose import recommend
from dcsim.planner.sampling import Scores
from dcsim.scenario.resolved import Scenario

#: Factors by which policies and equipment are varied.
LESS, MORE = 0.5, 2.0

#: Evaluates candidates in closed form under a scenario and scores.
Evaluate = Callable[[Sequence[Candidate], Scenario, Scores], list[Candidate]]


@dataclass(frozen=True, slots=True)
class Setting:
    """One end of a factor: how it is called, and the scenario and scores it means."""

    label: str
    scenario: Scenario
    scores: Scores


@dataclass(frozen=True, slots=True)
class Factor:
    """Something uncertain or open, with its two ends."""

    name: str
    low: Setting
    high: Setting


def factors(scenario: Scenario, scores: Scores) -> Iterator[Factor]:
    """Everything that is varied, what is uncertain first."""
    yield Factor(
        "step time",
        Setting("low end of its 90 % interval", scenario, _with_step(scores, -Z90)),
        Setting("high end of its 90 % interval", scenario, _with_step(scores, Z90)),
    )
    yield Factor(
        "price of accelerators",
        Setting("low end of its range", scenario, _with_price(scores, -Z90)),
        Setting("high end of its range", scenario, _with_price(scores, Z90)),
    )
    if scenario.policies.failures is not None:
        yield Factor(
            "failure rate",
            Setting("half", _with_failures(scenario, LESS), scores),
            Setting("double", _with_failures(scenario, MORE), scores),
        )
        yield Factor(
            "repair time",
            Setting("half", _with_repair(scenario, LESS), scores),
            Setting("double", _with_repair(scenario, MORE), scores),
        )
    yield Factor(
        "storage servers",
        Setting("half", _with_servers(scenario, LESS), scores),
        Setting("double", _with_servers(scenario, MORE), scores),
    )
    yield Factor(
        "electricity tariff",
        Setting("half", _with_tariff(scenario, LESS), scores),
        Setting("double", _with_tariff(scenario, MORE), scores),
    )


def sensitivity_rows(
    candidates: Sequence[Candidate],
    chosen: Candidate,
    scenario: Scenario,
    scores: Scores,
    evaluate: Evaluate,
) -> list[dict[str, object]]:
    """Rows of the table `sensitivity`: the chosen candidate's time and money at each end.

    All in closed form, scaled so that the undisturbed case is the chosen candidate's own
    (simulated) figure. `low_choice` and `high_choice` name the candidate that would be
    recommended there. The neighbouring node counts come last, with their own figures.
    """
    base = _evaluated(evaluate(candidates, scenario, scores), chosen.id)
    rows: list[dict[str, object]] = []
    for factor in factors(scenario, scores):
        ends = []
        for setting in (factor.low, factor.high):
            moved = evaluate(candidates, setting.scenario, setting.scores)
            best = recommend(moved)
            ends.append((_evaluated(moved, chosen.id), best.id if best else ""))
        rows.extend(_factor_rows(factor, chosen, base, ends))
    return rows + _count_rows(candidates, chosen)


def _evaluated(candidates: Sequence[Candidate], name: str) -> Candidate:
    return next(c for c in candidates if c.id == name)


def _factor_rows(
    factor: Factor,
    chosen: Candidate,
    base: Candidate,
    ends: Sequence[tuple[Candidate, str]],
) -> list[dict[str, object]]:
    (low, low_choice), (high, high_choice) = ends
    rows = []
    for metric, unit, field in (
        ("total.finish", "s", "time_s"),
        ("total.cost", "USD", "cost_usd"),
    ):
        value = getattr(chosen, field)
        scale = value / getattr(base, field)
        rows.append(
            _row(
                factor.name,
                (factor.low.label, factor.high.label),
                (metric, unit, value),
                (getattr(low, field) * scale, getattr(high, field) * scale),
                (low_choice, high_choice),
            )
        )
    return rows


def _count_rows(candidates: Sequence[Candidate], chosen: Candidate) -> list[dict[str, object]]:
    """The fastest candidates with the next smaller and larger count of the same nodes."""
    if chosen.lead is None:
        return []
    group = chosen.lead.group

    def neighbours(sign: int) -> list[Candidate]:
        return [
            c
            for c in candidates
            if c.lead is not None
            and not c.refusal
            and c.lead.group.node.name == group.node.name
            and sign * (c.lead.group.count - group.count) > 0
        ]

    def nearest(sign: int) -> Candidate | None:
        return min(
            neighbours(sign),
            key=lambda c: (abs(c.lead.group.count - group.count), c.time_s),  # type: ignore[union-attr]
            default=None,
        )

    fewer, more = nearest(-1), nearest(1)
    if fewer is None and more is None:
        return []
    labels = tuple(
        f"{c.lead.group.count} × {group.node.name}" if c is not None and c.lead else ""
        for c in (fewer, more)
    )
    rows = []
    for metric, unit, field in (("total.finish", "s", "time_s"), ("total.cost", "USD", "cost_usd")):
        ends = [getattr(c, field) if c is not None else float("nan") for c in (fewer, more)]
        rows.append(
            _row(
                "nodes",
                (labels[0], labels[1]),
                (metric, unit, getattr(chosen, field)),
                (ends[0], ends[1]),
                ("", ""),
            )
        )
    return rows


def _row(
    factor: str,
    settings: tuple[str, str],
    metric: tuple[str, str, float],
    values: tuple[float, float],
    choices: tuple[str, str],
) -> dict[str, object]:
    return {
        "factor": factor,
        "low_setting": settings[0],
        "high_setting": settings[1],
        "metric": metric[0],
        "base_value": metric[2],
        "low_value": values[0],
        "high_value": values[1],
        "unit": metric[1],
        "low_choice": choices[0],
        "high_choice": choices[1],
    }


def _with_step(scores: Scores, z: float) -> Scores:
    return replace(scores, step={key: np.full_like(v, z) for key, v in scores.step.items()})


def _with_price(scores: Scores, z: float) -> Scores:
    return replace(scores, price={key: np.full_like(v, z) for key, v in scores.price.items()})


def _with_failures(scenario: Scenario, factor: float) -> Scenario:
    rates = scenario.policies.failures
    if rates is None:
        return scenario
    scaled = {name: rate * factor for name, rate in rates.per_accelerator_s.items()}
    failures = replace(rates, per_accelerator_s=scaled)
    return replace(scenario, policies=replace(scenario.policies, failures=failures))


def _with_repair(scenario: Scenario, factor: float) -> Scenario:
    rates = scenario.policies.failures
    if rates is None:
        return scenario
    failures = replace(rates, repair_s=rates.repair_s * factor)
    return replace(scenario, policies=replace(scenario.policies, failures=failures))


def _with_servers(scenario: Scenario, factor: float) -> Scenario:
    cluster = scenario.cluster
    servers = max(round(cluster.storage.servers * factor), 1)
    storage = replace(cluster.storage, servers=servers)
    return replace(scenario, cluster=replace(cluster, storage=storage))


def _with_tariff(scenario: Scenario, factor: float) -> Scenario:
    tariff = scenario.site.tariff_usd_per_kwh * factor
    return replace(scenario, site=replace(scenario.site, tariff_usd_per_kwh=tariff))

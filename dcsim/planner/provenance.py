"""What a result rests on: facts with their sources, and what was assumed."""

from collections.abc import Iterable, Sequence
from typing import Any

from dcsim import catalogue
from dcsim.cost.parameters import shipped_fit
from dcsim.cost.storage_servers import CHECKPOINT_BYTES_PER_PARAMETER
from dcsim.economics import (
    BUSY_SHARE,
    BUSY_SHARE_SOURCE,
    PURCHASE_RANGE,
    PURCHASE_RANGE_SOURCE,
)
from dcsim.planner.candidates import Candidate
from dcsim.planner.space import ClusterOption
from dcsim.records import Source
from dcsim.records.profile import Profile
from dcsim.records.real_run import RealRun
from dcsim.scenario.resolved import NodeGroup, Scenario, TrainingWork

Rows = list[dict[str, Any]]


def sources(
    scenario: Scenario,
    options: Iterable[ClusterOption],
    profile: Profile,
    real: Sequence[RealRun],
) -> Rows:
    """The table `sources`: every fact that the figures were computed from, once."""
    rows: Rows = []
    options = list(options)
    groups = [group for option in options for group in option.groups]
    for group in {g.node.name: g for g in groups}.values():
        rows += _node_sources(group, scenario.money.terms)
    for work in scenario.workload:
        if isinstance(work, TrainingWork):
            card = work.model
            rows.append(_row(f"model {card.name}", card.layers, "layers", card.source))
    rows += _fabric_sources(options)
    storage = scenario.cluster.storage
    read = storage.system.server_read_bytes_per_s
    rows.append(_row(f"storage {storage.system.name}", read, "B/s a server", storage.system.source))
    rates = scenario.policies.failures
    if rates is not None:
        per_day = sum(rates.per_accelerator_s.values()) * 86400.0 * 8 * 1000
        unit = "failures per 1,000 nodes of 8 and day"
        rows.append(_row(f"failure rates {rates.name}", per_day, unit, rates.source))
    rows += _site_sources(scenario)
    rows.append(_row("share of full load while training", BUSY_SHARE.value, "1", BUSY_SHARE_SOURCE))
    if scenario.money.terms == "buy":
        low = PURCHASE_RANGE[0]
        rows.append(_row("lowest purchase price, share", low, "1", PURCHASE_RANGE_SOURCE))
        rows.append(
            _row("residual value", scenario.money.residual_share, "1", scenario.money.source)
        )
    rows += _profile_sources(profile)
    rows += [_real_source(run) for run in real]
    return _unique(rows)


def _node_sources(group: NodeGroup, terms: str) -> Rows:
    node = group.node
    chip = catalogue.accelerator(node.accelerator)
    peak = max(chip.peak_flops.get("bf16", 0.0), chip.peak_flops.get("fp16", 0.0))
    rows = [
        _row(f"accelerator {chip.name}", peak, "FLOP/s, dense 16 bit", chip.source),
        _row(f"node {node.name}", node.accelerators, "accelerators", node.source),
        _row(f"power of {node.name}", node.peak_w, "W", node.power_source or node.source),
    ]
    if terms == "rent":
        price = node.rent_usd_per_accelerator_hour
        source = node.rent_source or node.price_source
        rows.append(_row(f"rent of {node.name}", price, "USD/accelerator-hour", source))
    else:
        rows.append(_row(f"price of {node.name}", node.price_usd, "USD", node.price_source))
    return rows


def _fabric_sources(options: Sequence[ClusterOption]) -> Rows:
    """Prices and powers of the fabric's parts, from the largest cluster."""
    fabrics = [option.fabric for option in options if option.fabric is not None]
    if not fabrics:
        return []
    parts = max(fabrics, key=lambda fabric: fabric.parts.power_w).parts
    if parts.source is None:
        return []
    return [
        _row(f"power of a {line.name}", line.power_w, "W", parts.source)
        for line in parts.lines
        if line.power_w
    ]


def _site_sources(scenario: Scenario) -> Rows:
    site, facts = scenario.site, scenario.site.facts
    given = Source("given in the scenario", "assumption")

    def row(what: str, value: float, unit: str, fact: float, source: Source | None) -> Any:
        known = (source or facts.source) if value == fact else given
        return _row(f"{what} of {facts.region}", value, unit, known)

    tariff, pue = facts.tariff_usd_per_kwh, facts.pue
    carbon = facts.carbon_kg_per_kwh
    return [
        row("grid", site.carbon_kg_per_kwh, "kg/kWh", carbon, facts.source),
        row("tariff", site.tariff_usd_per_kwh, "USD/kWh", tariff, facts.tariff_source),
        row("PUE", site.pue, "1", pue, facts.pue_source),
    ]


def _profile_sources(profile: Profile) -> Rows:
    host = Source(f"measured on {profile.host.machine.cpu}", "measured")
    errors = [abs(row.predicted_s / row.measured_s - 1.0) for row in profile.host.held_out]
    rows = []
    if errors:
        middle = sorted(errors)[len(errors) // 2]
        rows.append(_row("operator model, median held-out error", middle, "1", host))
    report = profile.training.fit_report or shipped_fit().fit_report
    held_out = report.get("group_held_out", {})
    if "median" in held_out:
        text = f"{held_out['n']} published runs, each predicted by a fit without its source group"
        source = Source(text, "fitted")
        rows.append(_row("step model, median held-out error", held_out["median"], "1", source))
    for name, text in sorted(profile.sources.items()):
        rows.append(_row(f"profile: {name}", None, "", Source(text, "fitted")))
    return rows


def _real_source(run: RealRun) -> dict[str, Any]:
    steps = sorted(run.step_s)
    source = Source(f"measured on {run.machine}; data: {run.data_source}", "measured")
    middle = steps[len(steps) // 2] if steps else None
    return _row(f"real job {run.name}", middle, "s a step", source) | {"date": run.measured_at}


def _row(item: str, value: float | None, unit: str, source: Source) -> dict[str, Any]:
    text = source.text
    if source.from_memory:
        text += f" (from memory: {', '.join(source.from_memory)})"
    if source.note:
        text += f"; {source.note}"
    return {
        "item": item,
        "value": None if value is None else float(value),
        "unit": unit,
        "source": text,
        "date": source.date,
        "status": source.status,
    }


def _unique(rows: Rows) -> Rows:
    return list({row["item"]: row for row in rows}.values())


def assumptions(scenario: Scenario, chosen: Candidate | None) -> Rows:
    """The table `assumptions`: what was assumed, what matters most first.

    Importance is `high` where it can change the recommendation, `medium` where it moves a
    figure by more than a few per cent, else `low`.
    """
    rows = _uncertain(chosen) if chosen is not None else []
    rows += _accounting(scenario) + _modelling(scenario)
    order = {"high": 0, "medium": 1, "low": 2}
    return sorted(rows, key=lambda row: order[row["importance"]])


def _uncertain(chosen: Candidate) -> Rows:
    rows = []
    lead = chosen.lead
    if lead is not None and lead.iteration.value:
        half = lead.iteration.high / lead.iteration.value - 1.0
        rows.append(
            _assumed(
                "step time",
                f"up to {100 * half:.0f} % longer",
                "90 % interval of the cost model on published runs it had not seen",
                "high",
            )
        )
    price = chosen.option.rates.accelerators_usd_per_s
    if price.value and price.high > price.low:
        rows.append(
            _assumed(
                "price of accelerators",
                f"{price.low / price.value:.2f} to {price.high / price.value:.2f} times the median",
                "range of published prices, taken as a 90 % interval",
                "high",
            )
        )
    return rows


def _accounting(scenario: Scenario) -> Rows:
    if scenario.money.terms == "rent":
        reason = "cloud prices include them; storage servers are written off and powered apart"
        rent = "network and energy of the nodes are in the rent"
        rows = [_assumed("rent", rent, reason, "medium")]
    else:
        years = scenario.money.lifetime_s / (365 * 86400.0)
        text = f"{years:g} years to {scenario.money.residual_share:.0%} of the price"
        rows = [_assumed("depreciation", text, scenario.money.source.text, "high")]
    return [
        *rows,
        _assumed("time paid for", "from the start to the end of the last job", "our own", "medium"),
        _assumed(
            "carbon",
            "operational only",
            "embodied emissions of hardware are published for few servers",
            "medium",
        ),
        _assumed(
            "power while communicating",
            "half-way between idle and computing",
            "no published measurement separates it",
            "low",
        ),
    ]


def _modelling(scenario: Scenario) -> Rows:
    rows = []
    rates = scenario.policies.failures
    if rates is not None:
        repair = f"{rates.repair_s / 3600:g} h"
        reason = "a job without a free node or spare waits for it"
        rows.append(_assumed("repair of a node", repair, reason, "medium"))
        rows.append(
            _assumed(
                "failures of other node types",
                f"at the rates of {rates.name} per accelerator",
                "no published rates for each type",
                "medium",
            )
        )
    if any(isinstance(work, TrainingWork) for work in scenario.workload):
        rows.append(
            _assumed(
                "size of a checkpoint",
                f"{CHECKPOINT_BYTES_PER_PARAMETER:g} bytes a parameter",
                "published checkpoints of 8B, 70B and 405B models",
                "low",
            )
        )
    if scenario.cluster.local is not None:
        rows.append(
            _assumed("this machine", "costs nothing", "real jobs run where dcsim runs", "low")
        )
    return rows


def _assumed(field: str, value: str, reason: str, importance: str) -> dict[str, Any]:
    return {"field": field, "value": value, "reason": reason, "importance": importance}

"""The tables of a results directory, from a finished search."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.catalogue import LOCAL
from dcsim.economics import ACTIVITY, CATEGORIES, Rates
from dcsim.planner.build import REPEAT
from dcsim.planner.candidates import Candidate
from dcsim.planner.outcomes import Outcome
from dcsim.planner.sampling import Scores
from dcsim.planner.screen import Step, operators
from dcsim.records import Interval
from dcsim.records.profile import Profile
from dcsim.records.real_run import RealRun
from dcsim.scenario.resolved import Scenario
from dcsim.simulation import SimulationRecord, SimulationSpec, sharing
from dcsim.simulation.record import TIMELINE_SERIES, JobRecord

if TYPE_CHECKING:
    import pandas as pd

Rows = list[dict[str, Any]]

#: Columns of the bounds of a quantity whose name does not take `_low` and `_high`.
_BOUNDS = {"time_s": ("time_low_s", "time_high_s")}

#: Columns of tables that may have no rows, so that they are written all the same.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "events": ("time_s", "kind", "job", "node", "detail", "seed"),
    "losses": ("job", "step", "epoch", "loss", "metric", "value", "step_s"),
    "assumptions": ("field", "value", "reason", "importance"),
    "defaults": ("field", "value", "reason"),
    "chain": ("stage", "item", "value", "unit", "source"),
    "host_heldout": ("name", "measured_s", "predicted_s", "low_s", "high_s"),
    "finalist_runs": (
        "candidate",
        "seed",
        "finish_s",
        "cost_usd",
        "energy_kwh",
        "carbon_kg",
        "failures",
        "ettr",
        "goodput",
    ),
    "sharing": ("job", "alone_s", "shared_s", "slowdown", "at_fault"),
    "load": ("time_s", "name", "share"),
    "waits": ("by", "class", "jobs", "unstarted", "mean_s", "p50_s", "p95_s", "max_s"),
    "servers": ("name", "read_bytes", "written_bytes", "missing_s", "away_s"),
    "storage": ("item", "value", "unit", "reason"),
    "links": ("name", "capacity_bytes_per_s", "mean_share", "peak_share", "bytes"),
    "breakdown": ("candidate", "job", "part", "level", "seconds", "share"),
    "objectives": (
        "name",
        "metric",
        "target",
        "unit",
        "hard",
        "value",
        "low",
        "high",
        "confidence_asked",
        "confidence",
        "met",
        "candidate",
    ),
}


def frame(rows: Rows, name: str = "") -> "pd.DataFrame":
    """The rows as a frame; a table that may be empty keeps its columns."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(COLUMNS[name]) if name in COLUMNS else None)


def candidate_record(candidate: Candidate) -> dict[str, Any]:
    """A candidate as `plan --json` writes it; figures are intervals with their unit."""
    lead = candidate.lead
    group = lead.group if lead else next(iter(candidate.option.groups), None)
    outcome = candidate.outcome
    degrees = ("tp", "pp", "vp", "dp", "cp", "ep", "micro_batch", "recompute", "zero_stage")
    record: dict[str, Any] = {
        "id": candidate.id,
        "node_type": group.node.name if group else LOCAL,
        "nodes": group.count if group else 1,
        "gpus": lead.accelerators if lead else candidate.option.accelerators,
    }
    record |= {name: getattr(lead.layout, name) if lead else None for name in degrees}
    return record | {
        "memory_device_bytes": lead.memory_device_bytes if lead else None,
        "memory_capacity_bytes": lead.memory_capacity_bytes if lead else None,
        "time_s": _figure(outcome.time if outcome else None, "s"),
        "cost_usd": _figure(outcome.cost if outcome else None, "USD"),
        "energy_kwh": _figure(outcome.energy if outcome else None, "kWh"),
        "carbon_kg": _figure(outcome.carbon if outcome else None, "kg"),
        "status": candidate.status,
        "why_not": candidate.why_not,
        "spare_nodes": candidate.spares,
        "simulated": bool(outcome and outcome.simulated),
        "bottleneck": lead.bottleneck if lead else "",
        "mfu": lead.mfu if lead else None,
    }


def _figure(interval: Interval | None, unit: str) -> dict[str, Any]:
    if interval is None:
        return {"value": None, "low": None, "high": None, "unit": unit}
    return dict(interval.to_json())


def candidate_rows(candidates: Sequence[Candidate]) -> Rows:
    """The table `candidates`: the same with one column for each bound."""
    rows = []
    for candidate in candidates:
        row: dict[str, Any] = {}
        for name, value in candidate_record(candidate).items():
            if isinstance(value, dict):
                low, high = _BOUNDS.get(name, (f"{name}_low", f"{name}_high"))
                row |= {name: value["value"], low: value["low"], high: value["high"]}
            else:
                row[name] = value
        rows.append(row)
    return rows


def breakdown_rows(candidates: Sequence[Candidate]) -> Rows:
    """The table `breakdown`: where a step's time goes, of every candidate that can run."""
    return [
        _share_of_step(candidate, step, part, "part", seconds)
        for candidate in candidates
        if not candidate.refusal
        for step in candidate.steps
        for part, seconds in step.parts_s.items()
    ]


def operator_rows(candidate: Candidate, scenario: Scenario, profile: Profile) -> Rows:
    """Further rows of `breakdown`: the operators that one candidate's computing is made of."""
    return [
        _share_of_step(candidate, step, name, "operator", seconds)
        for step in candidate.steps
        for name, seconds in operators(step, scenario, profile).items()
    ]


def _share_of_step(
    candidate: Candidate, step: Step, part: str, level: str, seconds: float
) -> dict[str, Any]:
    return {
        "candidate": candidate.id,
        "job": step.work.name,
        "part": part,
        "level": level,
        "seconds": seconds,
        "share": seconds / step.iteration.value,
    }


def run_rows(candidates: Sequence[Candidate], scores: Scores) -> Rows:
    """The table `finalist_runs`: every simulated run."""
    rows = []
    for candidate in candidates:
        outcome = candidate.outcome
        if outcome is None or not outcome.simulated:
            continue
        for i, seed in enumerate(scores.seeds):
            rows.append(
                {
                    "candidate": candidate.id,
                    "seed": int(seed),
                    "finish_s": float(outcome.makespan_s[i]),
                    "cost_usd": float(outcome.bill.total_usd[i]),
                    "energy_kwh": float(outcome.bill.energy_kwh[i]),
                    "carbon_kg": float(outcome.bill.carbon_kg[i]),
                    "failures": int(outcome.failures[i]),
                    "ettr": float(outcome.ettr[i]),
                    "goodput": float(outcome.goodput[i]),
                }
            )
    return rows


def ledger_rows(outcome: Outcome, cluster: Rates) -> Rows:
    """The table `ledger`: means over the runs, with their part of money and energy.

    Money follows the seconds, since every second is paid alike; energy and carbon follow
    the power that the class draws, with network and storage spread evenly.
    """
    seconds = outcome.mean_seconds()
    total = sum(seconds.values())
    drawn = {name: s * _drawn_w(name, cluster) for name, s in seconds.items()}
    power = sum(drawn.values())
    cost, energy, carbon = outcome.cost.value, outcome.energy.value, outcome.carbon.value
    return [
        {
            "ledger_class": name,
            "seconds": value,
            "share": value / total if total else 0.0,
            "cost_usd": cost * value / total if total else 0.0,
            "energy_kwh": energy * drawn[name] / power if power else 0.0,
            "carbon_kg": carbon * drawn[name] / power if power else 0.0,
        }
        for name, value in seconds.items()
    ]


def _drawn_w(name: str, cluster: Rates) -> float:
    nodes = cluster.idle_w + ACTIVITY[name] * (cluster.busy_w.value - cluster.idle_w)
    return nodes + cluster.network_w + cluster.storage_w


def money_rows(outcome: Outcome) -> Rows:
    """The table `money`: categories that sum to the median total, and that total.

    A category's value is its mean share of the median total; its bounds are its own.
    """
    total = outcome.bill.total_usd
    safe = np.where(total > 0.0, total, 1.0)
    middle = outcome.cost
    rows = []
    for category in CATEGORIES:
        amounts = outcome.bill.usd(category)
        spread = Interval.from_samples(amounts, "USD")
        value = float(np.mean(amounts / safe)) * middle.value
        rows.append(_money(category, value, min(spread.low, value), max(spread.high, value)))
    return [*rows, _money("total", sum(r["usd"] for r in rows), middle.low, middle.high)]


def _money(category: str, usd: float, low: float, high: float) -> dict[str, Any]:
    return {"category": category, "usd": usd, "low_usd": low, "high_usd": high}


def objective_rows(candidate: Candidate | None) -> Rows:
    """The table `objectives`, for the recommended candidate or the nearest miss."""
    if candidate is None:
        return []
    return [{**v.to_json(), "candidate": candidate.id} for v in candidate.verdicts]


def job_rows(record: SimulationRecord, steps: Sequence[Step], real: Sequence[RealRun]) -> Rows:
    """The table `jobs` of one simulated run."""
    models = {step.work.name: step.work.model.name for step in steps}
    models |= {run.name: run.job for run in real}
    return [
        {
            "name": job.name,
            "kind": job.kind,
            "model": models.get(job.name.partition(REPEAT)[0], ""),
            "submit_s": job.submit_s,
            "start_s": job.start_s,
            "end_s": job.end_s,
            "accelerators": job.accelerators,
            "nodes": job.nodes,
            "steps": job.steps,
            "step_s": job.step_s,
            "wait_s": job.wait_s,
            "failures": job.failures,
            "checkpoints": job.checkpoints,
            "lost_s": job.lost_s,
            "status": job.status,
            "seed": record.seed,
        }
        for job in record.jobs
    ]


def wait_rows(record: SimulationRecord) -> Rows:
    """The table `waits`: how long jobs of traces waited, by size, owner, priority and in all.

    Of jobs that have started; `unstarted` counts the others.
    """
    classes: dict[tuple[str, str], list[JobRecord]] = {}
    for job in record.jobs:
        if job.kind == "trace":
            size = str(1 << (job.accelerators - 1).bit_length())
            keys = [("all", ""), ("size up to", size), ("priority", str(job.priority))]
            keys += [("user", job.user)] if job.user else []
            keys += [("group", job.group)] if job.group else []
            for key in keys:
                classes.setdefault(key, []).append(job)
    rows: Rows = []
    for (by, name), members in sorted(classes.items()):
        waits = np.array([job.wait_s for job in members if np.isfinite(job.start_s)])
        row: dict[str, Any] = {"by": by, "class": name, "jobs": len(members)}
        row["unstarted"] = len(members) - len(waits)
        for column, value in (
            ("mean_s", np.mean), ("p50_s", np.median),
            ("p95_s", lambda w: np.percentile(w, 95)), ("max_s", np.max),
        ):  # fmt: skip
            row[column] = float(value(waits)) if len(waits) else None
        rows.append(row)
    return rows


def record_tables(record: SimulationRecord) -> dict[str, "pd.DataFrame"]:
    """The tables `nodes`, `links`, `servers`, `events`, `timeline` and `load` of one run."""
    nodes, links = record.nodes, record.links
    node_rows: Rows = [
        {
            "index": i,
            "name": nodes.names[i],
            "pool": nodes.pool[i],
            "node_type": nodes.node_type[i],
            "accelerators": int(nodes.accelerators[i]),
            "busy_share": float(nodes.busy_share[i]),
            "repair_share": float(nodes.repair_share[i]),
            "failures": int(nodes.failures[i]),
        }
        for i in range(len(nodes.names))
    ]
    link_rows: Rows = [
        {
            "name": links.names[i],
            "capacity_bytes_per_s": float(links.capacity_bytes_per_s[i]),
            "mean_share": float(links.mean_share[i]),
            "peak_share": float(links.peak_share[i]),
            "bytes": float(links.bytes[i]),
        }
        for i in range(len(links.names))
    ]
    event_rows: Rows = [
        {
            "time_s": event.time_s,
            "kind": event.kind,
            "job": event.job,
            "node": event.node,
            "detail": event.detail,
            "seed": record.seed,
        }
        for event in record.events
    ]
    timeline_rows: Rows = [
        {"time_s": float(t), "series": name, "value": float(v), "unit": TIMELINE_SERIES[name]}
        for name, values in record.timeline.series.items()
        for t, v in zip(record.timeline.time_s, values, strict=True)
    ]
    return {
        "nodes": frame(node_rows),
        "links": frame(link_rows, "links"),
        "servers": frame(server_rows(record), "servers"),
        "load": frame(load_rows(record), "load"),
        "events": frame(event_rows, "events"),
        "timeline": frame(timeline_rows),
    }


def load_rows(record: SimulationRecord) -> Rows:
    """The table `load`: how busy every link and server was over time."""
    load = record.load
    if load is None:
        return []
    return [
        {"time_s": float(time), "name": name, "share": float(share)}
        for name, shares in zip(load.names, load.share.T, strict=True)
        for time, share in zip(load.time_s, shares, strict=True)
    ]


def server_rows(record: SimulationRecord) -> Rows:
    """The table `servers` of one simulated run: the data servers of its storage."""
    servers = record.servers
    if servers is None:
        return []
    return [
        {
            "name": name,
            "read_bytes": float(servers.read_bytes[i]),
            "written_bytes": float(servers.written_bytes[i]),
            "missing_s": float(servers.missing_s[i]),
            "away_s": float(servers.away_s[i]),
        }
        for i, name in enumerate(servers.names)
    ]


def sharing_rows(spec: SimulationSpec, seed: int) -> Rows:
    """The table `sharing`: how much longer every job takes among its neighbours.

    Empty for a single job on storage that loses no server: it has no neighbour.
    """
    scripted = spec.storage is not None and spec.storage.upkeep is not None
    if len(spec.jobs) < 2 and not scripted:
        return []
    if any(getattr(job, "work", "") == "trace" for job in spec.jobs):
        # Jobs of a trace move no bytes, and each would have to be run alone.
        return []
    return [
        {
            "job": found.job,
            "alone_s": found.alone_s,
            "shared_s": found.shared_s,
            "slowdown": found.slowdown,
            "at_fault": found.at_fault,
        }
        for found in sharing(spec, seed)
    ]


def loss_rows(real: Sequence[RealRun]) -> Rows:
    """The table `losses`: every step of the real jobs.

    At the end of an epoch `value` is the metric on the validation data, at the last step
    the one on the test data.
    """
    rows: Rows = []
    for run in real:
        name = run.metric_name
        scored = {
            int(entry["step"]) - 1: (f"validation {name}", entry[name])
            for entry in run.evaluations
            if name in entry
        }
        if f"test_{name}" in run.metrics:
            scored[len(run.losses) - 1] = (f"test {name}", run.metrics[f"test_{name}"])
        steps = zip(run.losses, run.epochs, run.step_s, strict=True)
        for i, (loss, epoch, seconds) in enumerate(steps):
            metric, value = scored.get(i, (name, None))
            rows.append(
                {
                    "job": run.name,
                    "step": i,
                    "epoch": epoch,
                    "loss": loss,
                    "metric": metric,
                    "value": value,
                    "step_s": seconds,
                }
            )
    return rows

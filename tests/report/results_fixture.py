"""Invented results in the shape of real ones, for the tests of store and report only.

No figure in here is a prediction: they are drawn so that every table has something to
show, and so that names are long, intervals skewed and scales extreme where asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from results_tables import (
    DAY,
    LONG,
    finalist_runs,
    ledger_seconds,
    provenance_tables,
    run_tables,
    sensitivity,
    trust_tables,
)

from dcsim.records import Result

CAPACITY_BYTES = {"hgx-v100": 10e9, "hgx-a100": 80e9, "hgx-h100": 80e9, "hgx-h200": 141e9}


def plan_result(
    *,
    seed: int = 7,
    names: str = "short",
    outcome: str = "met",
    scale: float = 1.0,
    only: tuple[str, ...] | None = None,
) -> Result:
    """A plan. `outcome` is met, missed or infeasible; `names` short or long; `scale`
    multiplies time and money; `only` keeps the tables of those names."""
    rng = np.random.default_rng(seed)
    candidates = _candidates(rng, names, outcome, scale)
    best = candidates[candidates["status"] == "recommended"]
    chosen = None if best.empty else best.iloc[0].to_dict()
    tables = {"candidates": candidates}
    if chosen:
        tables["finalist_runs"] = finalist_runs(rng, candidates)
        _as_simulated(candidates, tables["finalist_runs"])
        chosen = candidates[candidates["id"] == chosen["id"]].iloc[0].to_dict()
        tables |= run_tables(rng, chosen, names)
        tables["sensitivity"] = sensitivity(chosen)
    objectives = _objectives(chosen, outcome, scale, tables.get("finalist_runs"))
    tables["objectives"] = pd.DataFrame(objectives)
    tables |= trust_tables(rng) | provenance_tables(names)
    title = "Pretrain llama3-8b on 15 T tokens"
    summary: dict[str, Any] = {
        "scenario": "pretrain-llama3-8b" if names == "short" else LONG,
        "title": title if names == "short" else f'{LONG} {LONG} #evil[x] "q" \\ $a$ _b_ *c*',
        "seed": seed,
        "version": "0.1.0",
        "recommended": chosen["id"] if chosen else None,
        "candidates": [_candidate_json(row) for row in candidates.to_dict("records")],
        "frontier": candidates.loc[
            candidates["status"].isin(["recommended", "frontier"]), "id"
        ].tolist(),
        "objectives": objectives,
        "binding_constraints": _binding(outcome),
        "ledger_s": ledger_seconds(chosen) if chosen else {},
        "capacity_s": sum(ledger_seconds(chosen).values()) if chosen else 0.0,
        "screened": {"layouts": 148_212, "clusters": 25},
        "runs": 32,
        "nearest_miss": None if chosen else _nearest(candidates),
        "assumptions": tables["assumptions"].to_dict("records"),
        "provenance": tables["sources"].to_dict("records"),
    }
    return Result(
        "plan", summary, _keep(tables, only), _inputs(), "dcsim plan scenarios/a.yaml --seed 7"
    )


def run_result(
    *, seed: int = 7, only: tuple[str, ...] | None = None, names: str = "short"
) -> Result:
    """A run: no candidates, one simulated cluster."""
    rng = np.random.default_rng(seed)
    chosen = {
        "id": "as-given",
        "node_type": "hgx-h100",
        "nodes": 16,
        "gpus": 128,
        "time_s": 41.8 * DAY,
        "cost_usd": 1.41e6,
        "energy_kwh": 118e3,
        "carbon_kg": 41e3,
    }
    objectives = _objectives(chosen, "met", 1.0, None)
    tables = {"objectives": pd.DataFrame(objectives)}
    tables |= run_tables(rng, chosen, names) | trust_tables(rng) | provenance_tables(names)
    metrics = {
        "total.finish": _interval(41.8 * DAY, 39.0 * DAY, 46.1 * DAY, "s"),
        "total.cost": _interval(1.41e6, 1.29e6, 1.62e6, "USD"),
        "total.energy": _interval(118e3, 109e3, 131e3, "kWh"),
        "total.carbon": _interval(41.2e3, 38.0e3, 45.9e3, "kg"),
        "total.ettr": _interval(0.951, 0.921, 0.966, "1"),
        "total.goodput": _interval(0.962, 0.941, 0.971, "1"),
        "total.failures": _interval(9, 5, 15, "1"),
    }
    summary = {
        "scenario": "mixed-cluster",
        "title": "A Llama 3 8B run beside two probe jobs",
        "seed": seed,
        "version": "0.1.0",
        "metrics": metrics,
        "jobs": tables["jobs"].to_dict("records"),
        "ledger_s": ledger_seconds(chosen),
        "objectives": objectives,
        "assumptions": tables["assumptions"].to_dict("records"),
        "provenance": tables["sources"].to_dict("records"),
    }
    return Result("run", summary, _keep(tables, only), _inputs(), "dcsim run scenarios/b.yaml")


def _as_simulated(candidates: pd.DataFrame, runs: pd.DataFrame) -> None:
    """Give simulated candidates the medians and intervals of their runs."""
    for i in candidates.index[candidates["simulated"]]:
        own = runs[runs["candidate"] == candidates.at[i, "id"]]
        for name, column in (
            ("time_s", "finish_s"),
            ("cost_usd", "cost_usd"),
            ("energy_kwh", "energy_kwh"),
            ("carbon_kg", "carbon_kg"),
        ):
            low, value, high = np.percentile(own[column], [5, 50, 95])
            ends = ("time_low_s", "time_high_s") if name == "time_s" else _ends(name)
            candidates.loc[i, [name, *ends]] = value, low, high


def _ends(name: str) -> tuple[str, str]:
    return f"{name}_low", f"{name}_high"


def _nearest(candidates: pd.DataFrame) -> dict[str, Any]:
    near = candidates.sort_values("memory_device_bytes", kind="stable").iloc[0]
    return {"id": near["id"], "why_not": near["why_not"]}


def _keep(tables: dict[str, pd.DataFrame], only: tuple[str, ...] | None) -> dict[str, pd.DataFrame]:
    return tables if only is None else {n: t for n, t in tables.items() if n in only}


def _inputs() -> dict[str, bytes]:
    return {"scenarios/pretrain-llama3-8b.yaml": b"name: x\n", "reference-profile.json": b"{}\n"}


def _interval(value: float, low: float, high: float, unit: str) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "unit": unit}


def _candidates(rng: np.random.Generator, names: str, outcome: str, scale: float) -> pd.DataFrame:
    rows = []
    kinds = {
        "hgx-v100": (9.0, 0.9),
        "hgx-a100": (4.1, 1.45),
        "hgx-h100": (1.0, 2.49),
        "hgx-h200": (0.93, 3.1),
        "hgx-b200": (0.55, 4.9),
        "gb200-nvl72": (0.5, 6.2),
    }
    for kind, (slow, price) in kinds.items():
        for nodes in (4, 8, 16, 32, 64):
            for tp, pp in ((1, 1), (2, 1), (4, 1), (8, 1), (2, 2), (4, 4)):
                rows.append(_candidate(rng, len(rows), kind, nodes, tp, pp, slow, price, scale))
    table = pd.DataFrame(rows)
    if names == "long":
        table["node_type"] = table["node_type"] + "-" + LONG
    return _judged(table, outcome, scale)


def _candidate(
    rng: np.random.Generator,
    number: int,
    kind: str,
    nodes: int,
    tp: int,
    pp: int,
    slow: float,
    price: float,
    scale: float,
) -> dict[str, Any]:
    gpus = nodes * 8
    penalty = 1 + 0.03 * np.log2(tp) + 0.04 * (pp - 1) + 0.02 * np.log2(nodes) + rng.normal(0, 0.01)
    days = 41.0 * 128 / gpus * slow * penalty
    cost = days * 24 * gpus * price * 4.2
    memory = 38e9 / (tp * pp) + 55e9 / tp
    capacity = CAPACITY_BYTES.get(kind, 180e9)
    return {
        "id": f"c{number:04d}",
        "node_type": kind,
        "nodes": nodes,
        "gpus": gpus,
        "tp": tp,
        "pp": pp,
        "vp": 1,
        "dp": gpus // (tp * pp),
        "cp": 1,
        "ep": 1,
        "micro_batch": 2,
        "recompute": "none",
        "zero_stage": 1,
        "memory_device_bytes": memory,
        "memory_capacity_bytes": capacity,
        "time_s": days * DAY * scale,
        "time_low_s": days * 0.93 * DAY * scale,
        "time_high_s": days * 1.1 * DAY * scale,
        "cost_usd": cost * scale,
        "cost_usd_low": cost * 0.91 * scale,
        "cost_usd_high": cost * 1.15 * scale,
        "energy_kwh": days * 24 * gpus * 0.92 * scale,
        "energy_kwh_low": days * 24 * gpus * 0.85 * scale,
        "energy_kwh_high": days * 24 * gpus * 1.0 * scale,
        "carbon_kg": days * 24 * gpus * 0.32 * scale,
        "carbon_kg_low": days * 24 * gpus * 0.3 * scale,
        "carbon_kg_high": days * 24 * gpus * 0.36 * scale,
        "status": "dominated",
        "why_not": "",
        "simulated": False,
        "bottleneck": "compute",
        "mfu": 0.41 / penalty,
    }


def _judged(table: pd.DataFrame, outcome: str, scale: float) -> pd.DataFrame:
    """Statuses and reasons, as a planner gives them."""
    table["memory_device_bytes"] *= 2.2 if outcome == "infeasible" else 1.0
    misfit = table["memory_device_bytes"] > table["memory_capacity_bytes"]
    if outcome == "infeasible":
        misfit[:] = True
    for i in table.index[misfit]:
        needed, has = table.at[i, "memory_device_bytes"] / 1e9, table.at[i, "memory_capacity_bytes"]
        table.at[i, "why_not"] = f"needs {needed:.0f} GB of {has / 1e9:.0f} GB"
    table.loc[misfit, "status"] = "infeasible"
    columns = [c for c in table.columns if c.startswith(("time_", "cost_", "energy_", "carbon_"))]
    if outcome != "infeasible":
        table.loc[misfit, columns] = np.nan
    fits = table.index[~misfit]
    if not len(fits):
        return table
    time, cost = (table.loc[fits, c].to_numpy() for c in ("time_s", "cost_usd"))
    frontier = fits[[not np.any((time < t) & (cost < c)) for t, c in zip(time, cost, strict=True)]]
    table.loc[frontier, "status"] = "frontier"
    late = table["time_s"] / (60 * DAY * scale)
    dear = table["cost_usd"] / (2.0e6 * scale)
    chosen = min(
        frontier, key=lambda i: (max(late[i], 1), max(dear[i], 1), table.at[i, "cost_usd"])
    )
    for i in fits:
        if late[i] > 1:
            why = f"late by {(late[i] - 1) * 60:.0f} d"
        elif dear[i] > 1:
            why = f"{(dear[i] - 1) * 100:.0f} % over 2 M USD"
        else:
            change = table.at[i, "cost_usd"] / table.at[chosen, "cost_usd"] - 1
            why = f"{100 * change:.1f} % dearer" if change > 0 else "12 % slower"
        table.at[i, "why_not"] = why
    table.at[chosen, "status"], table.at[chosen, "why_not"] = "recommended", ""
    table.loc[frontier[:8], "simulated"] = True
    table.at[chosen, "simulated"] = True
    return table


def _candidate_json(row: dict[str, Any]) -> dict[str, Any]:
    document = {
        k: v for k, v in row.items() if not k.startswith(("time_", "cost_", "energy_", "carbon_"))
    }
    for name, unit in (
        ("time_s", "s"),
        ("cost_usd", "USD"),
        ("energy_kwh", "kWh"),
        ("carbon_kg", "kg"),
    ):
        low = row["time_low_s" if name == "time_s" else f"{name}_low"]
        high = row["time_high_s" if name == "time_s" else f"{name}_high"]
        document[name] = _interval(row[name], low, high, unit)
    return document


def _objectives(
    chosen: dict[str, Any] | None,
    outcome: str,
    scale: float,
    runs: pd.DataFrame | None,
) -> list[dict[str, Any]]:
    dear = 1.2 if outcome == "missed" else 2.0
    wanted = [
        ("base.finish", "base.finish", 60 * DAY * scale, "s", True, 0.9, "finish_s"),
        (
            f"at most {dear:g} M USD",
            "total.cost",
            dear * 1e6 * scale,
            "USD",
            False,
            0.5,
            "cost_usd",
        ),
    ]
    rows = []
    for name, metric, target, unit, hard, asked, column in wanted:
        row = {"name": name, "metric": metric, "target": target, "unit": unit, "hard": hard}
        row |= {"value": None, "low": None, "high": None, "confidence_asked": asked}
        row |= {"confidence": 0.0, "met": False, "candidate": chosen["id"] if chosen else None}
        if chosen:
            values = np.array([chosen["time_s" if column == "finish_s" else column]])
            if runs is not None:
                values = runs.loc[runs["candidate"] == chosen["id"], column].to_numpy()
            row["low"], row["value"], row["high"] = np.percentile(values, [5, 50, 95])
            row["confidence"] = float(np.mean(values <= target))
            row["met"] = row["confidence"] >= asked
        rows.append(row)
    return rows


def _binding(outcome: str) -> list[dict[str, Any]]:
    if outcome == "infeasible":
        text = "the memory limit is missed by all 150 candidates that could run"
        return [_constraint("memory", "memory", 150, None, text)]
    text = "without base.finish by 60 d, c0061 would win: the plan is 4.3 % dearer than it"
    return [_constraint("base.finish", "objective", 61, "c0061", text)]


def _constraint(name: str, kind: str, excludes: int, other: str | None, text: str) -> dict:
    return {
        "constraint": name,
        "kind": kind,
        "excludes": excludes,
        "without": other,
        "text": text,
    }

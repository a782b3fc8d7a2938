"""Invented tables in the shape of real ones; see `results_fixture`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dcsim.records import LEDGER_CLASSES

DAY = 86400.0
LONG = "a-very-long-name-that-a_user-may*well#choose/for$his[own]cluster"

PARTS = {
    "compute": 0.80,
    "tp": 0.02,
    "pp_bubble": 0.03,
    "dp": 0.06,
    "ep": 0.0,
    "cp": 0.0,
    "optimizer": 0.04,
    "other": 0.05,
}
OPERATORS = {
    "matrix products": 0.455,
    "attention": 0.21,
    "LM head": 0.07,
    "memory-bound passes": 0.065,
}
LEDGER = {
    "repair": 0.012,
    "starting": 0.001,
    "detecting_failure": 0.002,
    "restarting": 0.006,
    "checkpoint": 0.006,
    "recomputing": 0.021,
    "data_wait": 0.002,
    "exposed_communication": 0.072,
    "pipeline_bubble": 0.027,
    "useful_training": 0.851,
}


def ledger_seconds(chosen: dict[str, Any]) -> dict[str, float]:
    capacity = chosen["time_s"] * chosen["gpus"]
    return {name: LEDGER.get(name, 0.0) * capacity for name in LEDGER_CLASSES}


def run_tables(
    rng: np.random.Generator, chosen: dict[str, Any], names: str
) -> dict[str, pd.DataFrame]:
    job = "base" if names == "short" else LONG
    end = chosen["time_s"]
    step_s = 3.1
    seconds = ledger_seconds(chosen)
    ledger = pd.DataFrame(
        {
            "ledger_class": list(seconds),
            "seconds": list(seconds.values()),
            "share": [LEDGER.get(n, 0.0) for n in seconds],
            "cost_usd": [LEDGER.get(n, 0.0) * chosen["cost_usd"] for n in seconds],
            "energy_kwh": [LEDGER.get(n, 0.0) * chosen["energy_kwh"] for n in seconds],
            "carbon_kg": [LEDGER.get(n, 0.0) * chosen["carbon_kg"] for n in seconds],
        }
    )
    usd = chosen["cost_usd"]
    money = pd.DataFrame(
        {
            "category": ["accelerators", "storage", "network", "energy", "total"],
            "usd": [0.86 * usd, 0.05 * usd, 0.0, 0.09 * usd, usd],
            "low_usd": [0.78 * usd, 0.05 * usd, 0.0, 0.07 * usd, 0.91 * usd],
            "high_usd": [1.0 * usd, 0.05 * usd, 0.0, 0.11 * usd, 1.15 * usd],
        }
    )
    parts = [("part", n, s * step_s, s) for n, s in PARTS.items()]
    parts += [("operator", n, s * step_s, s) for n, s in OPERATORS.items()]
    breakdown = pd.DataFrame(parts, columns=["level", "part", "seconds", "share"])
    breakdown.insert(0, "job", job)
    breakdown.insert(0, "candidate", chosen["id"])
    return {
        "ledger": ledger,
        "money": money,
        "breakdown": breakdown,
        "jobs": _jobs(job, chosen, end, step_s),
        "nodes": _nodes(rng, chosen),
        "links": _links(rng),
        "events": _events(rng, job, end, chosen),
        "timeline": _timeline(rng, end, chosen),
        "losses": _losses(rng),
        "chain": _chain(),
    }


def _jobs(job: str, chosen: dict[str, Any], end: float, step_s: float) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "name": job,
                "kind": "training",
                "model": "llama3-8b",
                "submit_s": 0.0,
                "start_s": 62.0,
                "end_s": end,
                "accelerators": chosen["gpus"],
                "nodes": chosen["nodes"],
                "steps": 1_166_000,
                "step_s": step_s,
                "wait_s": 0.0,
                "failures": 9,
                "checkpoints": 880,
                "lost_s": 0.8 * DAY,
                "status": "done",
                "seed": 0,
            },
            {
                "name": "probe",
                "kind": "real",
                "model": "digits-mlp",
                "submit_s": 3600.0,
                "start_s": 3600.0,
                "end_s": 3604.2,
                "accelerators": 1,
                "nodes": 1,
                "steps": 2250,
                "step_s": 4.1e-4,
                "wait_s": 0.0,
                "failures": 0,
                "checkpoints": 1,
                "lost_s": 0.0,
                "status": "done",
                "seed": 0,
            },
            {
                "name": "probe-text",
                "kind": "real",
                "model": "char-transformer",
                "submit_s": 3600.0,
                "start_s": 3604.2,
                "end_s": 3616.0,
                "accelerators": 1,
                "nodes": 1,
                "steps": 300,
                "step_s": 3.6e-2,
                "wait_s": 4.2,
                "failures": 0,
                "checkpoints": 1,
                "lost_s": 0.0,
                "status": "done",
                "seed": 0,
            },
        ]
    )


def _nodes(rng: np.random.Generator, chosen: dict[str, Any]) -> pd.DataFrame:
    n = int(chosen["nodes"]) + 1
    return pd.DataFrame(
        {
            "index": np.arange(n),
            "name": [f"main-{i}" for i in range(n - 1)] + ["local-0"],
            "node_type": [chosen["node_type"]] * (n - 1) + ["local"],
            "accelerators": [8] * (n - 1) + [1],
            "busy_share": rng.uniform(0.95, 0.99, n),
            "repair_share": rng.uniform(0, 0.02, n),
        }
    )


def _links(rng: np.random.Generator) -> pd.DataFrame:
    names = [f"main-{i} up" for i in range(16)] + ["storage read", "storage write"]
    return pd.DataFrame(
        {
            "name": names,
            "capacity_bytes_per_s": [50e9] * 16 + [80e9, 40e9],
            "mean_share": rng.uniform(0.01, 0.05, 18),
            "peak_share": rng.uniform(0.2, 1.0, 18),
            "bytes": rng.uniform(1e15, 4e15, 18),
        }
    )


def _events(rng: np.random.Generator, job: str, end: float, chosen: dict[str, Any]) -> pd.DataFrame:
    times = np.sort(rng.uniform(0, end, 9))
    rows = [{"time_s": 0.0, "kind": "submit", "job": job, "node": -1, "detail": "", "seed": 0}]
    for t in times:
        node = int(rng.integers(0, max(int(chosen["nodes"]), 1)))
        rows.append(
            {
                "time_s": t,
                "kind": "failure",
                "job": job,
                "node": node,
                "detail": "hardware",
                "seed": 0,
            }
        )
        rows.append(
            {"time_s": t + 900, "kind": "resume", "job": job, "node": node, "detail": "", "seed": 0}
        )
    return pd.DataFrame(rows)


def _timeline(rng: np.random.Generator, end: float, chosen: dict[str, Any]) -> pd.DataFrame:
    n = 240
    time = np.linspace(0, end, n + 1)[1:]
    gpus = float(chosen["gpus"])
    down = np.zeros(n)
    for at in rng.integers(0, n - 3, 6):
        down[at : at + 2] = 8
    busy = np.where(down > 0, gpus - rng.uniform(8, 40, n), gpus)
    series = {
        "accelerators_busy": (busy, "accelerators"),
        "accelerators_down": (down, "accelerators"),
        "queue_length": (np.r_[1.0, np.zeros(n - 1)], "jobs"),
        "storage_read": (rng.uniform(0.9e9, 1.1e9, n), "B/s"),
        "storage_write": (rng.uniform(0.0, 2.4e9, n), "B/s"),
        "network_busiest": (np.clip(rng.normal(0.32, 0.02, n), 0, 1), "share"),
    }
    frames = [
        pd.DataFrame({"time_s": time, "series": name, "value": values, "unit": unit})
        for name, (values, unit) in series.items()
    ]
    return pd.concat(frames, ignore_index=True)


def _losses(rng: np.random.Generator) -> pd.DataFrame:
    frames = []
    for job, steps, start, floor, step_s in (
        ("probe", 450, 2.4, 0.12, 4.1e-4),
        ("probe-text", 300, 3.3, 1.9, 3.6e-2),
    ):
        i = np.arange(steps)
        loss = floor + (start - floor) * np.exp(-i / (steps / 5)) * np.exp(
            rng.normal(0, 0.05, steps)
        )
        frames.append(
            pd.DataFrame(
                {
                    "job": job,
                    "step": i,
                    "epoch": i // 45,
                    "loss": loss,
                    "metric": "accuracy" if job == "probe" else None,
                    "value": np.where(i % 45 == 44, 1 - loss / 4, np.nan)
                    if job == "probe"
                    else np.nan,
                    "step_s": step_s * np.exp(rng.gamma(1.0, 0.06, steps)),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _chain() -> pd.DataFrame:
    rows = [
        ("measured step", "probe", 4.1e-4, "s", "measured on this machine"),
        ("predicted step", "probe", 4.4e-4, "s", "operator curves of the profile"),
        ("operator curve", "gemm overhead", 1.1e-6, "s", "fitted on Some CPU @ 2.6 GHz"),
        ("operator curve", "gemm peak", 6.1e10, "FLOP/s", "fitted on Some CPU @ 2.6 GHz"),
        ("operator curve", "gemm knee m", 0.031, "1", "fitted on Some CPU @ 2.6 GHz"),
        ("data sheet", "H100-SXM bf16", 9.89e14, "FLOP/s", "NVIDIA H100 data sheet"),
        ("data sheet", "H100-SXM memory", 3.35e12, "B/s", "NVIDIA H100 data sheet"),
        ("accelerator curve", "H100-SXM ridge", 295.0, "FLOP/B", "data sheet: peak / bandwidth"),
        (
            "accelerator curve",
            "H100-SXM half-rate m",
            9.2,
            "elements",
            "operator curve × data sheet",
        ),
        ("simulated step", "base", 3.1, "s", "training cost model"),
        ("simulated run", "base", 41.8 * DAY, "s", "simulation over 32 seeds"),
    ]
    return pd.DataFrame(rows, columns=["stage", "item", "value", "unit", "source"])


def finalist_runs(rng: np.random.Generator, candidates: pd.DataFrame) -> pd.DataFrame:
    frames = []
    n = 32
    # The same chance for all, and none in the median, so that no order changes.
    factor = np.exp(rng.gamma(2.0, 0.03, n))
    factor /= np.median(factor)
    for row in candidates[candidates["simulated"]].to_dict("records"):
        frames.append(
            pd.DataFrame(
                {
                    "candidate": row["id"],
                    "seed": np.arange(n),
                    "finish_s": row["time_s"] * factor,
                    "cost_usd": row["cost_usd"] * factor,
                    "energy_kwh": row["energy_kwh"] * factor,
                    "carbon_kg": row["carbon_kg"] * factor,
                    "failures": rng.poisson(9, n),
                    "ettr": 0.95 / factor,
                    "goodput": 0.96 / factor,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def sensitivity(chosen: dict[str, Any]) -> pd.DataFrame:
    low_high = {
        "step time": ("low end of its 90 % interval", "high end of its 90 % interval"),
        "price of accelerators": ("low end of its range", "high end of its range"),
        "failure rate": ("half", "double"),
        "repair time": ("half", "double"),
        "storage servers": ("half", "double"),
        "electricity tariff": ("half", "double"),
        "nodes": ("8 × hgx-h100", "32 × hgx-h100"),
    }
    factors = {
        "step time": (0.93, 1.08, 0.93, 1.08),
        "price of accelerators": (1.0, 1.0, 0.85, 1.5),
        "failure rate": (0.98, 1.05, 0.98, 1.05),
        "repair time": (0.999, 1.002, 0.999, 1.002),
        "storage servers": (1.004, 0.999, 0.98, 1.04),
        "electricity tariff": (1.0, 1.0, 0.996, 1.008),
        "nodes": (1.99, 0.52, 0.98, 1.03),
    }
    rows = []
    for factor, (time_low, time_high, cost_low, cost_high) in factors.items():
        for metric, unit, base, low, high in (
            ("total.finish", "s", chosen["time_s"], time_low, time_high),
            ("total.cost", "USD", chosen["cost_usd"], cost_low, cost_high),
        ):
            flips = "c0144" if factor == "price of accelerators" else chosen["id"]
            rows.append(
                {
                    "factor": factor,
                    "low_setting": low_high[factor][0],
                    "high_setting": low_high[factor][1],
                    "metric": metric,
                    "base_value": base,
                    "low_value": low * base,
                    "high_value": high * base,
                    "unit": unit,
                    "low_choice": chosen["id"] if factor != "nodes" else "",
                    "high_choice": flips if factor != "nodes" else "",
                }
            )
    return pd.DataFrame(rows)


def trust_tables(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    n = 14
    measured = 10 ** rng.uniform(-5, 0.3, n)
    predicted = measured * np.exp(rng.normal(0, 0.1, n))
    heldout = pd.DataFrame(
        {
            "name": [f"mlp-{i}" for i in range(n)],
            "measured_s": measured,
            "predicted_s": predicted,
            "low_s": predicted / 1.25,
            "high_s": predicted * 1.25,
        }
    )
    n = 260
    measured = 10 ** rng.uniform(-0.5, 2.0, n)
    predicted = measured * np.exp(rng.normal(0, 0.13, n))
    accelerators = rng.choice(["A100-80GB-SXM", "H100-SXM", "B200", "V100"], n)
    published = pd.DataFrame(
        {
            "row_id": [f"C{i:04d}" for i in range(n)],
            "block": [f"dense-16-bit-{a}" for a in accelerators],
            "accelerator": accelerators,
            "measured_s": measured,
            "predicted_s": predicted,
            "low_s": predicted / 1.3,
            "high_s": predicted * 1.3,
            "quality": rng.choice(["A", "B"], n),
        }
    )
    return {"host_heldout": heldout, "published": published}


def provenance_tables(names: str) -> dict[str, pd.DataFrame]:
    tail = "" if names == "short" else f" {LONG}"
    assumptions = pd.DataFrame(
        [
            {
                "field": "workload.base.software",
                "value": "megatron-bridge-25.09",
                "reason": "not given; the newest generation that the fit has seen" + tail,
                "importance": "high",
            },
            {
                "field": "policies.failures.rates",
                "value": "llama3",
                "reason": "the scenario names no rates; published ones of a 16,384-GPU run",
                "importance": "high",
            },
            {
                "field": "site.tariff",
                "value": "0.09 USD/kWh",
                "reason": "average industrial tariff of the region",
                "importance": "medium",
            },
        ]
        + [
            {
                "field": f"cluster.option_{i}{tail}",
                "value": str(i),
                "reason": "default of the catalogue",
                "importance": "low",
            }
            for i in range(8)
        ]
    )
    sources = pd.DataFrame(
        [
            {
                "item": "H100-SXM bf16 peak",
                "value": 989.4,
                "unit": "TFLOP/s",
                "source": "NVIDIA H100 "
                "Tensor Core GPU data sheet, https://www.example.org/a/very/long/address/of-a-data_sheet",
                "date": "2023-03",
                "status": "sourced",
            },
            {
                "item": "accelerator hour, on demand",
                "value": 2.49,
                "unit": "USD/h",
                "source": "price list of a cloud provider" + tail,
                "date": "2025-11",
                "status": "sourced",
            },
            {
                "item": "grid intensity, us-virginia",
                "value": 0.352,
                "unit": "kg/kWh",
                "source": "eGRID 2022",
                "date": "2024-01",
                "status": "from-memory",
            },
        ]
        + [
            {
                "item": f"fact {i}",
                "value": 10.0**i,
                "unit": "B/s",
                "source": "somewhere",
                "date": "2024",
                "status": "assumption",
            }
            for i in range(14)
        ]
    )
    defaults = pd.DataFrame(
        [
            {"field": f"cluster.network.option_{i}", "value": str(i), "reason": "usual"}
            for i in range(5)
        ]
    )
    return {"assumptions": assumptions, "sources": sources, "defaults": defaults}

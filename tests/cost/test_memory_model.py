"""Memory: states by ZeRO stage, activations by recomputation, published peaks."""

import csv
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcsim import catalogue
from dcsim.cost.parameters import shipped_fit
from dcsim.cost.row_estimates import estimate_rows
from dcsim.cost.training import TrainingEstimates, estimate_with
from dcsim.records import Tiers
from dcsim.records.profile import TrainingFit
from dcsim.workload.layouts import Layouts
from dcsim.workload.table import TrainingTable


def layout(**given: int) -> Layouts:
    values = {"tp": 1, "pp": 1, "vp": 1, "dp": 8, "cp": 1, "ep": 1, "micro_batch": 1}
    values |= {"recompute": 0, "zero_stage": 1} | given
    columns = {name: np.array([value]) for name, value in values.items()}
    return Layouts(sequence_parallel=columns["tp"] > 1, **columns)


def estimate(model: str = "llama3-8b", software: str = "", **given: int) -> TrainingEstimates:
    layouts = layout(**given)
    count = int(layouts.tp[0] * layouts.pp[0] * layouts.dp[0] * layouts.cp[0])
    tiers = Tiers(
        ("node", "network"),
        np.array([8, max(count, 8)]),
        np.array([450e9, 50e9]),
        np.array([2e-6, 6e-6]),
        np.array([False, False]),
    )
    chip = catalogue.accelerator("H100-SXM")
    card = catalogue.model(model)
    table = TrainingTable.from_layouts(card, chip, tiers, layouts, 256, 8192, "bf16", software)
    return estimate_with(table, TrainingFit())


def memory(**given: int) -> float:
    return float(estimate(**given).memory_bytes[0])


def test_zero_stages_save_more_and_more() -> None:
    sizes = [memory(zero_stage=stage, recompute=2) for stage in (0, 1, 2, 3)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] - sizes[1] == pytest.approx(8.03e9 * 12 * 7 / 8, rel=0.01)


def test_a_single_replica_has_nothing_to_shard() -> None:
    assert memory(dp=1, tp=8, zero_stage=0) == pytest.approx(memory(dp=1, tp=8, zero_stage=1))


def test_recomputation_saves_memory_and_costs_time() -> None:
    rows = [estimate(recompute=code) for code in (0, 1, 2)]
    kept = [float(row.memory_bytes[0]) for row in rows]
    seconds = [float(row.iteration_s[0]) for row in rows]
    assert kept == sorted(kept, reverse=True)
    assert seconds == sorted(seconds)


def test_device_memory_holds_reserved_holds_allocated() -> None:
    row = estimate()
    assert row.memory_bytes[0] < row.memory_reserved_bytes[0] < row.memory_device_bytes[0]
    assert bool(row.fits[0]) == bool(row.memory_device_bytes[0] <= 80 * 2**30)


def test_korthikanti_activations_of_an_unfused_layer() -> None:
    """Equation 2: s·b·h·(10 + 24/t + 5·a·s/(h·t)) a layer, without sequence parallelism."""
    few, many = (
        estimate(model="gpt-22b", software="megatron-2021", micro_batch=b, dp=1, tp=8)
        for b in (1, 2)
    )
    s, h, a, layers, t = 8192, 6144, 64, 48, 8
    layer = s * h * (10 / t + 24 / t + 5 * a * s / (h * t))
    logits = 8 * s * 51200 / t
    difference = float(many.memory_bytes[0] - few.memory_bytes[0])
    assert difference == pytest.approx(layers * layer + logits, rel=0.02)


def test_interleaving_and_more_micro_batches_hold_more() -> None:
    plain = memory(model="llama3-70b", tp=4, pp=8, dp=2)
    assert memory(model="llama3-70b", tp=4, pp=8, dp=2, vp=2) > plain
    assert memory(model="llama3-70b", tp=4, pp=8, dp=2, micro_batch=2) > plain


@pytest.fixture(scope="module")
def published() -> list[dict[str, str]]:
    folder = os.environ.get("DCSIM_TRUTH")
    if not folder:
        pytest.skip("DCSIM_TRUTH is not set")
    with (Path(folder) / "training_memory.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_published_peaks_of_quality_a(published: list[dict[str, str]]) -> None:
    columns = {
        "allocated": "memory_bytes",
        "reserved": "memory_reserved_bytes",
        "max": "memory_device_bytes",
    }
    estimates = estimate_rows(published, shipped_fit())
    errors = [
        out[columns[row["memory_kind"]]] / 2**30 / float(row["peak_memory_gib"]) - 1
        for row, out in zip(published, estimates.rows, strict=True)
        if row["memory_kind"] in columns and row["quality"] == "A"
    ]
    assert np.median(np.abs(errors)) <= 0.15


def test_runs_that_completed_are_called_possible(published: list[dict[str, str]]) -> None:
    estimates = estimate_rows(published, shipped_fit())
    rows = [
        out["fits"]
        for row, out in zip(published, estimates.rows, strict=True)
        if row["memory_kind"] == "fits"
    ]
    assert np.mean(rows) >= 0.93


def test_a_layout_is_never_helped_by_less_memory() -> None:
    layouts = layout()
    chip = catalogue.accelerator("H100-SXM")
    small = replace(chip, memory_bytes=chip.memory_bytes / 2)
    tiers = Tiers(("n",), np.array([8]), np.array([4e11]), np.array([2e-6]), np.array([False]))
    card = catalogue.model("llama3-8b")
    fits = [
        bool(
            estimate_with(
                TrainingTable.from_layouts(card, c, tiers, layouts, 8, 8192, "bf16"), TrainingFit()
            ).fits[0]
        )
        for c in (chip, small)
    ]
    assert fits[0] >= fits[1]

"""What must hold for any parameters: monotonicity, limits, intervals, explanation."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim import catalogue
from dcsim.cost.explain import explain_training
from dcsim.cost.parameters import shipped_fit
from dcsim.cost.training import PARTS, estimate_training, estimate_with
from dcsim.records import InputError, Tiers
from dcsim.workload.layouts import enumerate_layouts
from dcsim.workload.table import TrainingTable


def table(chip: str = "H100-SXM", software: str = "", precision: str = "bf16") -> TrainingTable:
    model = catalogue.model("llama3-70b")
    layouts = enumerate_layouts(model, 64, 8, 256, micro_batches=(1, 2))
    tiers = Tiers(
        ("node", "network"),
        np.array([8, 64]),
        np.array([450e9, 50e9]),
        np.array([2e-6, 6e-6]),
        np.array([True, False]),
    )
    accelerator = catalogue.accelerator(chip)
    return TrainingTable.from_layouts(
        model, accelerator, tiers, layouts, 256, 8192, precision, software
    )


BASE = table()
BASE_S = estimate_with(BASE, shipped_fit()).iteration_s


@settings(max_examples=20, deadline=None)
@given(
    field=st.sampled_from(["peak_flops", "memory_bytes_per_s", "tier_bytes_per_s"]),
    factor=st.floats(1.0, 8.0),
)
def test_faster_hardware_is_never_slower(field: str, factor: float) -> None:
    faster = replace(BASE, **{field: getattr(BASE, field) * factor})
    assert (estimate_with(faster, shipped_fit()).iteration_s <= BASE_S * (1 + 1e-9)).all()


@settings(max_examples=10, deadline=None)
@given(factor=st.floats(1.0, 100.0))
def test_higher_latency_is_never_faster(factor: float) -> None:
    slower = replace(BASE, tier_latency_s=BASE.tier_latency_s * factor)
    assert (estimate_with(slower, shipped_fit()).iteration_s >= BASE_S * (1 - 1e-9)).all()


def test_a_larger_batch_takes_longer_but_not_in_proportion() -> None:
    double = replace(BASE, global_batch=BASE.global_batch * 2)
    seconds = estimate_with(double, shipped_fit()).iteration_s
    assert (seconds > BASE_S).all()
    assert (seconds <= 2 * BASE_S * (1 + 1e-9)).all()


def test_no_row_beats_the_peak() -> None:
    estimates = estimate_with(BASE, shipped_fit())
    assert ((estimates.hfu > 0) & (estimates.hfu < 1)).all()
    assert (estimates.mfu <= estimates.hfu).all()


def test_unknown_hardware_and_software_widen_the_interval() -> None:
    def width(*arguments: str) -> float:
        estimates = estimate_with(table(*arguments), shipped_fit())
        return float(np.median(estimates.high_s / estimates.low_s))

    known = width("H100-SXM", "megatron-bridge-26.04")
    assert width("MI300X", "megatron-bridge-26.04") > known
    assert width("H100-SXM", "") >= known


def test_no_profile_means_the_shipped_fit() -> None:
    assert (estimate_training(BASE, None).iteration_s == BASE_S).all()


def test_an_explanation_is_a_tree_whose_shares_sum_to_one() -> None:
    row = int(np.argmin(BASE_S))
    tree = explain_training(BASE, row)
    parts = [child for child in tree.inputs if child.share is not None]
    assert tree.value == pytest.approx(float(BASE_S[row]))
    assert [part.name for part in parts] == [name.removesuffix("_s") for name in PARTS]
    assert sum(part.share or 0.0 for part in parts) == pytest.approx(1.0)
    compute = parts[0]
    assert sum(child.value for child in compute.inputs) == pytest.approx(compute.value)
    assert sum(child.share or 0.0 for child in compute.inputs) == pytest.approx(1.0)
    assert len([child for child in tree.inputs if child.unit == "FLOP"]) == 3


def test_names_that_are_not_known_are_refused_with_a_hint() -> None:
    with pytest.raises(InputError, match="did you mean megatron"):
        table(software="megatronn")
    with pytest.raises(InputError, match="precision must be one of"):
        table(precision="int7")

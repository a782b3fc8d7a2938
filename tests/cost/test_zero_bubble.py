"""Zero-bubble schedules against the closed forms of Qi et al. 2023 (arXiv 2401.10241)."""

from dataclasses import replace

import numpy as np
import pytest

from dcsim import catalogue
from dcsim.cost.layer import HeadTime, LayerTime
from dcsim.cost.parameters import Values
from dcsim.cost.pipeline import DEFERRED, pipeline_time
from dcsim.cost.rates import rates_of
from dcsim.cost.row_estimates import estimate_rows
from dcsim.cost.shapes import shapes_of
from dcsim.cost.training import PARTS, estimate_training
from dcsim.records import InputError, Tiers
from dcsim.records.profile import TrainingFit
from dcsim.workload.layouts import enumerate_layouts
from dcsim.workload.table import SCHEDULES, TrainingTable

MODEL = catalogue.model("gpt-22b")
TIERS = Tiers(
    ("node", "network"),
    np.array([8, 64]),
    np.array([450e9, 50e9]),
    np.array([2e-6, 6e-6]),
    np.array([True, False]),
)


def _table(schedule: str) -> TrainingTable:
    layouts = enumerate_layouts(MODEL, 64, 8, 64, micro_batches=(1,), recomputes=("none",))
    chip = catalogue.accelerator("H100-SXM")
    return TrainingTable.from_layouts(MODEL, chip, TIERS, layouts, 64, 2048, "bf16", "", schedule)


@pytest.mark.parametrize(
    ("schedule", "bubble_in_forwards"), [("1f1b", 3.0), ("zb-h1", 1.0), ("zb-h2", 0.0)]
)
def test_bubble_of_equal_passes(schedule: str, bubble_in_forwards: float) -> None:
    """With F = B = W one stage waits 3, 1 and 0 forward passes for each stage before it."""
    table = _table(schedule)
    shapes = shapes_of(table, np.zeros(1, dtype=bool))
    rates = rates_of(table, Values(table, {"pp.bubble": 1.0, "host.sharpness": 8.0}))
    forward, zero = np.full(1, 1e-3), np.zeros(1)
    layer = LayerTime(3.0 * forward, zero, zero, zero, zero, forward, forward)
    head = HeadTime(zero, zero, zero, zero)
    deferred = np.asarray(DEFERRED)[table.schedule]
    layers = table.layers.astype(float)
    time = pipeline_time(shapes, layers, layer, zero, head, zero, deferred, rates)
    even = np.mod(layers, shapes.pp * shapes.vp) == 0
    expected = bubble_in_forwards * (shapes.pp - 1.0) / shapes.vp * layers / shapes.pp * 1e-3
    assert even.sum() > 50
    assert time.bubble_s[even] == pytest.approx(expected[even], abs=1e-12)


def test_less_bubble_and_more_memory() -> None:
    plain, first, second = (estimate_training(_table(name)) for name in SCHEDULES)
    piped = _table("1f1b").layouts.pp > 1
    for slower, faster in ((plain, first), (first, second)):
        assert (faster.pp_bubble_s[piped] <= slower.pp_bubble_s[piped]).all()
        assert (faster.pp_bubble_s[~piped] == slower.pp_bubble_s[~piped]).all()
    assert (first.pp_bubble_s[piped] < plain.pp_bubble_s[piped]).any()
    assert (first.memory_bytes == plain.memory_bytes).all()
    assert (second.memory_bytes >= plain.memory_bytes).all()
    assert (second.memory_bytes > plain.memory_bytes).any()
    total = sum(getattr(second, name) for name in PARTS)
    assert total == pytest.approx(second.iteration_s)


def test_a_row_may_name_its_schedule() -> None:
    row = {
        "layers": 32, "hidden": 4096, "heads": 32, "seq_len": 4096, "accelerator": "H100-SXM",
        "n_gpus": 64, "global_batch": 256, "micro_batch": 1, "tp": 2, "pp": 8, "vp": 1,
        "cp": 1, "ep": 1, "recompute": "none", "precision": "bf16", "zero_stage_or_fsdp": "ZeRO-1",
        "software": "megatron-core-2024",
    }  # fmt: skip
    rows = [row, row | {"schedule": "1F1B"}, row | {"schedule": "zb-h1"}, row | {"schedule": "zb"}]
    plain, same, less, refused = estimate_rows(rows, TrainingFit()).rows
    assert plain["predicted_iteration_s"] == same["predicted_iteration_s"]
    assert less["predicted_iteration_s"] < plain["predicted_iteration_s"]
    assert refused["status"] == "refused"
    assert "1f1b, zb-h1, zb-h2" in refused["reason"]


def test_an_unknown_schedule_is_named() -> None:
    with pytest.raises(InputError, match="schedule must be one of"):
        _table("gpipe")


def test_every_schedule_has_its_bubble() -> None:
    assert len(DEFERRED) == len(SCHEDULES)
    table = replace(_table("zb-h2"), schedule=np.array([SCHEDULES.index("zb-h1")]))
    assert estimate_training(table).iteration_s.tobytes() == (
        estimate_training(_table("zb-h1")).iteration_s.tobytes()
    )

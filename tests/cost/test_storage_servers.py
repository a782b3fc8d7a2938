"""Closed forms of redundant storage, against arithmetic and published sizes."""

import csv
import os
from pathlib import Path

import pytest

from dcsim import catalogue
from dcsim.cost.storage_servers import (
    RebuildLimits,
    checkpoint_bytes,
    degraded_read_bytes_per_s,
    durability,
    rebuild_s,
    write_overhead,
    write_s,
)

GIB = 2.0**30
HOUR_S = 3600.0


def test_writing_takes_the_amplified_bytes_over_the_rate_of_all() -> None:
    overhead = write_overhead(8, 2)
    assert overhead == 1.25
    assert write_s(1e12, overhead, 10, 5e9) == pytest.approx(1e12 * 1.25 / 50e9)
    assert write_overhead(1, 2) == 3.0


def test_a_lost_part_is_read_k_times() -> None:
    # One of ten servers lost: a tenth of all parts costs 8 reads on the nine that are left.
    rate = degraded_read_bytes_per_s(1, 10, 8, 1e9)
    assert rate == pytest.approx(9e9 / (0.9 + 0.1 * 8))
    assert degraded_read_bytes_per_s(1, 10, 1, 1e9) == pytest.approx(9e9)


def test_rebuild_times_of_the_textbook() -> None:
    drives = RebuildLimits(1e9, 0.2e9)
    assert rebuild_s(16e12, drives, 100, 1, single=True) / HOUR_S == pytest.approx(22.222, abs=1e-3)
    peers = RebuildLimits(1e9, 0.2e9, restore_bytes_per_s=0.05e9)
    assert rebuild_s(16e12, peers, 100, 1, single=False) / HOUR_S == pytest.approx(0.889, abs=1e-3)


def test_reading_k_parts_can_be_what_limits_a_rebuild() -> None:
    limits = RebuildLimits(1e9, 1e9)
    assert rebuild_s(9e12, limits, 9, 8, single=False) == pytest.approx(9e12 * 8 / 9e9)


@pytest.mark.parametrize(
    ("model", "published_gib"), [("llama3-8b", 105), ("llama3-70b", 912), ("llama3-405b", 5290)]
)
def test_checkpoints_have_the_published_sizes(model: str, published_gib: float) -> None:
    size = float(checkpoint_bytes(catalogue.model(model).published_parameters)) / GIB
    assert size == pytest.approx(published_gib, rel=0.03)


def test_checkpoints_follow_from_the_published_weights() -> None:
    truth = os.environ.get("DCSIM_TRUTH")
    if not truth:
        pytest.skip("DCSIM_TRUTH is not set")
    with (Path(truth) / "storage.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "checkpoint"]
    value = {(row["workload"], row["metric"]): row for row in rows}
    models = [row["workload"] for row in rows if row["metric"] == "checkpoint_size"]
    assert len(models) == 4
    for model in models:
        whole, part = value[model, "checkpoint_size"], value[model, "model_part"]
        published = float(whole["value"]) * (1000.0 if whole["unit"] == "TB" else 1.0)
        parameters = float(part["value"]) * GIB / 2.0
        assert float(checkpoint_bytes(parameters)) / GIB == pytest.approx(published, rel=0.03)


def test_the_largest_published_checkpoint_is_the_whole_of_its_configuration_and_the_weights_again():
    # mlcommons/storage configs/dlio/workload/llama3_1t.yaml; its heads are cut to whole numbers.
    hidden, layers, ffn, vocab, heads, kv_heads, ranks = 25872, 128, 98304, 128256, 192, 32, 1024
    attention = hidden * (2 * hidden + 2 * (hidden // heads) * kv_heads)
    parameters = layers * (attention + 3 * hidden * ffn + 2 * hidden) + 2 * vocab * hidden + hidden
    saved_by_every_rank = ranks * 3 * 5 * hidden * 4
    whole = (float(checkpoint_bytes(parameters)) + saved_by_every_rank) / GIB
    published_optimizer, published_model = 15426, 2571
    assert whole == pytest.approx(published_optimizer, rel=1e-4)
    assert published_model == pytest.approx(whole / 6, rel=1e-4)


def test_more_parity_lasts_longer_and_more_groups_shorter() -> None:
    year = 365.25 * 24 * HOUR_S
    weak = durability(10, 8, 2, 0.01 / year, 24 * HOUR_S)
    assert weak.mean_time_to_loss_s / year == pytest.approx(3.70719e8, rel=1e-5)
    strong = durability(10, 8, 3, 0.01 / year, 24 * HOUR_S)
    assert strong.mean_time_to_loss_s > 1000 * weak.mean_time_to_loss_s
    many = durability(1000, 8, 2, 0.01 / year, 24 * HOUR_S)
    assert many.groups == 100
    assert many.annual_loss_probability == pytest.approx(
        100 * weak.annual_loss_probability, rel=1e-3
    )

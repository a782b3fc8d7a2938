"""Storage-fed training and durability, against arithmetic and published results."""

import csv
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.cost.durability import annual_loss_probability, mean_time_to_loss_s
from dcsim.cost.storage import accelerators_supported, busy_share, samples_per_s, workloads
from dcsim.cost.storage_rows import COLUMNS, estimate_storage_rows
from dcsim.records import InputError

YEAR_S = 365.25 * 86400


def test_slow_storage_is_the_limit_and_fast_storage_is_not() -> None:
    unet = workloads()["unet3d-h100"]
    slow = samples_per_s(unet, 100, 1e9)
    assert slow == pytest.approx(1e9 / unet.bytes_per_sample)
    fast = samples_per_s(unet, 1, 1e15)
    assert fast == pytest.approx(7 / (0.323 * (1 + unet.jitter)))


@given(st.sampled_from(sorted(workloads())), st.floats(1e6, 1e13))
def test_the_supported_number_is_the_last_that_stays_busy(name: str, peak: float) -> None:
    workload = workloads()[name]
    count = accelerators_supported(workload, peak)
    if count:
        assert busy_share(workload, count, peak) >= workload.busy_threshold
    if count < 1_000_000:
        assert busy_share(workload, count + 1, peak) < workload.busy_threshold


def test_rows_keep_their_order_and_refuse_what_is_unknown() -> None:
    rows = [
        {"workload": "unet3d-h100", "n_accelerators": "4", "peak_MiBps": "20000"},
        {"workload": "unet4d", "n_accelerators": "4", "peak_MiBps": "20000"},
        {"workload": "unet3d-h100", "n_accelerators": "4", "peak_MiBps": "", "value": "9"},
    ]
    done = estimate_storage_rows(rows)
    assert [row["status"] for row in done] == ["ok", "refused", "refused"]
    assert [row["row_id"] for row in done] == [1, 2, 3]
    assert tuple(done[0]) == COLUMNS


def test_one_device_lives_as_long_as_itself() -> None:
    assert mean_time_to_loss_s(1, 0, 1e-6, 10.0) == pytest.approx(1e6)


def test_a_mirror_meets_the_textbook_formula() -> None:
    rate, repair = 1e-9, 3600.0
    expected = (3 * rate + 1 / repair) / (2 * rate**2)
    assert mean_time_to_loss_s(2, 1, rate, repair) == pytest.approx(expected, rel=1e-12)
    assert annual_loss_probability(expected, 1, YEAR_S) == pytest.approx(
        YEAR_S / expected, rel=1e-3
    )


def test_more_failures_than_devices_is_refused() -> None:
    with pytest.raises(InputError, match="cannot tolerate"):
        mean_time_to_loss_s(2, 2, 1e-6, 10.0)


def _truth() -> list[dict[str, str]]:
    truth = os.environ.get("DCSIM_TRUTH")
    if not truth:
        pytest.skip("DCSIM_TRUTH is not set")
    with (Path(truth) / "storage.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_durability_equals_the_published_chains() -> None:
    layouts = {
        "replication x2": (2, 1),
        "replication x3": (3, 2),
        "EC 4+2": (6, 2),
        "EC 8+2": (10, 2),
        "EC 8+3": (11, 3),
        "EC 10+4": (14, 4),
        "EC 16+2": (18, 2),
    }
    rows = [r for r in _truth() if r["metric"] == "MTTDL_per_group"]
    assert len(rows) == len(layouts)
    hour_s = 3600.0
    for row in rows:
        devices, tolerated = layouts[row["system"]]
        rate = 0.01 / YEAR_S
        years = mean_time_to_loss_s(devices, tolerated, rate, 24 * hour_s) / YEAR_S
        assert years == pytest.approx(float(row["value"]), rel=3e-6)


def test_published_results_from_the_other_workloads_of_their_system() -> None:
    results: dict[tuple[str, str, str, str], dict[str, float]] = defaultdict(dict)
    for row in _truth():
        if row["kind"] == "mlperf_v1.0":
            key = (row["source"], row["system"], row["workload"], row["n_accelerators"])
            results[key][row["metric"]] = float(row["value"])
    errors = []
    for (_, system, workload, count), measured in results.items():
        others = [
            m["throughput"] for (_, s, w, _), m in results.items() if s == system and w != workload
        ]
        if others:
            row = {"workload": workload, "n_accelerators": count, "peak_MiBps": str(max(others))}
            predicted = estimate_storage_rows([row])[0]["predicted_samples_per_s"]
            errors.append(abs(predicted / measured["samples_per_s"] - 1))
    assert np.median(errors) < 0.12

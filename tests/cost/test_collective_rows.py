"""Rows of collectives: resolving systems, refusing, never reading what was measured."""

import csv
from pathlib import Path

import pytest

from dcsim.cost.collective_fit import from_json, shipped_collective_fit, technology
from dcsim.cost.collective_rows import (
    COLUMNS,
    Unpredictable,
    accelerator_of,
    bus_factor,
    collective_errors,
    estimate_collective_rows,
    resolve,
)

ROW = {
    "system": "8x H100 node",
    "n_gpus": "8",
    "n_nodes": "1",
    "collective": "all_reduce",
    "algo": "auto",
    "bytes": str(2**30),
    "link_GBps_per_gpu": "450 intra",
}


def predict(**changes):
    (answer,) = estimate_collective_rows([{**ROW, **changes}])
    return answer


def test_a_row_is_predicted_with_an_interval():
    answer = predict()
    assert tuple(answer) == COLUMNS
    assert answer["status"] == "ok"
    assert answer["low_us"] < answer["predicted_time_us"] < answer["high_us"]
    factor = bus_factor("all_reduce", 8)
    assert answer["predicted_busbw_GBps"] == pytest.approx(
        factor * 2**30 / answer["predicted_time_us"] / 1e3
    )
    assert answer["algorithm"] == "in-switch"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bytes": ""}, "bytes is empty"),
        ({"bytes": "-4"}, "bytes is empty or no positive"),
        ({"n_gpus": "1"}, "n_gpus"),
        ({"n_gpus": "many"}, "n_gpus"),
        ({"collective": "scan"}, "the collective is none of"),
        ({"system": "mine", "link_GBps_per_gpu": ""}, "neither the system nor a link rate"),
    ],
)
def test_what_cannot_be_told_is_refused_with_the_reason(changes, reason):
    answer = predict(**changes)
    assert answer["status"] == "refused"
    assert reason in answer["reason"]
    assert answer["predicted_time_us"] is None


def test_measurements_and_notes_are_never_read():
    clean = predict()
    dirty = predict(time_us="1", busbw_GBps="2", status="simulator-error", note="9", time_kind="x")
    assert dirty == clean


@pytest.mark.parametrize(
    ("system", "name"),
    [
        ("8x A100 NVLink3", "A100"),
        ("AWS P6-B200 NVLink5 (NCCL 2.27.7)", "B200"),
        ("Azure ND GB200 v6, 4 GPUs one VM", "GB200"),
        ("8x MI300X node", "MI300X"),
        ("8xV100", "V100"),
        ("about 1024x H100", "H100"),
    ],
)
def test_systems_name_their_accelerator(system, name):
    found = accelerator_of(system)
    assert found is not None
    assert found.name.startswith(name)


def test_a_system_without_a_known_name_is_described_by_columns():
    own = {"system": "ours", "link_GBps_per_gpu": "", "n_gpus": "64", "n_nodes": "8"}
    answer = predict(**own, intra_GBps="450", inter_GBps="50")
    assert answer["status"] == "ok"
    slower = predict(**own, intra_GBps="450", inter_GBps="25")
    assert slower["predicted_time_us"] > 1.5 * answer["predicted_time_us"]
    rack = predict(**own, intra_GBps="450", inter_GBps="50", nvlink_domain="64")
    assert rack["predicted_time_us"] < 0.95 * answer["predicted_time_us"]


def test_the_edge_of_a_rack_follows_from_the_domain_alone():
    base = {"system": "GB200", "n_gpus": "72", "n_nodes": "18", "collective": "all_to_all"}
    inside = predict(**base, link_GBps_per_gpu="900 intra / 50 inter", nvlink_domain="72")
    outside = predict(**base, link_GBps_per_gpu="900 intra / 50 inter", nvlink_domain="36")
    assert outside["predicted_time_us"] > 5 * inside["predicted_time_us"]


def test_an_unknown_network_is_guessed_named_and_widens_the_interval():
    known = predict(n_gpus="16", n_nodes="2", link_GBps_per_gpu="450 intra / 50 inter")
    guess = predict(n_gpus="16", n_nodes="2")
    vague = predict(n_gpus="16", n_nodes="2", system="H100-class (type not stated)")
    assert guess["predicted_time_us"] == known["predicted_time_us"]
    assert guess["high_us"] > known["high_us"]
    assert vague["high_us"] > guess["high_us"]
    assert "network of 50 GB/s" in guess["assumptions"]
    assert "network of 50 or 25 or 12.5 GB/s" in vague["assumptions"]


@pytest.mark.parametrize(
    ("algo", "name"),
    [("Ring (NVLS off)", "ring"), ("NVLS", "in-switch"), ("auto (NVLS from 2 MiB)", None)],
)
def test_an_algorithm_that_is_asked_for_is_used(algo, name):
    assert resolve({**ROW, "algo": algo}).algorithm == name


def test_small_payloads_are_bound_by_start_up():
    tiny, small = predict(bytes="1024"), predict(bytes="8192")
    assert small["predicted_time_us"] < 1.2 * tiny["predicted_time_us"]
    assert tiny["algorithm"] == "ring"


def test_the_shipped_fit_reads_back_and_knows_its_technologies():
    fit = shipped_collective_fit()
    assert from_json(fit.to_json()) == fit
    assert technology(fit, "NVLink5 (72-GPU domain)")[1]
    assert technology(fit, "carrier pigeon") == (fit.default, False)
    with pytest.raises(Unpredictable):
        resolve({})


def test_published_sweeps_are_met(truth: Path):
    with (truth / "collectives.csv").open(encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    predicted = estimate_collective_rows(table)
    assert len(predicted) == len(table)
    assert all(
        (row["bytes"] == "") == (p["status"] == "refused")
        for row, p in zip(table, predicted, strict=True)
    )
    figures = {block["block"]: block for block in collective_errors(table, predicted)}
    assert figures["all"]["mean"] < 0.12
    assert figures["1 GiB and above"]["mean"] < 0.06
    assert 0.85 < figures["all"]["coverage90"] <= 1.0

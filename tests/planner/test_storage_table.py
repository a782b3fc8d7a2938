"""The table `storage`: durability by the exact chain, assumed where nothing is said."""

import csv
from pathlib import Path

import pytest

from dcsim.cost.durability import mean_time_to_loss_s
from dcsim.cost.storage_servers import YEAR_S
from dcsim.planner.storage_table import storage_rows
from dcsim.simulation.spec import StorageSpec, UpkeepSpec

DAY_S = 86400.0


def spec(**changes):
    values = {"servers": 20, "read_bytes_per_s": 1e9, "write_bytes_per_s": 1e9}
    values |= {"write_overhead": 1.25, "data_parts": 8, "parity_parts": 2}
    return StorageSpec(**(values | changes))


def by_item(storage):
    return {row["item"]: row for row in storage_rows(storage, None)}


def test_durability_rests_on_a_named_assumption_where_no_failures_are_given():
    rows = by_item(spec())
    lasts = rows["mean time to data loss of a group"]
    exact = mean_time_to_loss_s(10, 2, 0.01 / YEAR_S, DAY_S) / YEAR_S
    assert lasts["value"] == pytest.approx(exact, rel=1e-12)
    assert lasts["value"] == pytest.approx(3.70719e8, rel=2e-6)
    assert "write storage.loss.mttf" in lasts["reason"]
    assert rows["groups"]["value"] == 2
    assert rows["probability of data loss in a year"]["value"] == pytest.approx(2 / exact, rel=1e-6)


def test_durability_follows_from_the_failures_that_are_given():
    upkeep = UpkeepSpec(held_bytes=19e12, failures_per_s=0.1 / YEAR_S, detect_s=600.0)
    rows = by_item(spec(upkeep=upkeep))
    restore_s = 600.0 + 19e12 * 8 / 19e9
    assert rows["time to restore a server"]["value"] == pytest.approx(restore_s)
    exact = mean_time_to_loss_s(10, 2, 0.1 / YEAR_S, restore_s) / YEAR_S
    assert rows["mean time to data loss of a group"]["value"] == pytest.approx(exact, rel=1e-12)
    assert "write storage.loss.mttf" not in rows["probability of data loss in a year"]["reason"]


def test_rates_are_those_of_all_servers():
    rows = by_item(spec())
    assert rows["read"]["value"] == 20e9
    assert rows["write"]["value"] == 16e9
    assert rows["read, one server lost"]["value"] == pytest.approx(19e9 / (1 + 7 / 20))
    assert storage_rows(None, None) == []
    assert "read, one server lost" not in by_item(spec(data_parts=1, parity_parts=0))


def test_the_published_chains_come_out_to_their_last_digit(truth: Path):
    with (truth / "storage.csv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["metric"] == "MTTDL_per_group"]
    assert len(rows) == 7
    for row in rows:
        words = row["system"].split()
        copies = int(words[1][1:]) if words[0] == "replication" else 0
        k, m = (1, copies - 1) if copies else map(int, words[1].split("+"))
        storage = spec(servers=k + m, data_parts=k, parity_parts=m)
        value = by_item(storage)["mean time to data loss of a group"]["value"]
        assert float(f"{value:.6g}") == float(row["value"])

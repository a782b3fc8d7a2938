"""What the storage keys of a scenario mean for the simulated jobs."""

from dataclasses import replace

import pytest

from dcsim import catalogue
from dcsim.planner.tiers import caches, local_saves, origin, snapshot_s, upkeep
from dcsim.scenario import parse_scenario
from dcsim.scenario.resolved import CheckpointPolicy

SCENARIO = """\
name: tiers
cluster:
  nodes: [{name: main, node: hgx-h100, count: 8}]
  storage:
    servers: 12
    cache: all
    prefetch: 4
    origin: 10 GB/s
    metadata_servers: 2
    loss: {mttf: 4 years, servers: [{server: 2, at: 1 d}], fill: 25 %, rate: 100 MB/s}
workload:
  - {name: base, kind: training, model: llama3-8b, tokens: 2e9, dataset: 1e9, global_batch: 64,
     file: 1 MB, shuffle: false}
policies: {checkpoint: {interval: 1 h, sharded: false, local: 10 min, copies: 2}}
"""


@pytest.fixture(scope="module")
def scenario():
    return parse_scenario(SCENARIO)


def test_keys_reach_the_scenario(scenario) -> None:
    storage, work = scenario.cluster.storage, scenario.workload[0]
    assert (storage.cache, storage.prefetch, storage.metadata_servers) == ("all", 4, 2)
    assert (work.dataset_tokens, work.file_bytes, work.shuffle) == (1e9, 1e6, False)
    policy = scenario.policies.checkpoint
    assert (policy.sharded, policy.local_interval_s, policy.local_copies) == (False, 600.0, 2)


def test_lost_servers_hold_what_they_are_filled_with(scenario) -> None:
    storage = scenario.cluster.storage
    kept = upkeep(storage)
    assert kept is not None
    assert kept.held_bytes == pytest.approx(storage.system.server_capacity_bytes / 4)
    assert kept.losses[0].server == 2
    assert kept.losses[0].time_s == 86400.0
    assert kept.failures_per_s == pytest.approx(1.0 / (4 * 365.25 * 86400), rel=1e-2)
    assert kept.rebuild == "declustered"
    assert kept.rebuild_bytes_per_s == 100e6
    assert upkeep(replace(storage, loss=None)) is None


def test_memory_fills_before_drives(scenario) -> None:
    node = catalogue.node("hgx-h100")
    found = caches(scenario.cluster.storage, node)
    assert [cache.name for cache in found] == ["host memory", "drives"]
    assert found[1].bytes_per_node == node.local_storage_bytes
    assert caches(replace(scenario.cluster.storage, cache="none"), node) == ()
    source = origin(scenario.cluster.storage)
    assert source is not None
    assert source.read_bytes_per_s == 10e9


def test_local_saves_take_the_drives_or_the_way_to_the_copy() -> None:
    node = catalogue.node("hgx-h100")
    policy = CheckpointPolicy(3600.0, True, local_interval_s=600.0)
    one = local_saves(policy, node, 8, 400e9, 8e12)
    write = node.local_storage_bytes_per_s * 0.6
    assert one.save_s == pytest.approx(1e12 / write)
    assert one.restore_s == pytest.approx(1e12 / node.local_storage_bytes_per_s)
    far = local_saves(replace(policy, local_copies=2), node, 8, 1e8, 8e12)
    assert far.save_s == pytest.approx(1e12 / 1e8)
    assert local_saves(replace(policy, local_interval_s=None), node, 8, 1e9, 8e12).save_s == 0.0


def test_only_what_is_written_behind_needs_a_snapshot() -> None:
    assert snapshot_s(CheckpointPolicy(None, True), 64, 1e12) == 0.0
    assert snapshot_s(CheckpointPolicy(None, False), 64, 1e12) == pytest.approx(1e12 / (64 * 25e9))

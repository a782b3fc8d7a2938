"""A bill against arithmetic done by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.catalogue.records import NodeType, SiteFacts, StorageSystem
from dcsim.economics import CATEGORIES, Z90, bill, rates
from dcsim.records import Source
from dcsim.scenario.resolved import Money, NodeGroup, Site, Storage
from dcsim.topology import Part, Parts

SOURCE = Source("made up for this test", "assumption")
YEAR_S = 365 * 86400.0

NODE = NodeType(
    name="node",
    accelerator="chip",
    accelerators=8,
    fast_domain=8,
    nic_bytes_per_s=50e9,
    nic_latency_s=2e-6,
    cpu_cores=96,
    host_memory_bytes=2e12,
    local_storage_bytes=3e13,
    local_storage_bytes_per_s=5e10,
    idle_w=2000.0,
    peak_w=10_000.0,
    rack_units=8.0,
    price_usd=300_000.0,
    rent_usd_per_accelerator_hour=3.0,
    rent_low_usd_per_accelerator_hour=2.0,
    rent_high_usd_per_accelerator_hour=12.0,
    source=SOURCE,
    price_source=SOURCE,
)
STORAGE = Storage(
    StorageSystem("disks", "file", 1e10, 5e9, 1e15, 1e6, 1e-4, 500.0, 50_000.0, "2", SOURCE),
    4,
    8,
    2,
)
SITE = Site(SiteFacts("here", 0.4, 0.1, 1.2, SOURCE), None, None, None, 1.2, 0.1, 0.4)
RENT = Money("rent", 5 * YEAR_S, 0.0, SOURCE)
BUY = Money("buy", 5 * YEAR_S, 0.25, SOURCE)
GROUPS = [NodeGroup("main", NODE, 10)]
PARTS = Parts((Part("switch", 4, 100_000.0, 1_500.0), Part("cable", 200, 500.0, 5.0)))
DAY_S = 86400.0


def test_rent_is_accelerator_hours_times_the_rate() -> None:
    amount = bill(rates(GROUPS, PARTS, STORAGE, SITE, RENT), DAY_S, 1.0)
    assert amount.accelerators_usd == pytest.approx(10 * 8 * 24 * 3.0)
    assert amount.network_usd == 0.0
    # Only the four storage servers' energy is paid on top of rent.
    assert amount.energy_usd == pytest.approx(4 * 0.5 * 24 * 1.2 * 0.1)
    assert amount.storage_usd == pytest.approx(4 * 50_000 / (5 * 365))


def test_owned_nodes_are_written_off_and_pay_their_energy() -> None:
    amount = bill(rates(GROUPS, PARTS, STORAGE, SITE, BUY), DAY_S, 1.0)
    depreciation = 10 * 300_000 * 0.75 / (5 * 365)
    assert amount.accelerators_usd == pytest.approx(depreciation)
    assert amount.network_usd == pytest.approx(500_000 * 0.75 / (5 * 365))
    # Busy nodes draw 83 % of their full load; the fabric draws 7 kW.
    kwh = (10 * 8.3 + 7.0 + 4 * 0.5) * 24 * 1.2
    assert amount.energy_kwh == pytest.approx(kwh)
    assert amount.energy_usd == pytest.approx(kwh * 0.1)
    assert amount.carbon_kg == pytest.approx(kwh * 0.4)


def test_an_idle_cluster_draws_its_idle_power() -> None:
    amount = bill(rates(GROUPS, PARTS, STORAGE, SITE, BUY), 3600.0, 0.0)
    assert amount.energy_kwh == pytest.approx((10 * 2.0 + 7.0 + 4 * 0.5) * 1.2)


def test_the_price_scores_read_the_range() -> None:
    cluster = rates(GROUPS, PARTS, STORAGE, SITE, RENT)
    amounts = bill(cluster, 3600.0, 1.0, price_z=np.array([-Z90, 0.0, Z90]))
    assert amounts.accelerators_usd == pytest.approx([160.0, 240.0, 960.0])


@given(
    st.floats(1.0, 1e8),
    st.floats(0.0, 1.0),
    st.sampled_from([RENT, BUY]),
    st.floats(-3, 3),
    st.floats(-3, 3),
)
def test_categories_sum_to_the_total_and_money_follows_time(
    duration: float, active: float, money: Money, price_z: float, power_z: float
) -> None:
    cluster = rates(GROUPS, PARTS, STORAGE, SITE, money)
    once = bill(cluster, duration, active, price_z, power_z)
    twice = bill(cluster, 2 * duration, active, price_z, power_z)
    assert sum(once.usd(c) for c in CATEGORIES) == pytest.approx(once.total_usd)
    assert twice.total_usd == pytest.approx(2 * once.total_usd)
    assert once.energy_kwh >= bill(cluster, duration, 0.0).energy_kwh * (1 - 1e-12)


def test_busy_power_never_lies_below_idle() -> None:
    lazy = replace(NODE, idle_w=9_000.0)
    cluster = rates([NodeGroup("main", lazy, 1)], PARTS, STORAGE, SITE, BUY)
    assert cluster.busy_w.low >= cluster.idle_w

"""Money, energy and carbon of a cluster held for some time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcsim.economics.energy import BUSY_SHARE, carbon_kg, energy_kwh
from dcsim.economics.spread import draw
from dcsim.records import Interval, Source
from dcsim.scenario.resolved import Money, NodeGroup, Site, Storage
from dcsim.topology import Parts

#: The categories of a bill, in the order in which they are shown.
CATEGORIES: tuple[str, ...] = ("accelerators", "storage", "network", "energy")

SECONDS_PER_HOUR = 3600.0

#: Range of a purchase price around the catalogue's, for nodes and their network.
PURCHASE_RANGE = (0.86, 1.15)
PURCHASE_RANGE_SOURCE = Source(
    "8-GPU H100 node capital cost printed as 300,000-350,000 and as 400,000 USD by two "
    "sources of 2025-26: 86 % to 115 % of their middle",
    "mixed",
    "2025-26",
)


@dataclass(frozen=True, slots=True)
class Rates:
    """What one second of a cluster costs and draws.

    Intervals carry the uncertainty of prices and of power. `energy_included` says that
    the price of the accelerators pays for the energy of nodes and network; that of the
    storage is always paid.
    """

    accelerators_usd_per_s: Interval
    network_usd_per_s: Interval
    storage_usd_per_s: float
    idle_w: float
    busy_w: Interval
    network_w: float
    storage_w: float
    energy_included: bool
    pue: float
    tariff_usd_per_kwh: float
    carbon_kg_per_kwh: float


@dataclass(frozen=True, slots=True)
class Bill:
    """Money by category, energy at the meter and carbon; arrays of one shape."""

    accelerators_usd: NDArray[np.float64]
    storage_usd: NDArray[np.float64]
    network_usd: NDArray[np.float64]
    energy_usd: NDArray[np.float64]
    energy_kwh: NDArray[np.float64]
    carbon_kg: NDArray[np.float64]

    @property
    def total_usd(self) -> NDArray[np.float64]:
        """The sum of the categories."""
        return self.accelerators_usd + self.storage_usd + self.network_usd + self.energy_usd

    def usd(self, category: str) -> NDArray[np.float64]:
        """The amount of one of `CATEGORIES`."""
        amount: NDArray[np.float64] = getattr(self, f"{category}_usd")
        return amount


def rates(
    groups: Sequence[NodeGroup], parts: Parts, storage: Storage, site: Site, money: Money
) -> Rates:
    """Prices and powers of a cluster of `groups` joined by a fabric of `parts`, with `storage`.

    `rent` pays every accelerator by the hour, network and energy included; `buy` writes
    nodes and network off evenly over the lifetime down to the residual share and pays
    their energy. Storage servers are written off and powered in both cases.
    """
    written_off_per_s = (1.0 - money.residual_share) / money.lifetime_s
    storage_price = storage.servers * storage.system.server_price_usd
    rented = money.terms == "rent"
    peak_w = sum(g.count * g.node.peak_w for g in groups)
    idle_w = sum(g.count * g.node.idle_w for g in groups)
    return Rates(
        accelerators_usd_per_s=_rent(groups) if rented else _purchase(groups, written_off_per_s),
        network_usd_per_s=_around(0.0 if rented else parts.price_usd * written_off_per_s),
        storage_usd_per_s=storage_price * written_off_per_s,
        idle_w=idle_w,
        busy_w=_busy_power(idle_w, peak_w),
        network_w=parts.power_w,
        storage_w=storage.servers * storage.system.server_power_w,
        energy_included=rented,
        pue=site.pue,
        tariff_usd_per_kwh=site.tariff_usd_per_kwh,
        carbon_kg_per_kwh=site.carbon_kg_per_kwh,
    )


def _busy_power(idle_w: float, peak_w: float) -> Interval:
    # A node cannot draw less while it computes than while it idles.
    low, value, high = (
        max(idle_w, share * peak_w) for share in (BUSY_SHARE.low, BUSY_SHARE.value, BUSY_SHARE.high)
    )
    return Interval(value, low, high, "W")


def _rent(groups: Sequence[NodeGroup]) -> Interval:
    counts = [g.count * g.node.accelerators / SECONDS_PER_HOUR for g in groups]
    value, low, high = (
        sum(n * getattr(g.node, field) for n, g in zip(counts, groups, strict=True))
        for field in (
            "rent_usd_per_accelerator_hour",
            "rent_low_usd_per_accelerator_hour",
            "rent_high_usd_per_accelerator_hour",
        )
    )
    return Interval(value, low, high, "USD/s")


def _purchase(groups: Sequence[NodeGroup], written_off_per_s: float) -> Interval:
    return _around(sum(g.count * g.node.price_usd for g in groups) * written_off_per_s)


def _around(price: float) -> Interval:
    low, high = PURCHASE_RANGE
    return Interval(price, low * price, high * price, "USD/s")


def bill(
    cluster: Rates,
    duration_s: ArrayLike,
    active: ArrayLike,
    price_z: ArrayLike = 0.0,
    power_z: ArrayLike = 0.0,
) -> Bill:
    """The bill for holding a cluster `duration_s` seconds.

    `active` is the mean activity of its accelerators (`energy.activity`); `price_z` and
    `power_z` are standard normal scores at which the price and power intervals are
    read (0 is the median). Arrays broadcast against each other.
    """
    duration, active, price_z, power_z = np.broadcast_arrays(
        np.asarray(duration_s, dtype=float), active, price_z, power_z
    )
    busy_w = draw(cluster.busy_w, power_z)
    nodes_w = cluster.idle_w + active * (busy_w - cluster.idle_w)
    included = energy_kwh(duration, nodes_w + cluster.network_w, cluster.pue)
    storage = energy_kwh(duration, cluster.storage_w, cluster.pue)
    energy = included + storage
    billed = storage if cluster.energy_included else energy
    return Bill(
        accelerators_usd=duration * draw(cluster.accelerators_usd_per_s, price_z),
        storage_usd=duration * cluster.storage_usd_per_s,
        network_usd=duration * draw(cluster.network_usd_per_s, price_z),
        energy_usd=billed * cluster.tariff_usd_per_kwh,
        energy_kwh=energy,
        carbon_kg=carbon_kg(energy, cluster.carbon_kg_per_kwh),
    )

"""Energy and carbon: watts by what an accelerator does, times hours, PUE and grid.

energy = device-hours x watts x PUE and carbon = energy x grid intensity (Patterson et
al. 2021, arXiv 2104.10350, section 2). A node's power is neither its rating nor constant:
it idles at `idle_w`, and while it trains it draws a share of what it draws under full load.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcsim.records import LEDGER_CLASSES, Interval, Source

JOULES_PER_KWH = 3.6e6

#: Share of its power under full load that a node draws, on average, while it trains.
BUSY_SHARE = Interval(0.83, 0.69, 1.0, "1")
BUSY_SHARE_SOURCE = Source(
    "MLPerf Training v4.0 node power logs, 8 x H100-SXM: 6.8-7.2 kW AC on one node and "
    "5.8-6.4 kW when the job spans 8-9 nodes, over the 8.4 kW of the hottest node in Latif "
    "et al. 2025 (arXiv 2412.08602)",
    "sourced",
    "2024-06",
    note="applied to every node type, which is an assumption for those without measurements",
)

#: Where a class lies between idle (0) and computing (1). Nodes whose accelerators wait
#: were measured at their idle power (2.1-2.3 kW, MLPerf Training v4.0); that
#: communication lies half-way is an assumption.
ACTIVITY: Mapping[str, float] = {
    **dict.fromkeys(LEDGER_CLASSES, 0.0),
    "useful_training": 1.0,
    "recomputing": 1.0,
    "serving_busy": 1.0,
    "exposed_communication": 0.5,
}


def activity(seconds: Mapping[str, ArrayLike]) -> NDArray[np.float64] | float:
    """Mean activity, 0 (idle) to 1 (computing), of accelerator-seconds by ledger class.

    Values may be arrays of one shape; the result has that shape. No time at all is 0.
    Raises ValueError for a class that the ledger does not have.
    """
    unknown = set(seconds) - set(ACTIVITY)
    if unknown:
        raise ValueError(f"not a ledger class: {', '.join(sorted(unknown))}")
    total = sum(np.asarray(s, dtype=float) for s in seconds.values())
    active = sum(ACTIVITY[name] * np.asarray(s, dtype=float) for name, s in seconds.items())
    safe = np.where(np.asarray(total) > 0.0, total, 1.0)
    return np.asarray(active) / safe


def energy_kwh(duration_s: ArrayLike, power_w: ArrayLike, pue: float) -> NDArray[np.float64]:
    """Energy at the meter, kWh: IT power times the site's PUE over `duration_s`."""
    return np.asarray(duration_s, dtype=float) * np.asarray(power_w) * pue / JOULES_PER_KWH


def carbon_kg(energy: ArrayLike, carbon_kg_per_kwh: float) -> NDArray[np.float64]:
    """Operational emissions, kg CO2e, of `energy` kWh; embodied emissions are left out."""
    return np.asarray(energy, dtype=float) * carbon_kg_per_kwh

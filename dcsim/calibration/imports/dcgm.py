"""A CSV of DCGM's fields → power of an accelerator by utilisation.

Columns: `modelName`, `DCGM_FI_DEV_GPU_UTIL` (per cent) and `DCGM_FI_DEV_POWER_USAGE`
(watts), one row a reading, as DCGM exporters name them; others are ignored.
"""

from pathlib import Path

import numpy as np

from dcsim.calibration.imports.nccl import accelerator_of
from dcsim.calibration.imports.text import fault, number, read_table
from dcsim.records.measurements import PowerCurve

MODEL, UTIL, POWER = "modelName", "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_POWER_USAGE"
#: Utilisations that lie nearer together than this tell no line.
LEAST_RANGE = 0.3


def read_dcgm(path: Path) -> PowerCurve:
    """A robust line through the readings; InputError where they tell none."""
    from scipy.stats import theilslopes

    rows, _ = read_table(path, (MODEL, UTIL, POWER))
    models = {row[MODEL] for row in rows}
    if len(models) > 1:
        raise fault(path, f"mixes {', '.join(sorted(models))}; give one file for each model")
    use = np.array([number(path, row, UTIL, "DCGM") for row in rows]) / 100.0
    power = np.array([number(path, row, POWER, "DCGM") for row in rows])
    if use.max() > 1.0:
        raise fault(path, f"{UTIL} is {100 * use.max():g}; it is a share of at most 100 per cent")
    if np.ptp(use) < LEAST_RANGE:
        raise fault(path, "has readings of nearly one utilisation; add idle and busy ones")
    slope, idle, _, _ = theilslopes(power, use)
    if idle <= 0.0 or slope < 0.0:
        raise fault(path, "has less power at more utilisation; check its columns")
    return PowerCurve(
        accelerator=accelerator_of(models.pop()).name,
        idle_w=float(idle),
        busy_w=float(idle + slope),
        spread_w=float(np.std(power - idle - slope * use)),
        readings=len(rows),
        source=f"DCGM readings: {path.name}",
    )

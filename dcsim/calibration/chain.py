"""From a measured step to a simulated run: which figure feeds which."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dcsim.calibration.steps import host_step_time
from dcsim.catalogue.records import Accelerator
from dcsim.records.profile import OperatorParameters, Profile
from dcsim.records.real_run import RealRun

#: The classes whose curves an accelerator's data sheet is combined with.
CURVE_KINDS = ("gemm", "batched_gemm")


def chain(
    profile: Profile, accelerator: Accelerator, runs: Sequence[RealRun] = ()
) -> list[dict[str, Any]]:
    """Rows `stage, item, value, unit, source` from measured steps to the accelerator.

    Stages in order: `measured step` (one row a run), `predicted step` (the same steps by
    the operator curves), `operator curve` (per class of matrix product: overhead, peak,
    bandwidth and the dimensionless knees), `data sheet` (peaks and bandwidth) and
    `accelerator curve` (the data sheet times the curve: the dimension at which a product
    reaches half of its saturated rate, knee × ridge).
    """
    rows: list[dict[str, Any]] = []

    def row(stage: str, item: str, value: float, unit: str, source: str) -> None:
        rows.append(
            {"stage": stage, "item": item, "value": float(value), "unit": unit, "source": source}
        )

    for run in runs:
        if run.step_s:
            origin = "cached measurement" if run.cached else "measured on this machine"
            row("measured step", run.name, float(np.median(run.step_s)), "s", origin)
            predicted = host_step_time(run.operators, profile.host).value
            row("predicted step", run.name, predicted, "s", "operator curves of the profile")
    for operator in _curves(profile):
        source = f"fitted on {profile.host.machine.cpu}"
        row("operator curve", f"{operator.name} overhead", operator.overhead_s, "s", source)
        row("operator curve", f"{operator.name} peak", operator.peak_flops, "FLOP/s", source)
        slowest = operator.bandwidth_bytes_per_s[-1]
        row("operator curve", f"{operator.name} bandwidth", slowest, "B/s", source)
        for axis, knee in zip("mnk", operator.shape_knee, strict=True):
            row("operator curve", f"{operator.name} knee {axis}", knee, "1", source)
    sheet = accelerator.source.text
    for precision, peak in sorted(accelerator.peak_flops.items()):
        row("data sheet", f"{accelerator.name} {precision}", peak, "FLOP/s", sheet)
    bandwidth = accelerator.memory_bytes_per_s
    row("data sheet", f"{accelerator.name} memory", bandwidth, "B/s", sheet)
    rows.extend(_accelerator_curve(profile, accelerator))
    return rows


def _curves(profile: Profile) -> list[OperatorParameters]:
    operators = profile.host.operators
    return [operators[k] for k in sorted(operators) if k.partition(".")[0] in CURVE_KINDS]


def _accelerator_curve(profile: Profile, accelerator: Accelerator) -> list[dict[str, Any]]:
    """Half-rate dimensions of the accelerator, for each axis of a matrix product."""
    peak = accelerator.peak_flops.get("bf16") or max(accelerator.peak_flops.values())
    ridge = peak / accelerator.memory_bytes_per_s
    rows = [
        {
            "stage": "accelerator curve",
            "item": f"{accelerator.name} ridge",
            "value": ridge,
            "unit": "FLOP/B",
            "source": "data sheet: peak / bandwidth",
        }
    ]
    for operator in _curves(profile):
        for axis, knee in zip("mnk", operator.shape_knee, strict=True):
            rows.append(
                {
                    "stage": "accelerator curve",
                    "item": f"{accelerator.name} half-rate {axis} from {operator.name}",
                    "value": knee * ridge,
                    "unit": "elements",
                    "source": "operator curve × data sheet",
                }
            )
    return rows

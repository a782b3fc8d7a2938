"""From a measured step to a simulated run: which figure feeds which."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dcsim.calibration.steps import host_step_time
from dcsim.calibration.transfer import KNEE, product_knee
from dcsim.catalogue.records import Accelerator
from dcsim.records.profile import HostProfile, Profile
from dcsim.records.real_run import RealRun

Row = dict[str, Any]


def chain(profile: Profile, accelerator: Accelerator, runs: Sequence[RealRun] = ()) -> list[Row]:
    """Rows `stage, item, value, unit, source` from measured steps to the accelerator.

    Stages in order: `measured step` (one row a run), `predicted step` (the same steps by
    the operator curves), `operator curve` (per layout of matrix product: overhead, peak,
    bandwidth, and the dimensionless knee), `data sheet` (peaks and bandwidth) and
    `accelerator curve` (the data sheet combined with the curve: the ridge, the knee with
    published runs as the stronger witness, and knee × ridge, the size at which a cubic
    product reaches a quarter of the saturated rate).
    """
    rows = [row for run in runs if run.step_s for row in _step_rows(profile.host, run)]
    rows += _curve_rows(profile.host)
    rows += _sheet_rows(accelerator)
    return rows + _accelerator_rows(profile, accelerator)


def _row(stage: str, item: str, value: float, unit: str, source: str) -> Row:
    return {"stage": stage, "item": item, "value": float(value), "unit": unit, "source": source}


def _step_rows(host: HostProfile, run: RealRun) -> list[Row]:
    origin = "cached measurement" if run.cached else "measured on this machine"
    predicted = host_step_time(run.operators, host).value
    return [
        _row("measured step", run.name, float(np.median(run.step_s)), "s", origin),
        _row("predicted step", run.name, predicted, "s", "operator curves of the profile"),
    ]


def _curve_rows(host: HostProfile) -> list[Row]:
    source = f"fitted on {host.machine.cpu}"
    rows = []
    for name, operator in sorted(host.operators.items()):
        if not name.startswith("gemm."):
            continue
        slowest, knee = operator.bandwidth_bytes_per_s[-1], float(np.mean(operator.shape_knee))
        rows += [
            _row("operator curve", f"{name} overhead", operator.overhead_s, "s", source),
            _row("operator curve", f"{name} peak", operator.peak_flops, "FLOP/s", source),
            _row("operator curve", f"{name} bandwidth", slowest, "B/s", source),
            _row("operator curve", f"{name} knee", knee, "1", source),
        ]
    return rows


def _sheet_rows(accelerator: Accelerator) -> list[Row]:
    sheet, name = accelerator.source.text, accelerator.name
    rows = [
        _row("data sheet", f"{name} {precision}", peak, "FLOP/s", sheet)
        for precision, peak in sorted(accelerator.peak_flops.items())
    ]
    return [
        *rows,
        _row("data sheet", f"{name} memory", accelerator.memory_bytes_per_s, "B/s", sheet),
    ]


def _accelerator_rows(profile: Profile, accelerator: Accelerator) -> list[Row]:
    stage, name = "accelerator curve", accelerator.name
    peak = accelerator.peak_flops.get("bf16") or max(accelerator.peak_flops.values())
    ridge = peak / accelerator.memory_bytes_per_s
    host_knee = product_knee(profile.host)
    knee = profile.training.parameters.get(KNEE, host_knee)
    both = "published runs, moved by the operator curves"
    return [
        _row(stage, f"{name} ridge", ridge, "FLOP/B", "data sheet: peak ÷ bandwidth"),
        _row(stage, "knee of products here", host_knee, "1", "operator curves"),
        _row(stage, "knee of products used", knee, "1", both),
        _row(stage, f"{name} knee × ridge", knee * ridge, "elements", "curve × data sheet"),
    ]

"""Output rows of `dcsim estimate training` for networks that are no decoder transformer."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dcsim.catalogue import accelerator
from dcsim.catalogue.records import Accelerator, ModelCard
from dcsim.cost.networks import NetworkStep, estimate_network
from dcsim.records import InputError, Tiers
from dcsim.records.profile import TrainingFit
from dcsim.workload.networks import network_of
from dcsim.workload.row_fields import positive_of, precision_of, text_of
from dcsim.workload.rows import network_tiers
from dcsim.workload.table import PRECISION_BITS, peak_of, precision_code

#: Samples on each accelerator where a row gives no batch.
DEFAULT_SAMPLES = 32

_NAMES_OF_BITS = {32: "fp32", 16: "16-bit", 8: "8-bit", 4: "4-bit"}


def network_row(
    row: Mapping[str, Any], card: ModelCard, fit: TrainingFit, empty: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """(block, output row) of one data-parallel step; `empty` is the row as refused.

    `tokens` are samples: the output's tokens/s for each accelerator are samples/s.
    """
    try:
        chip = accelerator(text_of(row, "accelerator"))
        precision, _ = precision_of(text_of(row, "precision"))
        count = positive_of(row, "n_gpus") or 1
        batch = positive_of(row, "global_batch")
        step = estimate_network(
            network_of(card),
            chip,
            _tiers(row, chip, count),
            count,
            max(round((batch or DEFAULT_SAMPLES * count) / count), 1),
            precision,
            fit,
        )
        peak = count * peak_of(chip, "bf16" if _has_16_bit(chip) else "fp32")
    except InputError as error:
        return "", dict(empty) | {"reason": error.faults[0].message}
    assumptions = ["data parallel", "no run of this kind in the fit"]
    assumptions += [] if batch else [f"global_batch={DEFAULT_SAMPLES * count}"]
    assumptions += [] if text_of(row, "precision") else [f"precision={precision}"]
    block = f"dense-{_NAMES_OF_BITS[PRECISION_BITS[precision_code(precision)]]}-{chip.name}"
    return block, dict(empty) | _figures(step, count, peak) | {
        "assumptions": "; ".join(assumptions)
    }


def _has_16_bit(chip: Accelerator) -> bool:
    return bool(chip.peak_flops.get("bf16") or chip.peak_flops.get("fp16"))


def _tiers(row: Mapping[str, Any], chip: Accelerator, count: int) -> Tiers:
    tiers = network_tiers(row, chip, count)
    size, rate, latency, reduces = zip(*tiers, strict=True)
    return Tiers(
        ("domain", "network"),
        np.array(size),
        np.array(rate),
        np.array(latency),
        np.array(reduces),
    )


def _figures(step: NetworkStep, count: int, peak: float) -> dict[str, Any]:
    def timed(value: float) -> float | None:
        return value if step.fits else None

    mfu = 100.0 * step.model_flop / (step.step_s * peak)
    parts = {
        "compute_s": step.products_s + step.traffic_s,
        "tp_s": 0.0,
        "pp_bubble_s": 0.0,
        "dp_s": step.dp_s,
        "ep_s": step.tables_s,
        "cp_s": 0.0,
        "optimizer_s": step.optimizer_s,
        "other_s": step.host_s,
    }
    shares = {
        "matrix products": step.products_s,
        "memory traffic": step.traffic_s,
        "host launches": step.host_s,
        "data-parallel communication": step.dp_s + step.tables_s,
        "optimizer": step.optimizer_s,
    }
    return {
        "status": "ok",
        "reason": "",
        "predicted_iteration_s": timed(step.step_s),
        "low_s": timed(step.low_s),
        "high_s": timed(step.high_s),
        "predicted_tokens_per_s_per_gpu": timed(step.samples_per_s / count),
        "predicted_mfu_pct": timed(mfu),
        "predicted_hfu_pct": timed(mfu),
        "memory_bytes": step.memory_bytes,
        "memory_reserved_bytes": step.reserved_bytes,
        "memory_device_bytes": step.device_bytes,
        "fits": step.fits,
        **{name: timed(value) for name, value in parts.items()},
        "bottleneck": max(shares, key=lambda name: shares[name]) if step.fits else "memory",
    }

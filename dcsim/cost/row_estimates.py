"""Predictions for rows of a file of runs: one output row each, and errors by block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.catalogue.records import ModelCard
from dcsim.cost.intervals import half_width
from dcsim.cost.network_rows import network_row
from dcsim.cost.training import BOTTLENECKS, PARTS, TrainingEstimates, estimate_with
from dcsim.records import InputError
from dcsim.records.profile import TrainingFit
from dcsim.workload.row_models import named_model, with_shape
from dcsim.workload.rows import TrainingRows, read_rows
from dcsim.workload.table import PRECISION_BITS

Floats = NDArray[np.float64]

#: The columns of `dcsim estimate training`, in order.
COLUMNS: tuple[str, ...] = (
    "row_id",
    "status",
    "reason",
    "predicted_iteration_s",
    "low_s",
    "high_s",
    "predicted_tokens_per_s_per_gpu",
    "predicted_mfu_pct",
    "predicted_hfu_pct",
    "memory_bytes",
    "memory_reserved_bytes",
    "memory_device_bytes",
    "fits",
    *PARTS,
    "bottleneck",
    "software",
    "assumptions",
)

#: Half-width of a normal 90 % interval in standard deviations.
_Z90 = 1.6449

#: How much faster configurations are preferred where a row leaves some open: a weight of
#: time to this negative power.
TUNED = 4.0

_NAMES_OF_BITS = {32: "fp32", 16: "16-bit", 8: "8-bit", 4: "4-bit"}


@dataclass(frozen=True, slots=True)
class RowEstimates:
    """`rows` are the output rows (None for an empty field); `blocks` name each row's block."""

    rows: tuple[dict[str, Any], ...]
    blocks: tuple[str, ...]


def estimate_rows(rows: Sequence[Mapping[str, Any]], fit: TrainingFit) -> RowEstimates:
    """Predict every row of `rows` (columns of `training_runs.csv`), in their order.

    A row that gives no shape may name a model of the catalogue or a file (`model`); one that
    is a network of operators gets a plain data-parallel step. A row with empty fields is
    predicted over its plausible configurations that fit in memory: their geometric mean,
    the interval widened by their spread.
    """
    cards, faults = _named_models(rows)
    networks = {i: card for i, card in cards.items() if card.operators}
    shaped = [
        with_shape(row, cards[i]) if i in cards and i not in networks else row
        for i, row in enumerate(rows)
    ]
    estimates = _transformer_rows(shaped, fit)
    if not networks and not faults:
        return estimates
    outputs, blocks = list(estimates.rows), list(estimates.blocks)
    for i, message in faults.items():
        outputs[i] = outputs[i] | {"reason": message}
    for i, card in networks.items():
        blocks[i], outputs[i] = network_row(rows[i], card, fit, outputs[i])
    return RowEstimates(tuple(outputs), tuple(blocks))


def _named_models(
    rows: Sequence[Mapping[str, Any]],
) -> tuple[dict[int, ModelCard], dict[int, str]]:
    """Models of rows that name one instead of a shape, and faults of their files."""
    cards: dict[int, ModelCard] = {}
    faults: dict[int, str] = {}
    for i, row in enumerate(rows):
        try:
            card = named_model(row)
        except InputError as error:
            faults[i] = error.faults[0].message
            continue
        if card is not None and (card.heads or card.operators):
            cards[i] = card
    return cards, faults


def _transformer_rows(rows: Sequence[Mapping[str, Any]], fit: TrainingFit) -> RowEstimates:
    read = read_rows(rows)
    if read.table is None:
        outputs = tuple(_refused(read, i) for i in range(len(rows)))
        return RowEstimates(outputs, ("",) * len(rows))
    estimates = estimate_with(read.table, fit)
    weight = configuration_weights(read, estimates.fits, estimates.iteration_s)
    width = np.broadcast_to(half_width(read.table, fit), (read.table.count,))
    combined = _combined(read, estimates, weight, width)
    outputs = tuple(
        _refused(read, i) if reason else _output(read, combined, i)
        for i, reason in enumerate(read.reasons)
    )
    return RowEstimates(outputs, _blocks(read))


def configuration_weights(
    read: TrainingRows, fits: NDArray[np.bool_], iteration_s: Floats
) -> Floats:
    """Weight of each configuration within its row.

    Configurations that do not fit in memory count nothing (where none fits they all
    count, so that the memory figure stays meaningful); of the others the faster weigh
    more, because what people run and publish was tuned.
    """
    rows = len(read.row_ids)
    some = np.bincount(read.owner, fits, minlength=rows) > 0
    kept = np.where(some[read.owner], fits, True)
    best = np.full(rows, np.inf)
    np.minimum.at(best, read.owner, np.where(kept, iteration_s, np.inf))
    chance = np.where(kept, (best[read.owner] / iteration_s) ** TUNED, 0.0)
    total = np.bincount(read.owner, chance, minlength=rows)
    return np.asarray(chance / total[read.owner])


def _combined(
    read: TrainingRows, estimates: TrainingEstimates, weight: Floats, width: Floats
) -> dict[str, NDArray]:
    """Figures of each input row, arrays of shape (rows,)."""
    rows, owner = len(read.row_ids), read.owner

    def mean(values: NDArray) -> Floats:
        return np.asarray(np.bincount(owner, values * weight, minlength=rows), dtype=float)

    log_time = np.log(estimates.iteration_s)
    centre = mean(log_time)
    variance = mean((log_time - centre[owner]) ** 2)
    half = np.sqrt(mean(width * width) + _Z90**2 * variance)
    total = np.exp(centre)
    out: dict[str, NDArray] = {
        "total": total,
        "low": total * np.exp(-half),
        "high": total * np.exp(half),
        "fits": np.bincount(owner, estimates.fits, minlength=rows) > 0,
        "tokens": np.exp(mean(np.log(estimates.tokens_per_s_per_gpu))),
        "mfu": np.exp(mean(np.log(estimates.mfu))),
        "hfu": np.exp(mean(np.log(estimates.hfu))),
    }
    for name in ("memory_bytes", "memory_reserved_bytes", "memory_device_bytes"):
        out[name] = mean(getattr(estimates, name))
    parts = np.stack([mean(getattr(estimates, name) / estimates.iteration_s) for name in PARTS])
    for name, share in zip(PARTS, parts / np.maximum(parts.sum(axis=0), 1e-300), strict=True):
        out[name] = share * total
    heaviest = np.zeros(rows, dtype=np.int64)
    heaviest[owner[::-1]] = estimates.bottleneck[::-1]
    out["bottleneck"] = heaviest
    return out


def _output(read: TrainingRows, figures: Mapping[str, NDArray], row: int) -> dict[str, Any]:
    fits = bool(figures["fits"][row])

    def timed(value: float) -> float | None:
        return float(value) if fits else None

    out: dict[str, Any] = {
        "row_id": read.row_ids[row],
        "status": "ok",
        "reason": "",
        "predicted_iteration_s": timed(figures["total"][row]),
        "low_s": timed(figures["low"][row]),
        "high_s": timed(figures["high"][row]),
        "predicted_tokens_per_s_per_gpu": timed(figures["tokens"][row]),
        "predicted_mfu_pct": timed(100.0 * figures["mfu"][row]),
        "predicted_hfu_pct": timed(100.0 * figures["hfu"][row]),
    }
    for name in ("memory_bytes", "memory_reserved_bytes", "memory_device_bytes"):
        out[name] = float(figures[name][row])
    out["fits"] = fits
    out |= {name: timed(figures[name][row]) for name in PARTS}
    out["bottleneck"] = BOTTLENECKS[int(figures["bottleneck"][row])] if fits else "memory"
    out["software"] = read.software[row]
    out["assumptions"] = "; ".join(read.assumptions[row])
    return out


def _refused(read: TrainingRows, row: int) -> dict[str, Any]:
    out: dict[str, Any] = dict.fromkeys(COLUMNS)
    out |= {"row_id": read.row_ids[row], "status": "refused", "reason": read.reasons[row]}
    return out | {"software": read.software[row], "assumptions": "; ".join(read.assumptions[row])}


def _blocks(read: TrainingRows) -> tuple[str, ...]:
    """(dense | moe)-(width)-accelerator of each input row, '' for a refused one."""
    table = read.table
    if table is None:
        return ("",) * len(read.row_ids)
    out = [""] * len(read.row_ids)
    for configuration in range(table.count - 1, -1, -1):
        kind = "moe" if table.experts[configuration] else "dense"
        bits = _NAMES_OF_BITS[PRECISION_BITS[int(table.precision[configuration])]]
        chip = table.accelerator_names[int(table.accelerator[configuration])]
        out[int(read.owner[configuration])] = f"{kind}-{bits}-{chip}"
    return tuple(out)


def errors_by_block(
    estimates: RowEstimates, measured_s: Sequence[float | None]
) -> list[dict[str, Any]]:
    """Error figures over all rows and by block, as fractions.

    error = predicted / measured − 1; bias is its mean, median and p90 are of its size;
    `n_missing` counts measured rows without a predicted time.
    """
    names = ["all", *sorted({b for b in estimates.blocks if b})]
    out = []
    for name in names:
        rows = [
            (row, measured)
            for row, block, measured in zip(
                estimates.rows, estimates.blocks, measured_s, strict=True
            )
            if measured is not None and name in ("all", block)
        ]
        if rows:
            out.append({"block": name} | _figures(rows))
    return out


def _figures(rows: Sequence[tuple[dict[str, Any], float]]) -> dict[str, Any]:
    known = [(r, m) for r, m in rows if r["predicted_iteration_s"] is not None]
    figures: dict[str, Any] = {"n": len(known), "n_missing": len(rows) - len(known)}
    if not known:
        return figures | dict.fromkeys(("median", "p90", "bias", "coverage90"))
    error = np.array([r["predicted_iteration_s"] / m - 1.0 for r, m in known])
    inside = [r["low_s"] <= m <= r["high_s"] for r, m in known]
    return figures | {
        "median": float(np.median(np.abs(error))),
        "p90": float(np.quantile(np.abs(error), 0.9)),
        "bias": float(np.mean(error)),
        "coverage90": float(np.mean(inside)),
    }

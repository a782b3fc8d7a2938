"""Cross-validated accuracy of the training-step model on published runs.

    python benchmarks/accuracy.py [--only NAME ...] [--json FILE]

Every figure is for runs that the parameters were not fitted to; the protocol is that of
docs/decisions/training-accuracy.md. Takes some minutes on one core.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dcsim.calibration.build_training_fit import published_rows
from dcsim.calibration.training_fit import Runs, fit_parameters, runs_of
from dcsim.calibration.training_validation import folds_by, held_out, removed_blocks, summary
from dcsim.cost.intervals import half_width
from dcsim.cost.parameters import generation_of, shipped_fit

SMALL = "vtrain"


class Bench:
    """The published runs with their labels and the fit to all of them as a start."""

    def __init__(self) -> None:
        self.rows = published_rows()
        by_id = {row["row_id"]: row for row in self.rows}
        self.runs: Runs = runs_of(self.rows)
        self.row = [by_id[row_id] for row_id in self.runs.row_ids.tolist()]
        self.small = self.runs.group == SMALL
        self.scored = np.array([row["quality"] in "AB" for row in self.row])
        self.chip = self.runs.accelerators()
        self.start = fit_parameters(self.runs, tolerance=1e-3)

    def errors(self, log_s: np.ndarray) -> np.ndarray:
        return np.exp(log_s) / self.runs.measured_s - 1.0

    def out(self, folds: list[np.ndarray]) -> np.ndarray:
        return self.errors(held_out(self.runs, folds, self.start, progress=_progress))


def _progress(done: int, total: int) -> None:
    end = "\n" if done == total else ""
    print(f"\r  held out {done}/{total}", end=end, file=sys.stderr, flush=True)


def show(name: str, errors: np.ndarray, bar: str = "") -> dict[str, float]:
    figures = summary(errors[np.isfinite(errors)])
    print(
        f"{name:44s} n {figures['n']:4d}  median {100 * figures['median']:5.1f} %  "
        f"P90 {100 * figures['p90']:5.1f} %  bias {100 * figures['bias']:+5.1f} %  {bar}"
    )
    return figures


def group_out(bench: Bench) -> dict[str, object]:
    """Whole groups held out; groups that take an accelerator or a precision with them apart."""
    folds = folds_by(bench.runs.group)
    errors = bench.out(folds)
    apart = removed_blocks(bench.runs, folds)
    large = ~bench.small & bench.scored
    main = large & ~apart
    figures: dict[str, object] = {"rows": show("group out, large", errors[main], "bar 6.5 / 24")}
    groups = np.unique(bench.runs.group[main])
    medians = [np.median(np.abs(errors[main & (bench.runs.group == g)])) for g in groups]
    figures["median_over_groups"] = float(np.median(medians))
    print(f"{'  median over groups':44s} {100 * np.median(medians):.1f} %  bar 9")
    figures["apart"] = show("group out, block removed (apart)", errors[large & apart])
    name = "small jobs held out altogether"
    figures["small"] = show(name, errors[bench.small], "bar 17 / 35")
    figures["coverage"] = coverage(bench, errors)
    figures["rank"] = ranks(bench, errors)
    return figures


def accelerator_out(bench: Bench) -> dict[str, object]:
    rows = ~bench.small & bench.scored
    return {"rows": show("accelerator out", bench.out(folds_by(bench.chip))[rows], "bar 6 / 27")}


def generation_out(bench: Bench) -> dict[str, object]:
    generations = np.array([generation_of(name) for name in bench.chip.tolist()])
    errors = bench.out(folds_by(generations))
    rows = ~bench.small & bench.scored
    figures: dict[str, object] = {
        "rows": show("chip generation out", errors[rows], "bar 16"),
    }
    for name in np.unique(generations):
        figures[str(name)] = show(f"  {name}", errors[rows & (generations == name)])
    return figures


def classic(bench: Bench) -> dict[str, object]:
    """Korthikanti Table 5 and SC21 Table 1, held out together."""
    fold = np.isin(bench.runs.group, ["korthikanti", "sc21"])
    return {
        "rows": show("Korthikanti Table 5 and SC21 Table 1", bench.out([fold])[fold], "bar 3.5 / 9")
    }


def small_split(bench: Bench) -> dict[str, object]:
    figures: dict[str, object] = {}
    for column in ("n_gpus", "tp"):
        labels = np.array(
            [
                row[column] if small else ""
                for row, small in zip(bench.row, bench.small, strict=True)
            ]
        )
        errors = bench.out(folds_by(labels))[bench.small]
        figures[column] = show(f"small jobs, split by {column}", errors, "bar 5 / 12")
    return figures


def coverage(bench: Bench, errors: np.ndarray) -> dict[str, object]:
    """Share of held-out runs inside the shipped half-widths, by block of 20 rows or more."""
    runs = bench.runs
    width = np.broadcast_to(half_width(runs.table, shipped_fit()), (runs.table.count,))
    half = np.sqrt(np.bincount(runs.owner, width**2 * runs.weight, minlength=len(runs)))
    inside = np.abs(np.log1p(errors)) <= half
    out: dict[str, object] = {"median_high_over_low": float(np.exp(2 * np.median(half)))}
    print(f"{'90 % intervals, median high/low':44s} {np.exp(2 * np.median(half)):.2f}  bar 1.6")
    blocks = np.array([block_of(row) for row in bench.row])
    for block in ("all", *np.unique(blocks)):
        rows = bench.scored & ~bench.small & ((blocks == block) | (block == "all"))
        if rows.sum() >= 20:
            share = float(np.mean(inside[rows]))
            groups = len(np.unique(runs.group[rows]))
            name = f"  coverage, {block}"
            print(f"{name:44s} n {rows.sum():4d}  {share:.3f}  in {groups} groups")
            out[str(block)] = share
    return out


def block_of(row: dict[str, str]) -> str:
    kind = "moe" if row["moe_experts"] else "dense"
    width = "16-bit" if row["precision"].startswith(("bf16", "fp16")) else "8-bit and below"
    return f"{kind}, {width}"


def ranks(bench: Bench, errors: np.ndarray) -> dict[str, object]:
    """Spearman rank of held-out predictions in sets that vary only the layout."""
    from scipy.stats import spearmanr

    sets = {
        "bloom": np.array([_is_bloom_layout(row) for row in bench.row]),
        "nanotron": np.array([row["source_group"].startswith("nanotron") for row in bench.row]),
    }
    out: dict[str, object] = {}
    for name, rows in sets.items():
        seconds = bench.runs.measured_s[rows]
        batch = np.array([float(row["global_batch"]) for row in bench.row])[rows]
        measured = seconds / batch
        predicted = (1.0 + errors[rows]) * measured
        rho = float(spearmanr(measured, predicted).statistic)
        picked = float(measured[np.argmin(predicted)] / measured.min() - 1.0)
        print(f"{'rank, ' + name:44s} n {rows.sum():4d}  rho {rho:.2f}  pick +{100 * picked:.1f} %")
        out[name] = {"n": int(rows.sum()), "spearman": rho, "pick_excess": picked}
    return out


def _is_bloom_layout(row: dict[str, str]) -> bool:
    shape = (row["layers"], row["hidden"], row["heads"], row["n_gpus"])
    if float(row["global_batch"]) < 2000:
        return False
    return row["source_group"].startswith("bloom") and shape == ("72", "14336", "64", "384")


CHECKS: dict[str, Callable[[Bench], dict[str, object]]] = {
    "group": group_out,
    "classic": classic,
    "small": small_split,
    "accelerator": accelerator_out,
    "generation": generation_out,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=sorted(CHECKS), default=list(CHECKS))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    bench = Bench()
    figures = {name: CHECKS[name](bench) for name in arguments.only}
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""`dcsim estimate storage` held against MLPerf Storage v1.0, submitter by submitter.

    DCSIM_TRUTH=... python benchmarks/storage.py [--fit]

The storage's peak is the best rate that the same system showed on its *other* workloads, so a
row never sees its own result; systems with one workload are left out. The jitter parameters are
fitted without the submitter that is scored. Beside it: one constant utilisation, fitted alike.
`--fit` prints the parameters fitted to all rows, which `data/storage-fit.json` ships.
"""

import argparse
import csv
import json
import os
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from dcsim.cost.storage import MEBIBYTE, StorageWorkload, samples_per_s, workloads

FAMILIES = ("unet3d", "resnet50", "cosmoflow")


@dataclass(frozen=True)
class Score:
    """One published result."""

    system: str
    workload: str
    accelerators: int
    mib_per_s: float
    samples: float

    @property
    def submitter(self) -> str:
        return self.system.split("/")[0]


def published(path: Path) -> list[Score]:
    """The results of `storage.csv`, which holds one row a metric."""
    found: dict[tuple[str, str, str, str], dict[str, float]] = defaultdict(dict)
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["kind"] == "mlperf_v1.0":
                key = (row["source"], row["system"], row["workload"], row["n_accelerators"])
                found[key][row["metric"]] = float(row["value"])
    return [
        Score(system, workload, int(count), m["throughput"], m["samples_per_s"])
        for (_, system, workload, count), m in found.items()
    ]


def with_parameters(workload: StorageWorkload, logs: np.ndarray) -> StorageWorkload:
    family = FAMILIES.index(workload.name.split("-")[0])
    return replace(
        workload, jitter=float(np.exp(logs[family])), jitter_growth=float(np.exp(logs[3]))
    )


def predicted(score: Score, logs: np.ndarray, peak_mib_per_s: float) -> float:
    workload = with_parameters(workloads()[score.workload], logs)
    return float(samples_per_s(workload, score.accelerators, peak_mib_per_s * MEBIBYTE))


def fitted(scores: list[Score]) -> np.ndarray:
    """Logarithms of the three jitters and their growth, by soft-L1 regression."""

    def residuals(logs: np.ndarray) -> list[float]:
        return [float(np.log(predicted(s, logs, 1e12) / s.samples)) for s in scores]

    start = np.log([0.05, 0.05, 0.2, 0.2])
    return least_squares(residuals, start, loss="soft_l1", f_scale=0.02).x


def utilisation(score: Score) -> float:
    w = workloads()[score.workload]
    return score.samples * w.compute_s / (score.accelerators * w.samples_per_batch)


def constant(score: Score, share: float) -> float:
    w = workloads()[score.workload]
    return share * score.accelerators * w.samples_per_batch / w.compute_s


def report(name: str, errors: list[float]) -> None:
    size = np.abs(errors)
    print(
        f"{name:24} rows {len(errors):3}  median {np.median(size):6.1%}  "
        f"P90 {np.percentile(size, 90):6.1%}  bias {np.mean(errors):+6.1%}"
    )


def main() -> None:
    """Print the errors of the model and of the constant-utilisation baseline."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    scores = published(Path(os.environ["DCSIM_TRUTH"]) / "storage.csv")
    if options.fit:
        names = [f"jitter_{family}" for family in FAMILIES] + ["jitter_growth"]
        values = [round(float(x), 4) for x in np.exp(fitted(scores))]
        print(json.dumps(dict(zip(names, values, strict=True))))
    ours, baseline = [], []
    for submitter in sorted({s.submitter for s in scores}):
        others = [s for s in scores if s.submitter != submitter]
        logs = fitted(others)
        share = float(np.median([utilisation(s) for s in others]))
        for score in (s for s in scores if s.submitter == submitter):
            rates = [
                s.mib_per_s
                for s in scores
                if s.system == score.system and s.workload != score.workload
            ]
            if rates:
                ours.append(predicted(score, logs, max(rates)) / score.samples - 1)
                baseline.append(constant(score, share) / score.samples - 1)
    report("dcsim", ours)
    report("constant utilisation", baseline)


if __name__ == "__main__":
    main()

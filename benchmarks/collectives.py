"""Fit the collective model to published sweeps and say how well it predicts systems unseen.

    DCSIM_TRUTH=… python benchmarks/collectives.py [--write FILE.json]

Prints, for each system held out with all its relatives, the mean |error| of its rows by a
fit to the others, then the fit to all. Rows that their source calls defective, or not fit
for calibration, are left out of the fit; the defective ones are shown apart. `--write` saves
the fit to all, with intervals from the held-out errors, as the file that the package ships.
"""

import argparse
import csv
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from dcsim.cost.collective_fit import CollectiveFit, Network, Technology
from dcsim.cost.collective_forms import AUTOMATIC, Load, Shares, Span, StartUp, load, seconds
from dcsim.cost.collective_rows import LARGE_BYTES, Question, resolve

GIB = 2**30

#: Starting point of each parameter and how far, as a factor, the prior lets it move: little
#: where data sheets and NCCL's own tables say much, far for what nobody publishes (how a
#: tree's hops go, a TCP hop). Hops of EFA and TCP are end-to-end latencies from memory.
PRIOR = {
    "NVLink3.ring": (0.79, 1.1),
    "NVLink4.ring": (0.81, 1.1),
    "NVLink5.ring": (0.77, 1.1),
    "xGMI.ring": (0.75, 1.1),
    "NVLink4.in_switch": (0.68, 1.1),
    "NVLink5.in_switch": (0.62, 1.1),
    "net_ring": (0.92, 1.05),
    "net_tree": (0.88, 1.05),
    "base_s": (1e-6, 2.0),
    "hop_s": (2.8e-6, 1.3),
    "chain_hop_s": (3e-6, 2.0),
    "switch_s": (40e-6, 1.3),
    "switch_tree_s": (60e-6, 3.0),
    "small_share": (0.5, 1.5),
    "rdma.hop_s": (4e-6, 1.5),
    "efa1.share": (0.85, 1.2),
    "efa.hop_s": (15e-6, 1.5),
    "tcp.hop_s": (30e-6, 2.0),
}
NAMES = tuple(PRIOR)
CENTRE = np.log([PRIOR[name][0] for name in NAMES])
WIDTH = np.log([PRIOR[name][1] for name in NAMES])
PRIOR_WEIGHT = 0.008
#: Starting points of the search, the first at the centre of the prior.
STARTS = 3
#: Shape of the curve at middle sizes and of the overlap, the same for all systems.
BEND, SWITCH_BEND, OVERLAP = 0.63, 0.7, 8.0
#: Log errors below this are rounding of the sources.
NOISE = 0.03


@dataclass(frozen=True)
class Sweep:
    """Measured rows, resolved, with the ideal load of each algorithm computed once."""

    questions: tuple[Question, ...]
    systems: np.ndarray
    measured_s: np.ndarray
    defect: np.ndarray
    doubtful: np.ndarray
    span: Span
    loads: dict[str, Load]
    allowed: dict[str, np.ndarray]

    def only(self, rows: np.ndarray) -> "Sweep":
        """Some of the rows."""
        loads = {
            name: Load(*(np.asarray(getattr(work, part))[rows] for part in Load.__slots__))
            for name, work in self.loads.items()
        }
        return Sweep(
            tuple(q for q, keep in zip(self.questions, rows, strict=True) if keep),
            self.systems[rows],
            self.measured_s[rows],
            self.defect[rows],
            self.doubtful[rows],
            Span(self.span.members[:, rows], self.span.bytes_per_s[:, rows]),
            loads,
            {name: mask[rows] for name, mask in self.allowed.items()},
        )


def family(system: str) -> str:
    """Systems that are one machine, or parts of it, under several names."""
    for mark, name in (
        ("AWS p4d", "p4d"),
        ("p5en", "p5en"),
        ("same 8 nodes", "8 nodes of H100"),
        ("8 nodes 8x H100", "8 nodes of H100"),
        ("AWS P6-B200", "p6-b200"),
        ("p6-b200", "p6-b200"),
        ("H200 node", "H200 node"),
        ("8x H200", "H200 node"),
    ):
        if mark in system:
            return name
    return system


def read(path: Path) -> Sweep:
    """Rows of the table that were measured and have a size."""
    with path.open(encoding="utf-8") as stream:
        rows = [r for r in csv.DictReader(stream) if r["status"] == "measured" and r["bytes"]]
    questions = tuple(resolve(row) for row in rows)
    ranks = np.array([float(q.ranks) for q in questions])
    span = Span(
        np.array([[float(q.width) for q in questions], ranks]),
        np.array(
            [
                [q.fast_bytes_per_s for q in questions],
                [q.net_bytes_per_s[len(q.net_bytes_per_s) // 2] for q in questions],
            ]
        ),
    )
    loads, allowed = _loads(questions, span)
    return Sweep(
        questions,
        np.array([row["system"] for row in rows]),
        np.array([float(row["time_us"]) * 1e-6 for row in rows]),
        np.array(["defect" in row["note"] for row in rows]),
        np.array(["do not calibrate" in row["note"] for row in rows]),
        span,
        loads,
        allowed,
    )


def _loads(
    questions: Sequence[Question], span: Span
) -> tuple[dict[str, Load], dict[str, np.ndarray]]:
    """For each algorithm the load of every row, and which rows may use it."""
    size = np.array([q.size_bytes for q in questions])
    kinds = np.array([q.kind for q in questions])
    loads, allowed = {}, {}
    for name in ("ring", "tree", "in-switch", "direct"):
        parts = np.zeros((len(Load.__slots__), len(questions)))
        may = np.zeros(len(questions), dtype=bool)
        for kind, names in AUTOMATIC.items():
            if name in names:
                work = load(kind, name, size, span)
                here = kinds == kind
                values = [np.broadcast_to(getattr(work, p), size.shape) for p in Load.__slots__]
                parts[:, here] = np.array(values)[:, here]
                may |= here
        wanted = np.array([q.algorithm in (None, name) for q in questions])
        loads[name] = Load(*parts)
        allowed[name] = may & wanted & ((name != "tree") | (span.domains > 1.0))
    return loads, allowed


def to_fit(point: np.ndarray) -> CollectiveFit:
    """The fit at a point of the logarithmic parameter space."""
    values = dict(zip(NAMES, np.exp(point).tolist(), strict=True))
    kinds = [name.split(".")[0] for name in NAMES if name.endswith(".ring")]
    technologies = {
        kind: Technology(values[f"{kind}.ring"], values.get(f"{kind}.in_switch", 0.0))
        for kind in kinds
    }
    ring = float(np.mean([t.ring for t in technologies.values()]))
    return CollectiveFit(
        technologies=technologies,
        default=Technology(ring, 0.0),
        net_ring=values["net_ring"],
        net_tree=values["net_tree"],
        networks={
            "rdma": Network(1.0, values["rdma.hop_s"]),
            "efa": Network(1.0, values["efa.hop_s"]),
            "efa1": Network(values["efa1.share"], values["efa.hop_s"]),
            "tcp": Network(1.0, values["tcp.hop_s"]),
        },
        start=StartUp(
            values["base_s"],
            values["hop_s"],
            values["chain_hop_s"],
            values["switch_s"],
            values["switch_tree_s"],
            values["small_share"],
            bend=BEND,
            switch_bend=SWITCH_BEND,
            overlap=OVERLAP,
        ),
        error={},
        source="",
    )


def predict(sweep: Sweep, fit: CollectiveFit) -> np.ndarray:
    """Seconds of every row by the fastest algorithm that it allows."""
    of = [
        next(
            (t for name, t in fit.technologies.items() if q.link_type.startswith(name)), fit.default
        )
        for q in sweep.questions
    ]
    nets = [fit.networks[q.network] for q in sweep.questions]
    net_share = np.array([net.share for net in nets])
    shares = Shares(
        np.array([t.ring for t in of]),
        np.array([t.in_switch for t in of]),
        fit.net_ring * net_share,
        fit.net_tree * net_share,
        np.array([net.hop_s for net in nets]),
    )
    times = [
        np.where(sweep.allowed[name], seconds(name, work, sweep.span, shares, fit.start), np.inf)
        for name, work in sweep.loads.items()
    ]
    return np.min(times, axis=0)


def fit_to(sweep: Sweep) -> CollectiveFit:
    """Least absolute log error, every system weighing as the root of its rows."""
    sweep = sweep.only(~sweep.defect & ~sweep.doubtful)
    _, which, counts = np.unique(
        [family(s) for s in sweep.systems], return_inverse=True, return_counts=True
    )
    weight = 1.0 / np.sqrt(counts[which])
    weight /= weight.sum()

    def residuals(point: np.ndarray) -> np.ndarray:
        error = np.log(predict(sweep, to_fit(point)) / sweep.measured_s)
        size = np.sqrt(error**2 + NOISE**2) - NOISE
        prior = np.sqrt(PRIOR_WEIGHT / len(point)) * (point - CENTRE) / WIDTH
        return np.concatenate([np.sign(error) * np.sqrt(weight * size), prior])

    shifts = np.random.default_rng(1).normal(size=(STARTS, len(CENTRE))) * 0.7 * WIDTH
    shifts[0] = 0.0
    found = [least_squares(residuals, CENTRE + shift, max_nfev=60) for shift in shifts]
    point = min(found, key=lambda result: result.cost).x
    return to_fit(point)


def held_out(sweep: Sweep) -> np.ndarray:
    """Prediction of every row by a fit that has not seen its system or a relative."""
    families = np.array([family(s) for s in sweep.systems])
    predicted = np.zeros(len(families))
    for name in np.unique(families):
        out = families == name
        predicted[out] = predict(sweep.only(out), fit_to(sweep.only(~out)))
    return predicted


def intervals(sweep: Sweep, predicted: np.ndarray) -> dict[str, float]:
    """90 % quantile of |log error| on held-out systems by class of rows."""
    error = np.abs(np.log(predicted / sweep.measured_s))[~sweep.defect]
    kept = [q for q, bad in zip(sweep.questions, sweep.defect, strict=True) if not bad]
    large = np.array([q.size_bytes >= LARGE_BYTES for q in kept])
    across = np.array([q.ranks > q.width for q in kept])
    guessed = np.array([q.guessed for q in kept])
    classes = {
        "small-inside": ~large & ~across,
        "large-inside": large & ~across,
        "small-across": ~large & across,
        "large-across": large & across,
    }
    found = {name: float(np.quantile(error[rows], 0.9)) for name, rows in classes.items()}
    return found | {"unknown": max(float(np.quantile(error[guessed], 0.9)), math.log(1.5))}


def report(title: str, sweep: Sweep, predicted: np.ndarray) -> None:
    """Mean |error| by system and over all, at 1 GiB and above beside it."""
    error = np.abs(predicted / sweep.measured_s - 1.0)
    large = np.array([q.size_bytes >= GIB for q in sweep.questions])
    print(f"{title:<56}{'rows':>5}{'mean':>8}{'>=1 GiB':>9}")

    def line(name: str, rows: np.ndarray) -> None:
        big = f"{100 * error[rows & large].mean():7.1f} %" if (rows & large).any() else "-"
        print(f"{name[:55]:<56}{rows.sum():>5}{100 * error[rows].mean():6.1f} %{big:>9}")

    for system in dict.fromkeys(sweep.systems.tolist()):
        rows = sweep.systems == system
        line(system + (" (defect)" if sweep.defect[rows].all() else ""), rows)
    line("all but the defective", ~sweep.defect)
    line("all", np.ones(len(error), dtype=bool))


def main() -> None:
    """Hold out, fit, print and, if asked, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="save the fit to this file")
    arguments = parser.parse_args()
    folder = os.environ.get("DCSIM_TRUTH")
    if not folder:
        parser.error("set DCSIM_TRUTH to the folder of published measurements")
    sweep = read(Path(folder) / "collectives.csv")
    predicted = held_out(sweep)
    report("held out", sweep, predicted)
    fit = fit_to(sweep)
    print()
    report("fit to all", sweep, predict(sweep, fit))
    source = "fitted to the measured rows of published NCCL sweeps (collectives.csv)"
    fit = replace(fit, error=intervals(sweep, predicted), source=source)
    if arguments.write:
        arguments.write.write_text(json.dumps(fit.to_json(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

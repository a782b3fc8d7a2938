"""Layouts a second that the training-step model evaluates, every output column included.

    python benchmarks/speed_estimate.py [--layouts N]

Distinct valid layouts of Llama 3 70B on H100 clusters; one process. Where Calculon is
installed its published rate of about 310 configurations/s is the comparison.
"""

import argparse
import time

import numpy as np

from dcsim import catalogue
from dcsim.cost.parameters import shipped_fit
from dcsim.cost.training import estimate_with
from dcsim.records import Tiers
from dcsim.workload.layouts import enumerate_layouts
from dcsim.workload.table import TrainingTable

CALCULON_PER_S = 310.0
CHUNK = 8192


def tables(wanted: int) -> list[TrainingTable]:
    """Chunks of distinct layouts over cluster sizes until `wanted` rows are there."""
    model, chip = catalogue.model("llama3-70b"), catalogue.accelerator("H100-SXM")
    out: list[TrainingTable] = []
    rows = 0
    batch = 2048
    for nodes in range(8, 1024, 8):
        count = 8 * nodes
        layouts = enumerate_layouts(
            model, count, 8, batch, micro_batches=(1, 2, 3, 4, 6, 8), zero_stages=(0, 1, 2, 3)
        )
        tiers = Tiers(
            ("node", "network"),
            np.array([8, count]),
            np.array([450e9, 50e9]),
            np.array([2e-6, 6e-6]),
            np.array([True, False]),
        )
        table = TrainingTable.from_layouts(model, chip, tiers, layouts, batch, 8192, "bf16")
        out += list(table.chunks(CHUNK))
        rows += len(table)
        if rows >= wanted:
            break
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layouts", type=int, default=200_000)
    chunks = tables(parser.parse_args().layouts)
    fit = shipped_fit()
    estimate_with(chunks[0], fit)
    start = time.perf_counter()
    rows = sum(len(estimate_with(chunk, fit).iteration_s) for chunk in chunks)
    rate = rows / (time.perf_counter() - start)
    print(f"{rows} layouts in {len(chunks)} chunks: {rate:,.0f} layouts/s")
    print(f"{rate / CALCULON_PER_S:,.0f} times Calculon's published rate")


if __name__ == "__main__":
    main()

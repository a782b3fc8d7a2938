"""The log of an NCCL test (`all_reduce_perf` and its like) → what collectives attain.

Format: the standard output of nccl-tests, its `#` lines included: the name of the test
("Collective test starting: all_reduce_perf", or the command line), one `Rank` line for each
process with host and device, and the table, of which size, and the out-of-place time in
microseconds (the sixth column) are read.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcsim import catalogue
from dcsim.calibration.imports.text import fault, read_text
from dcsim.catalogue.records import Accelerator, NodeType
from dcsim.cost.collectives import CollectiveParameters, collective_time
from dcsim.records.errors import InputError
from dcsim.records.measurements import LinkShare

TESTS = {
    "all_reduce_perf": "all_reduce",
    "all_gather_perf": "all_gather",
    "reduce_scatter_perf": "reduce_scatter",
    "alltoall_perf": "all_to_all",
    "sendrecv_perf": "p2p",
}
_RANK = re.compile(r"^#\s+Rank\s+\d+.*\bon\s+(\S+)\s+device\s+\d+\s+\[[^\]]*\]\s+(.+?)\s*$")
_ROW = re.compile(r"^\s*\d+\s+\d+\s+\w+\s+\w+\s+-?\d+\s+[\d.]+\s+[\d.]+\s+[\d.]+")
_MEMORY = re.compile(r"[\s-]*\d+\s*GB.*$|[\s-]*HBM\d\w*.*$")
LEAST_ROWS = 3
START_SHARE, START_STEP_S = 0.8, 6e-6


@dataclass(frozen=True, slots=True)
class Sweep:
    """Seconds of one collective over sizes in bytes, arrays of shape (n,)."""

    kind: str
    ranks: int
    hosts: int
    device: str
    size_bytes: NDArray[np.float64]
    seconds: NDArray[np.float64]


def read_nccl(path: Path) -> LinkShare:
    """The share of the wire and the time of a step that explain the log best.

    Raises InputError where it is no such log, or its device is not in the catalogue.
    """
    sweep = read_sweep(path)
    chip, node = _hardware(path, sweep)
    share, step_s, spread = _fit(sweep, chip, node)
    return LinkShare(
        accelerator=chip.name,
        tier="inside" if sweep.hosts == 1 else "across",
        share=share,
        step_s=step_s,
        spread=spread,
        rows=len(sweep.seconds),
        source=f"NCCL tests, {sweep.kind} on {sweep.ranks} {chip.name}: {path.name}",
    )


def read_sweep(path: Path) -> Sweep:
    """The table and the ranks of a log; InputError where it has none."""
    lines = read_text(path).splitlines()
    kinds = [kind for line in lines for name, kind in TESTS.items() if name in line]
    if not kinds:
        raise fault(path, f"does not name its test; it must be one of {', '.join(TESTS)}")
    ranks = [match.groups() for line in lines if (match := _RANK.match(line))]
    if len(ranks) < 2:
        raise fault(path, "has no # Rank lines of at least two devices; keep the log's head")
    table = [line.split() for line in lines if _ROW.match(line)]
    table = [row for row in table if float(row[0]) > 0.0 and float(row[5]) > 0.0]
    if len(table) < LEAST_ROWS:
        raise fault(path, f"has {len(table)} rows of sizes; at least {LEAST_ROWS} are needed")
    return Sweep(
        kind=kinds[0],
        ranks=len(ranks),
        hosts=len({host for host, _ in ranks}),
        device=ranks[0][1],
        size_bytes=np.array([float(row[0]) for row in table]),
        seconds=np.array([1e-6 * float(row[5]) for row in table]),
    )


def accelerator_of(device: str) -> Accelerator:
    """The catalogue's accelerator of a device name such as `NVIDIA H100 80GB HBM3`."""
    name = device.removeprefix("NVIDIA ").strip()
    for guess in (name, name.replace(" ", "-"), _MEMORY.sub("", name), name.split()[0]):
        try:
            return catalogue.accelerator(guess)
        except InputError:
            continue
    return catalogue.accelerator(device)


def _hardware(path: Path, sweep: Sweep) -> tuple[Accelerator, NodeType]:
    chip = accelerator_of(sweep.device)
    for name in catalogue.names("nodes"):
        node = catalogue.node(name)
        if node.accelerator == chip.name:
            return chip, node
    raise fault(path, f"was made on {chip.name}, of which the catalogue has no node")


def _fit(sweep: Sweep, chip: Accelerator, node: NodeType) -> tuple[float, float, float]:
    from scipy.optimize import least_squares

    across = sweep.hosts > 1
    width = max(sweep.ranks // sweep.hosts, 1) if across else sweep.ranks
    sizes = np.array([[width], [sweep.ranks]], dtype=float)
    rates = np.array([[chip.link_bytes_per_s], [node.nic_bytes_per_s]])
    latencies = np.array([[0.0], [node.nic_latency_s]])
    reduces = np.zeros((2, 1), dtype=bool)

    def predicted(x: NDArray[np.float64]) -> NDArray[np.float64]:
        share, step_s = np.exp(x)
        parameters = CollectiveParameters((START_SHARE if across else share, share), step_s)
        group = (sweep.kind, sweep.size_bytes, sweep.ranks, 1.0)
        return collective_time(*group, sizes, rates, latencies, reduces, parameters)

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log(sweep.seconds / predicted(x))

    start = np.log([START_SHARE, START_STEP_S])
    found = least_squares(residuals, start, loss="soft_l1", f_scale=0.1).x
    share, step_s = np.exp(found)
    return float(share), float(step_s), float(np.std(residuals(found)))

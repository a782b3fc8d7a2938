"""The files that `dcsim replay` writes; each appears whole or not at all."""

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from dcsim.simulation.replay import Replay
from dcsim.simulation.replay.ranked_log import END_REASONS
from dcsim.simulation.replay.sweep import WAIT_REASONS, Sweep
from dcsim.workload.traces.write import csv_field, shortest


def write_jobs(done: Replay, path: Path) -> None:
    """One row for each job that ran, in the trace's order."""
    trace = done.trace
    times = (shortest(column) for column in (trace.submit_s, done.start_s, done.end_s))
    placed = _placements(done.nodes, done.counts, done.offsets, len(trace), done.unit)
    ids = (csv_field(job) for job in trace.job_id)
    columns = zip(ids, *times, _counted(trace.accelerators, done.unit), placed, strict=True)
    rows = (f"{j},{a},{b},{c},{gpus},{nodes}\n" for j, a, b, c, gpus, nodes in columns)
    _write("job_id,submit_s,start_s,end_s,gpus,nodes\n", rows, path)


def write_segments(done: Replay, path: Path) -> None:
    """One row for each uninterrupted stretch of each job."""
    held = done.stretches()
    on_nodes = done.nodes is not None
    placed = _placements(held.nodes if on_nodes else None, held.counts, held.offsets, held.job.size)
    names = done.trace.job_id[held.job]
    columns = zip(
        (csv_field(str(name)) for name in names),
        shortest(held.start_s),
        shortest(held.end_s),
        held.gpus.tolist(),
        placed,
        (END_REASONS[reason] for reason in held.reason.tolist()),
        strict=True,
    )
    rows = (f"{j},{a},{b},{gpus},{nodes},{why}\n" for j, a, b, gpus, nodes, why in columns)
    _write("job_id,start_s,end_s,gpus,nodes,end_reason\n", rows, path)


def write_waits(done: Replay, swept: Sweep, path: Path) -> None:
    """One row for each job: its waits, split by reason."""
    columns = [shortest(swept.waited_s[:, i]) for i in range(len(WAIT_REASONS))]
    ids = (csv_field(str(job)) for job in done.trace.job_id)
    rows = (",".join(row) + "\n" for row in zip(ids, shortest(done.wait_s), *columns, strict=True))
    _write("job_id,wait_s," + ",".join(f"{name}_s" for name in WAIT_REASONS) + "\n", rows, path)


def write_json(document: Any, path: Path) -> None:
    """One JSON document on one line."""
    _write(json.dumps(document, separators=(",", ":")), ["\n"], path)


def _write(head: str, rows: Iterable[str], path: Path) -> None:
    partial = path.with_name(path.name + ".part")
    with partial.open("w", encoding="utf-8", newline="") as file:
        file.write(head)
        file.writelines(rows)
    partial.replace(path)


def _counted(counts: Any, unit: int) -> list[int] | list[str]:
    """Counts in accelerators; parts as fractions."""
    return counts.tolist() if unit == 1 else list(shortest(counts / unit))


def _placements(nodes: Any, counts: Any, offsets: Any, size: int, unit: int = 1) -> Iterator[str]:
    """`index:count` joined by spaces, empty on a pool."""
    if nodes is None or counts is None or offsets is None:
        yield from ("" for _ in range(size))
        return
    pairs = [f"{n}:{c}" for n, c in zip(nodes.tolist(), _counted(counts, unit), strict=True)]
    for begin, end in pairwise(offsets.tolist()):
        yield " ".join(pairs[begin:end])

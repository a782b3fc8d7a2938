"""A window of a replay in the Trace Event Format, for Perfetto or chrome://tracing.

Each node is a process and each of its accelerators a row; a job appears on the lowest free
row of every node that it holds, with what it holds in its arguments. Waits are asynchronous
spans of a process of their own; queue length and busy accelerators are counters. A second of
the trace is a second in the viewer.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from dcsim.records import InputError
from dcsim.simulation.replay.outcome import Replay, Segments
from dcsim.simulation.replay.ranked_log import END_REASONS
from dcsim.simulation.replay.sweep import Sweep

#: More segments than this in one window are refused: no viewer opens them.
MOST_SEGMENTS = 200_000
_QUEUE_PROCESS, _COUNTER_PROCESS = 1_000_000, 1_000_001
_MICROSECONDS = 1e6


def trace_events(done: Replay, swept: Sweep, from_s: float, until_s: float) -> dict[str, Any]:
    """The JSON document; `from_s` to `until_s` on the trace's clock, jobs cut at the edges."""
    held = done.stretches()
    inside = np.flatnonzero((held.end_s > from_s) & (held.start_s < until_s))
    if inside.size > MOST_SEGMENTS:
        raise InputError(
            f"the window holds {inside.size:,} runs of jobs, more than a viewer can show; "
            "choose a shorter one with --window FROM..UNTIL"
        )
    events = list(_runs(done, held, inside, from_s, until_s))
    events += _waits(done, from_s, until_s)
    events += _counters(swept, from_s, until_s)
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _runs(
    done: Replay, held: Segments, inside: np.ndarray, from_s: float, until_s: float
) -> Iterator[dict[str, Any]]:
    pool = done.nodes is None
    free_at: dict[int, list[float]] = {}
    names = {0: "pool"} if pool else {}
    for i in inside[np.argsort(held.start_s[inside], kind="stable")].tolist():
        job = int(held.job[i])
        begin, end = float(held.start_s[i]), float(held.end_s[i])
        placed = range(int(held.offsets[i]), int(held.offsets[i + 1]))
        for k in placed:
            node = 0 if pool else int(held.nodes[k])
            names.setdefault(node, f"node {node}")
            rows = free_at.setdefault(node, [])
            row = next((r for r, at in enumerate(rows) if at <= begin), len(rows))
            if row == len(rows):
                rows.append(end)
            rows[row] = end
            shown = max(begin, from_s)
            yield {
                "name": str(done.trace.job_id[job]),
                "cat": "run",
                "ph": "X",
                "pid": node,
                "tid": row,
                "ts": (shown - from_s) * _MICROSECONDS,
                "dur": (min(end, until_s) - shown) * _MICROSECONDS,
                "args": {
                    "accelerators": int(held.gpus[i]),
                    "here": int(held.counts[k]),
                    "user": str(done.trace.user[job]),
                    "waited_s": float(done.wait_s[job]),
                    "end": END_REASONS[int(held.reason[i])],
                },
            }
    for node, name in sorted(names.items()):
        yield _name(node, name)


def _waits(done: Replay, from_s: float, until_s: float) -> Iterator[dict[str, Any]]:
    """Spans from submission to the first start."""
    trace = done.trace
    waits = (done.start_s > trace.submit_s) & (done.start_s > from_s) & (trace.submit_s < until_s)
    if waits.any():
        yield _name(_QUEUE_PROCESS, "queue")
    for job in np.flatnonzero(waits).tolist():
        common = {
            "name": f"{trace.job_id[job]} waits for {trace.accelerators[job]}",
            "cat": "wait",
            "id": job,
            "pid": _QUEUE_PROCESS,
            "tid": 0,
        }
        begin = max(float(trace.submit_s[job]), from_s)
        end = min(float(done.start_s[job]), until_s)
        yield {**common, "ph": "b", "ts": (begin - from_s) * _MICROSECONDS}
        yield {**common, "ph": "e", "ts": (end - from_s) * _MICROSECONDS}


def _counters(swept: Sweep, from_s: float, until_s: float) -> Iterator[dict[str, Any]]:
    yield _name(_COUNTER_PROCESS, "cluster")
    first = max(0, int(np.searchsorted(swept.time_s, from_s, side="right")) - 1)
    last = int(np.searchsorted(swept.time_s, until_s))
    for i in range(first, last):
        common = {
            "ph": "C",
            "pid": _COUNTER_PROCESS,
            "ts": max(0.0, float(swept.time_s[i]) - from_s) * _MICROSECONDS,
        }
        yield {**common, "name": "jobs waiting", "args": {"jobs": int(swept.queued[i])}}
        yield {**common, "name": "accelerators busy", "args": {"busy": int(swept.busy[i])}}


def _name(process: int, name: str) -> dict[str, Any]:
    return {"name": "process_name", "ph": "M", "pid": process, "args": {"name": name}}

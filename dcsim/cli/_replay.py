"""What `dcsim replay` does, apart from its options, so that `--help` loads nothing heavy."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer

from dcsim.records import InputError
from dcsim.simulation.replay import Replay, audit, replay, summarise
from dcsim.units import format_quantity
from dcsim.workload.traces import read_trace


def run(
    trace: Path,
    policy: str,
    gpus: int | None,
    nodes: str | None,
    cluster: Path | None,
    out: Path | None,
    trace_format: str | None,
    audited: bool,
    as_json: bool,
) -> None:
    """Replay, write the table, print the summary; raises `InputError` on wrong input."""
    n_nodes, per_node, pool = _machine(gpus, nodes, cluster)
    done = replay(read_trace(trace, trace_format), policy, n_nodes, per_node, pool=pool)
    for reason, count in done.trace.dropped.items():
        typer.echo(f"{count:,} dropped: {reason}", err=True)
    if audited:
        faults = audit(done)
        if faults:
            raise RuntimeError("the schedule breaks its own rules: " + "; ".join(faults))
        typer.echo("audit: no rule broken at any event", err=True)
    if out is not None:
        write_jobs(done, out)
    summary = summarise(done)
    typer.echo(json.dumps(summary, indent=2) if as_json else "\n".join(_lines(summary)))


def _machine(gpus: int | None, nodes: str | None, cluster: Path | None) -> tuple[int, int, bool]:
    given = [option for option in (gpus, nodes, cluster) if option is not None]
    if len(given) != 1:
        raise InputError("name the machine once: --gpus N, --nodes NxG or --cluster SCENARIO")
    if gpus is not None:
        if gpus < 1:
            raise InputError(f"--gpus {gpus}: a pool needs at least one accelerator")
        return gpus, 1, True
    if nodes is not None:
        match = re.fullmatch(r"(\d+)[xX](\d+)", nodes.strip())
        if not match or int(match[1]) < 1 or int(match[2]) < 1:
            raise InputError(f'--nodes "{nodes}": write nodes x accelerators each, as in "256x8"')
        return int(match[1]), int(match[2]), False
    return _scenario_machine(Path(cluster or ""))


def _scenario_machine(path: Path) -> tuple[int, int, bool]:
    from dcsim.scenario import load_scenario

    groups = load_scenario(path).cluster.groups
    sizes = {group.node.accelerators for group in groups}
    if len(sizes) != 1:
        raise InputError(
            f"{path}: a replay needs nodes of one size, but the cluster has nodes of "
            f"{' and '.join(map(str, sorted(sizes)))} accelerators; use --nodes NxG"
        )
    return sum(group.count for group in groups), sizes.pop(), False


def write_jobs(done: Replay, path: Path) -> None:
    """Write one row for each job that ran, in the trace's order, atomically."""
    partial = path.with_name(path.name + ".part")
    with partial.open("w", encoding="utf-8", newline="") as file:
        file.write("job_id,submit_s,start_s,end_s,gpus,nodes\n")
        file.writelines(_rows(done))
    partial.replace(path)


def _rows(done: Replay) -> Iterator[str]:
    trace = done.trace
    times = (_shortest(column) for column in (trace.submit_s, done.start_s, done.end_s))
    placements = _placements(done)
    ids = (_csv_field(job) for job in trace.job_id)
    columns = zip(ids, *times, trace.accelerators.tolist(), placements, strict=True)
    for job, submit, start, end, gpus, nodes in columns:
        yield f"{job},{submit},{start},{end},{gpus},{nodes}\n"


def _csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text


def _shortest(column: Any) -> Iterator[str]:
    """The shortest text that reads back exactly; whole numbers without a point."""
    return (repr(int(x)) if x.is_integer() and abs(x) < 2**53 else repr(x) for x in column.tolist())


def _placements(done: Replay) -> Iterator[str]:
    if done.nodes is None or done.counts is None or done.offsets is None:
        yield from ("" for _ in range(len(done.trace)))
        return
    pairs = [f"{n}:{c}" for n, c in zip(done.nodes.tolist(), done.counts.tolist(), strict=True)]
    offsets = done.offsets.tolist()
    for begin, end in pairwise(offsets):
        yield " ".join(pairs[begin:end])


def _lines(summary: Mapping[str, Any]) -> Iterator[str]:
    where = (
        f"{summary['accelerators']:,} accelerators"
        if summary["nodes"] is None
        else f"{summary['nodes']:,} nodes, {summary['accelerators']:,} accelerators"
    )
    yield f" {summary['jobs']:,} jobs under {summary['policy']} on {where}"
    yield ""
    yield f" {'':24}{'jobs':>9}{'mean':>10}{'P50':>10}{'P95':>10}{'max':>10}"
    yield _wait_line("wait, all jobs", summary["wait"])
    for name, statistics in summary["wait_by_size"].items():
        yield _wait_line(f"  {name} accelerators", statistics)
    for name, statistics in summary["wait_by_group"].items():
        yield _wait_line(f"  {name}", statistics)
    if "recorded_wait" in summary:
        yield _wait_line("recorded in the trace", summary["recorded_wait"])
        yield _wait_line("simulated, same jobs", summary["simulated_wait_where_recorded"])
    yield ""
    yield (
        f" utilisation {summary['utilisation']:.1%}, offered load {summary['offered_load']:.2f}, "
        f"makespan {format_quantity(summary['makespan_s'], 'time')}"
    )
    yield (
        f" bounded slowdown {summary['bounded_slowdown_mean']:.3g} mean, "
        f"{summary['bounded_slowdown_p95']:.3g} at P95"
    )
    if summary["unstable_queue"]:
        yield " the queue is unstable: waits grow for as long as jobs arrive"


def _wait_line(label: str, statistics: Mapping[str, float]) -> str:
    times = "".join(
        f"{format_quantity(statistics[key], 'time'):>10}"
        for key in ("mean_s", "p50_s", "p95_s", "max_s")
    )
    return f" {label[:24]:24}{int(statistics['jobs']):>9,}{times}"

"""What `dcsim replay` does, apart from its options, so that `--help` loads nothing heavy."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import typer

from dcsim.cli._replay_files import write_jobs, write_json, write_segments, write_waits
from dcsim.cli._replay_text import summary_lines, why_lines
from dcsim.cli.replay import Request
from dcsim.records import Fault, InputError
from dcsim.simulation.replay import Options, Replay, audit, replay, summarise
from dcsim.simulation.replay.options import parse_quotas, parse_tuning, parse_window
from dcsim.simulation.replay.sweep import Sweep, sweep
from dcsim.units import QuantityError, format_quantity, parse
from dcsim.workload.traces import Trace, prepared, read_trace


def run(request: Request) -> None:
    """Replay, write the tables, print the summary; raises `InputError` on wrong input."""
    machine = _machine(request.gpus, request.nodes, request.cluster)
    options = _options(request)
    _check_fractional(request, pool=machine[2])
    warmup_s = _time(request.warmup, "--warmup")
    trace = _trace(request)
    if request.save_trace is not None:
        from dcsim.workload.traces.write import write_trace

        write_trace(trace, request.save_trace)
    done = _replayed(trace, request, machine, options)
    _report_rows(done)
    if request.audit:
        faults = audit(done)
        if faults:
            raise RuntimeError("the schedule breaks its own rules: " + "; ".join(faults))
        typer.echo("audit: no rule broken at any event", err=True)
    if request.out is not None:
        write_jobs(done, request.out)
        if done.segments is not None:
            write_segments(done, request.out.with_name("segments.csv"))
    swept = None if request.fractional else sweep(done)
    summary = summarise(done, swept, warmup_s=warmup_s)
    summary |= _further(request, trace, machine, options)
    if swept is not None:
        _write_views(request, done, swept, warmup_s)
    lines = list(summary_lines(summary))
    if request.why is not None:
        from dcsim.simulation.replay.why import why

        reason = why(done, request.why)
        summary["why"] = _plain(reason)
        lines = list(why_lines(reason))
    typer.echo(json.dumps(summary, indent=2) if request.as_json else "\n".join(lines))


def _check_fractional(request: Request, *, pool: bool) -> None:
    """Sharing needs nodes, and what looks into a replay over time needs whole accelerators."""
    if not request.fractional:
        return
    if pool:
        raise InputError("--fractional shares the accelerators of nodes; use --nodes NxG")
    whole_only = {
        "--p95-wait": request.p95_wait,
        "--replicas": request.replicas or None,
        "--why": request.why,
        "--waits": request.waits,
        "--trace-events": request.trace_events,
        "--plot": request.plot,
    }
    for option, value in whole_only.items():
        if value is not None:
            raise InputError(f"{option} looks at whole accelerators; drop --fractional")


def _replayed(
    trace: Trace, request: Request, machine: tuple[int, int, bool], options: Options
) -> Replay:
    n_nodes, per_node, pool = machine
    if request.fractional:
        from dcsim.simulation.replay.sharing import replay_sharing

        return replay_sharing(trace, request.policy, n_nodes, per_node, options)
    return replay(trace, request.policy, n_nodes, per_node, pool=pool, options=options)


def _trace(request: Request) -> Trace:
    """The trace as read, or jobs drawn from its shape or from published statistics."""
    if request.generate is None:
        return read_trace(request.trace, request.trace_format)
    from dcsim.workload.traces.generate import fit, generate
    from dcsim.workload.traces.published import published

    if request.trace.suffix in (".yaml", ".yml"):
        shape = published(_statistics(request.trace))
    else:
        shape = fit(read_trace(request.trace, request.trace_format))
    return generate(shape, request.generate, np.random.default_rng(request.seed))


def _statistics(path: Path) -> Mapping[str, Any]:
    import yaml

    if not path.is_file():
        raise InputError(Fault("no such file", file=str(path)))
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(Fault(f"not YAML: {error}", file=str(path))) from None
    if not isinstance(found, dict):
        raise InputError(Fault("published statistics are keys with values", file=str(path)))
    return found


def _options(request: Request) -> Options:
    quota, quota_by = parse_quotas(request.quota)
    windows = [parse_window(text, reserved=False) for text in request.maintenance]
    windows += [parse_window(text, reserved=True) for text in request.reserve]
    return Options(
        placement=request.placement,
        quota=quota,
        quota_by=quota_by,
        windows=tuple(windows),
        restart_s=_time(request.restart_cost, "--restart-cost"),
        tuning=parse_tuning(request.tune),
    )


def _time(text: str, option: str) -> float:
    """Seconds of `5min` or of a plain number of seconds."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parse(text, "time")
        except QuantityError as error:
            raise InputError(f"{option}: {error}") from None
    if not 0 <= seconds < float("inf"):
        raise InputError(f"{option} {text}: a time is not negative")
    return seconds


def _report_rows(done: Replay) -> None:
    for reason, count in done.trace.dropped.items():
        typer.echo(f"{count:,} dropped: {reason}", err=True)
    for reason, count in done.trace.odd.items():
        typer.echo(f"{count:,} odd: {reason}", err=True)


def _further(
    request: Request, trace: Trace, machine: tuple[int, int, bool], options: Options
) -> dict[str, Any]:
    """The search for the fewest nodes and the jittered copies, where asked for."""
    found: dict[str, Any] = {}
    n_nodes, per_node, pool = machine
    if request.p95_wait is not None:
        from dcsim.simulation.replay.search import fewest_nodes

        target_s = _time(request.p95_wait, "--p95-wait")
        least = fewest_nodes(trace, request.policy, per_node, target_s, pool=pool, options=options)
        found["fewest"] = {
            "nodes" if not pool else "accelerators": least.nodes,
            "target_p95_s": target_s,
            "p95_s": least.p95_s,
            "tried": {str(nodes): p95 for nodes, p95 in least.tried.items()},
        }
    if request.replicas:
        from dcsim.simulation.replay.replicas import replicate

        copies = replicate(
            prepared(trace, n_nodes * per_node),
            request.policy,
            n_nodes,
            per_node,
            pool=pool,
            options=options,
            replicas=request.replicas,
            jitter_s=_time(request.jitter, "--jitter"),
            seed=request.seed,
        )
        found["replicas"] = {"count": request.replicas} | {
            name: dict(
                zip(("value", "ci95_low", "ci95_high"), copies.interval(values), strict=True)
            )
            for name, values in (("mean_s", copies.mean_s), ("p95_s", copies.p95_s))
        }
    return found


def _write_views(request: Request, done: Replay, swept: Sweep, warmup_s: float) -> None:
    """The files that show the replay over time."""
    if request.waits is not None:
        write_waits(done, swept, request.waits)
    first, last = float(swept.time_s[0]), float(swept.time_s[-1])
    if request.window is not None:
        parts = request.window.split("..")
        if len(parts) != 2:
            raise InputError(f'--window "{request.window}": write FROM..UNTIL, as in "2d..3d"')
        first, last = (_time(part, "--window") for part in parts)
        if not (first < last and first < swept.time_s[-1] and last > swept.time_s[0]):
            raise InputError(
                f"--window: the replay goes from {format_quantity(swept.time_s[0], 'time')} "
                f"to {format_quantity(swept.time_s[-1], 'time')}"
            )
    if request.trace_events is not None:
        from dcsim.simulation.replay.trace_events import trace_events

        write_json(trace_events(done, swept, first, last), request.trace_events)
    if request.plot is not None:
        from dcsim.cli._replay_plot import write_plot

        write_plot(done, swept, first, last, warmup_s, request.plot)


def _plain(record: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(record)


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

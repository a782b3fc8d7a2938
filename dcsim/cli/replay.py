"""`dcsim replay`: a job trace under a scheduling policy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for, as written."""

    trace: Path
    policy: str
    gpus: int | None
    nodes: str | None
    cluster: Path | None
    trace_format: str | None
    placement: str
    quota: tuple[str, ...]
    maintenance: tuple[str, ...]
    reserve: tuple[str, ...]
    restart_cost: str
    tune: tuple[str, ...]
    fractional: bool
    out: Path | None
    audit: bool
    as_json: bool
    why: str | None
    waits: Path | None
    warmup: str
    p95_wait: str | None
    replicas: int
    jitter: str
    seed: int
    generate: int | None
    save_trace: Path | None
    trace_events: Path | None
    window: str | None
    plot: Path | None


def _texts(help_text: str) -> typer.models.OptionInfo:
    return typer.Option(help=help_text, show_default=False)


def command(
    trace: Annotated[
        Path, typer.Argument(help="Job trace; its format is told by its content (see --format).")
    ],
    policy: Annotated[
        str,
        typer.Option(
            help="fcfs, sjf, firstfit, easy, conservative, priority, fairshare, drf, srtf, las "
            "or elastic; fcfs, sjf, priority, fairshare and drf also +easy or +firstfit; "
            "fcfs, sjf and priority also +preempt."
        ),
    ] = "easy",
    gpus: Annotated[int | None, typer.Option(help="A pool of this many accelerators.")] = None,
    nodes: Annotated[
        str | None, typer.Option(help="Nodes x accelerators each, for instance 256x8.")
    ] = None,
    cluster: Annotated[
        Path | None, typer.Option(help="Take the nodes of this scenario's cluster.")
    ] = None,
    trace_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="generic, swf, sacct, philly, helios, acme, pai or openb; told otherwise.",
        ),
    ] = None,
    placement: Annotated[
        str,
        typer.Option(help="best-fit, pack or spread; with --fractional also fgd."),
    ] = "best-fit",
    quota: Annotated[
        list[str] | None, _texts("user=N or vc=N for each, vc:NAME=N for one; repeatable.")
    ] = None,
    maintenance: Annotated[
        list[str] | None, _texts("Nodes drained and closed, as 0-15@2d..3d; repeatable.")
    ] = None,
    reserve: Annotated[
        list[str] | None, _texts("Nodes kept for a user or vc, as 0-15@2d..3d=ann; repeatable.")
    ] = None,
    restart_cost: Annotated[
        str, typer.Option(help="What a preempted job spends before it goes on, as 5min.")
    ] = "0s",
    tune: Annotated[
        list[str] | None, _texts("KEY=VALUE of fairshare or las, as half-life=7d; repeatable.")
    ] = None,
    fractional: Annotated[
        bool, typer.Option("--fractional", help="Let jobs that ask for a part share accelerators.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write one row a job to this CSV.")] = None,
    audit: Annotated[
        bool, typer.Option("--audit", help="Re-check the schedule at every event.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    why: Annotated[str | None, typer.Option(help="Explain the wait of this job.")] = None,
    waits: Annotated[
        Path | None, typer.Option(help="Write each job's wait by reason to this CSV.")
    ] = None,
    warmup: Annotated[
        str, typer.Option(help="Leave jobs submitted in the first part out of the waits.")
    ] = "0s",
    p95_wait: Annotated[
        str | None, typer.Option(help="Find the fewest nodes for this 95th percentile of waits.")
    ] = None,
    replicas: Annotated[
        int, typer.Option(help="Replay so many jittered copies for confidence intervals.")
    ] = 0,
    jitter: Annotated[str, typer.Option(help="How far a copy moves each submission.")] = "5min",
    seed: Annotated[int, typer.Option(help="Seed of copies and of generated jobs.")] = 1,
    generate: Annotated[
        int | None,
        typer.Option(
            help="Replay so many jobs drawn from the trace's shape instead, or from published "
            "statistics: a YAML file with jobs_per_day, run: {median, mean}, sizes: {1: 80} and, "
            "if known, status, users, estimate_factors, hour_of_day, day_of_week."
        ),
    ] = None,
    save_trace: Annotated[
        Path | None, typer.Option(help="Write the jobs as a generic trace to this CSV.")
    ] = None,
    trace_events: Annotated[
        Path | None, typer.Option(help="Write a trace for Perfetto or chrome://tracing.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="FROM..UNTIL of --trace-events and --plot, as 2d..3d.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw use and queue over time to this SVG.")
    ] = None,
) -> None:
    """Replay a job trace under a policy and say how long jobs wait, and why."""
    from dcsim.cli._replay import run

    run(
        Request(
            trace, policy, gpus, nodes, cluster, trace_format, placement, tuple(quota or ()),
            tuple(maintenance or ()), tuple(reserve or ()), restart_cost, tuple(tune or ()),
            fractional, out, audit, as_json, why, waits, warmup, p95_wait, replicas, jitter,
            seed, generate, save_trace, trace_events, window, plot,
        )
    )  # fmt: skip

"""`dcsim replay`: a job trace under a scheduling policy."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    trace: Annotated[Path, typer.Argument(help="Job trace: generic CSV, SWF, sacct and others.")],
    policy: Annotated[
        str, typer.Option(help="fcfs, sjf, firstfit, easy or conservative.")
    ] = "easy",
    gpus: Annotated[int | None, typer.Option(help="A pool of this many accelerators.")] = None,
    nodes: Annotated[
        str | None, typer.Option(help="Nodes x accelerators each, for instance 256x8.")
    ] = None,
    cluster: Annotated[
        Path | None, typer.Option(help="Take the nodes of this scenario's cluster.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write one row a job to this CSV.")] = None,
    trace_format: Annotated[
        str | None, typer.Option("--format", help="Name the trace's format; told otherwise.")
    ] = None,
    audit: Annotated[
        bool, typer.Option("--audit", help="Re-check the schedule at every event.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Replay a job trace under a policy and say how long jobs wait, and why to worry."""
    from dcsim.cli._replay import run

    run(trace, policy, gpus, nodes, cluster, out, trace_format, audit, as_json)

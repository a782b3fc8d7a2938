"""Traces, and what befalls nodes and who may use them, from a scenario's parts to plain data."""

from dataclasses import replace
from pathlib import Path

from dcsim import catalogue
from dcsim.catalogue.records import FailureRates
from dcsim.records import Fault, InputError
from dcsim.scenario.resolved import NodeWindow, Scheduling, SlowNodes, SpotNodes, TraceWork
from dcsim.scenario.schema import FailuresPart, NodesPart, PoliciesPart, TracePart
from dcsim.workload.traces import read_trace

#: Nodes that share a rack where nothing is said: 32 accelerators of 8-accelerator nodes.
RACK_NODES = 4


def trace_work(part: TracePart, scenario: Path) -> TraceWork:
    """The trace, read from its file beside the scenario; InputError when it cannot be."""
    path = scenario.parent / part.file
    trace = read_trace(path, part.format)
    if not len(trace):
        raise InputError(Fault("no job of the trace can be used", str(path)))
    return TraceWork(
        name=part.name,
        path=path,
        text=path.read_bytes(),
        trace=trace,
        group=part.group,
        checkpoint_interval_s=part.checkpoint,
        resume_s=part.resume or 0.0,
    )


def failure_rates(part: FailuresPart | None, name: str) -> FailureRates | None:
    """The named set with what the scenario changes in it."""
    if name == "none":
        return None
    rates = catalogue.failure_rates(name)
    if part is None:
        return rates
    return replace(
        rates,
        detect_s=rates.detect_s if part.detect is None else part.detect,
        restart_s=rates.restart_s if part.restart is None else part.restart,
        repair_s=rates.repair_s if part.repair is None else part.repair,
        shape=part.shape or 1.0,
        nodes_at_once={together.kind: together.nodes for together in part.together},
    )


def scheduling(part: PoliciesPart, nodes: list[NodesPart]) -> Scheduling:
    """Quotas, windows, spot nodes, lemons and stragglers of the scenario."""
    failures, tuning = part.failures, part.tuning
    slow = failures.stragglers if failures else None
    lemons = failures.lemons if failures else None
    return Scheduling(
        rack_nodes=part.rack or RACK_NODES,
        migrate=bool(part.migrate),
        quotas={quota.owner or "": quota.accelerators for quota in part.quotas},
        quota_by=part.quota_by or "group",
        windows=tuple(
            NodeWindow(w.nodes, w.first, w.last + 1, w.start, w.end, w.owner) for w in part.windows
        ),
        tuning=tuning.model_dump(exclude_none=True) if tuning else {},
        spot={
            group.name: SpotNodes(group.spot.stay, group.spot.notice or 0.0, group.spot.away)
            for group in nodes
            if group.spot is not None
        },
        lemons=(lemons.share, lemons.factor) if lemons else None,
        slow=SlowNodes(
            every_s=slow.every,
            slowdown=slow.slowdown,
            log_spread=slow.spread or 0.0,
            detect_s=600.0 if slow.detect is None else slow.detect,
            repair_s=86400.0 if slow.repair is None else slow.repair,
            evict=slow.evict is not False,
        )
        if slow
        else None,
    )

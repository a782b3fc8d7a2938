"""From a scenario's traces and policies to what the simulation is given."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.scenario.resolved import NodeGroup, Scenario, TraceWork
from dcsim.scheduling.ranking import Tuning
from dcsim.simulation import SpotSpec, Stragglers, TrainingJobSpec, WindowSpec
from dcsim.simulation.spec import Lemons
from dcsim.workload.traces import Trace, prepared

#: Steps that a trace's job is cut into: a power of two, so that run times stay exact.
TRACE_STEPS = 2**20


def traces(scenario: Scenario) -> tuple[TraceWork, ...]:
    """The traces of the workload."""
    return tuple(work for work in scenario.workload if isinstance(work, TraceWork))


def trace_on(work: TraceWork, groups: Sequence[NodeGroup], spares: int) -> tuple[Trace, str]:
    """The jobs that fit the trace's group of nodes, and that group's name."""
    group = next((g for g in groups if g.name == work.group), groups[0])
    return prepared(work.trace, (group.count - spares) * group.node.accelerators), group.name


def trace_jobs(
    work: TraceWork, groups: Sequence[NodeGroup], spares: int, mark: str
) -> tuple[TrainingJobSpec, ...]:
    """One job a row, called by its id after `mark`, or by its row where ids repeat."""
    trace, pool = trace_on(work, groups, spares)
    ids = [str(name) for name in trace.job_id]
    if len(set(ids)) < len(ids):
        ids = [str(row) for row in range(1, len(ids) + 1)]
    first = float(work.trace.submit_s.min())
    return tuple(
        TrainingJobSpec(
            name=f"{work.name}{mark}{ids[i]}",
            accelerators=int(trace.accelerators[i]),
            pool=pool,
            steps=TRACE_STEPS,
            step_s=float(trace.run_s[i]) / TRACE_STEPS,
            submit_s=float(trace.submit_s[i]) - first,
            estimate_s=float(trace.est_s[i]),
            priority=int(trace.priority[i]) if trace.priority is not None else 0,
            checkpoint_interval_s=work.checkpoint_interval_s,
            user=str(trace.user[i]),
            group=str(trace.group[i]),
            least=_limit(trace, trace.least, i, min),
            most=_limit(trace, trace.most, i, max),
            resume_s=work.resume_s,
            work="trace",
        )
        for i in range(len(trace))
    )


def _limit(
    trace: Trace, limits: NDArray[np.int64] | None, row: int, of: Callable[[int, int], int]
) -> int:
    """The least or most that an elastic job takes, what it asks for being within; 0 for none."""
    return 0 if limits is None else of(int(limits[row]), int(trace.accelerators[row]))


def policy_fields(scenario: Scenario) -> dict[str, Any]:
    """The fields of a simulation's spec that policies and circumstances fill."""
    given = scenario.policies.scheduling
    slow = given.slow
    names = {
        "half_life": "half_life_s",
        "full_age": "full_age_s",
        "las_threshold": "las_threshold_s",
    }
    return {
        "quota": dict(given.quotas),
        "quota_by": given.quota_by,
        "windows": tuple(
            WindowSpec(w.group, w.first, w.last, w.start_s, w.end_s, w.owner) for w in given.windows
        ),
        "spot": {
            name: SpotSpec(spot.stay_s, spot.notice_s, spot.away_s)
            for name, spot in given.spot.items()
        },
        "stragglers": Stragglers(
            1.0 / slow.every_s,
            slow.slowdown,
            slow.log_spread,
            slow.detect_s,
            slow.repair_s,
            slow.evict,
        )
        if slow
        else None,
        "lemons": Lemons(*given.lemons) if given.lemons else None,
        "tuning": Tuning(**{names.get(key, key): value for key, value in given.tuning.items()}),
        "rack_nodes": given.rack_nodes,
        "migrate": given.migrate,
    }

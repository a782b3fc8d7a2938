"""All layouts of a job on a cluster, estimated in one sweep, and the best of them."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from dcsim.catalogue import accelerator as find_accelerator
from dcsim.cost.explain import explain_training
from dcsim.cost.flops import parameters
from dcsim.cost.training import BOTTLENECKS, PARTS, TrainingEstimates, estimate_training
from dcsim.planner.space import ClusterOption, accelerator_choices, layouts_for
from dcsim.records import Interval
from dcsim.records.profile import Profile
from dcsim.scenario.resolved import NodeGroup, Scenario, TrainingWork
from dcsim.topology import tiers
from dcsim.workload.layouts import RECOMPUTES, Layouts
from dcsim.workload.table import TrainingTable

#: Rows estimated at a time: their intermediate arrays stay within the cache.
CHUNK = 8192

#: Layouts of one job and cluster that are kept, the fastest first.
KEPT = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to spread a model; `recompute` by name."""

    tp: int
    pp: int
    vp: int
    dp: int
    cp: int
    ep: int
    micro_batch: int
    recompute: str
    zero_stage: int
    sequence_parallel: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One training job in one layout: what a step of it costs.

    `iteration` is in seconds; `parts_s` are its exposed parts by name (`compute`, `tp`,
    …), which sum to its value; memory is per accelerator.
    """

    work: TrainingWork
    group: NodeGroup
    accelerators: int
    layout: Layout
    iteration: Interval
    parts_s: dict[str, float]
    memory_device_bytes: float
    memory_capacity_bytes: float
    fits: bool
    mfu: float
    hfu: float
    model_flops: float
    bottleneck: str
    parameters: float

    @property
    def steps(self) -> int:
        """Iterations until the job has seen its tokens."""
        return int(np.ceil(self.work.tokens / (self.work.global_batch * self.work.seq_len)))


@dataclass(frozen=True, slots=True)
class Screening:
    """What a sweep found: the fastest layouts that fit, and one that does not.

    `misfit` is the layout that memory keeps from winning: the fastest of all, where that
    does not fit; where nothing fits, the one that needs the least memory.
    """

    work: TrainingWork
    group: NodeGroup
    accelerators: int
    layouts: int
    best: tuple[Step, ...]
    misfit: Step | None


def screen(
    work: TrainingWork,
    option: ClusterOption,
    scenario: Scenario,
    profile: Profile,
    spares: int = 0,
    as_given: bool = False,
    keep: int = KEPT,
) -> Screening:
    """Estimate every layout of `work` on its nodes of `option`, less `spares` of them.

    `as_given` leaves out what the plan varies and keeps the layout's own pins.
    """
    group = option.group_of(work)
    choices = accelerator_choices(work, group, spares)
    for count in choices:
        layouts = layouts_for(work, group, count, scenario, as_given)
        if len(layouts):
            table = _table(work, group, layouts, scenario)
            return _rank(work, group, count, table, profile, keep)
    return Screening(work, group, choices[0] if choices else 0, 0, (), None)


def _table(
    work: TrainingWork, group: NodeGroup, layouts: Layouts, scenario: Scenario
) -> TrainingTable:
    return TrainingTable.from_layouts(
        work.model,
        find_accelerator(group.node.accelerator),
        tiers(scenario.cluster.network, group.node, group.count),
        layouts,
        work.global_batch,
        work.seq_len,
        work.precision,
        work.software,
    )


def operators(step: Step, scenario: Scenario, profile: Profile) -> dict[str, float]:
    """Seconds of the operators that make up the step's computing, by name."""
    layout = step.layout
    columns = {
        f.name: np.array([getattr(layout, f.name)])
        for f in fields(Layouts)
        if f.name != "recompute"
    }
    columns["recompute"] = np.array([RECOMPUTES.index(layout.recompute)])
    table = _table(step.work, step.group, Layouts(**columns), scenario)
    tree = explain_training(table, 0, profile)
    compute = next(part for part in tree.inputs if part.name == "compute")
    return {operator.name: operator.value for operator in compute.inputs}


def _rank(
    work: TrainingWork,
    group: NodeGroup,
    accelerators: int,
    table: TrainingTable,
    profile: Profile,
    keep: int,
) -> Screening:
    estimates = _estimate(table, profile)
    # Ties are broken by position, so that equal times always give the same layout.
    order = np.argsort(estimates.iteration_s, kind="stable")
    fitting = order[estimates.fits[order]]
    weights = float(np.ravel(parameters(table).total)[0])

    def step(row: int) -> Step:
        return _step(work, group, accelerators, table, estimates, row, weights)

    misfit = None
    if not len(fitting):
        misfit = step(int(np.argmin(estimates.memory_device_bytes)))
    elif not estimates.fits[order[0]]:
        misfit = step(int(order[0]))
    return Screening(
        work, group, accelerators, len(table), tuple(step(int(r)) for r in fitting[:keep]), misfit
    )


def _estimate(table: TrainingTable, profile: Profile) -> TrainingEstimates:
    pieces = [estimate_training(chunk, profile) for chunk in table.chunks(CHUNK)]
    if len(pieces) == 1:
        return pieces[0]
    joined: dict[str, NDArray] = {
        f.name: np.concatenate([getattr(piece, f.name) for piece in pieces])
        for f in fields(TrainingEstimates)
    }
    return TrainingEstimates(**joined)


def _step(
    work: TrainingWork,
    group: NodeGroup,
    accelerators: int,
    table: TrainingTable,
    estimates: TrainingEstimates,
    row: int,
    weights: float,
) -> Step:
    layouts = table.layouts
    degrees = {
        name: int(getattr(layouts, name)[row])
        for name in ("tp", "pp", "vp", "dp", "cp", "ep", "micro_batch", "zero_stage")
    }
    return Step(
        work=work,
        group=group,
        accelerators=accelerators,
        layout=Layout(
            recompute=RECOMPUTES[int(layouts.recompute[row])],
            sequence_parallel=bool(layouts.sequence_parallel[row]),
            **degrees,
        ),
        iteration=Interval(
            float(estimates.iteration_s[row]),
            float(estimates.low_s[row]),
            float(estimates.high_s[row]),
            "s",
        ),
        parts_s={p.removesuffix("_s"): float(getattr(estimates, p)[row]) for p in PARTS},
        memory_device_bytes=float(estimates.memory_device_bytes[row]),
        memory_capacity_bytes=float(np.broadcast_to(table.memory_bytes, len(table))[row]),
        fits=bool(estimates.fits[row]),
        mfu=float(estimates.mfu[row]),
        hfu=float(estimates.hfu[row]),
        model_flops=float(estimates.model_flops[row]),
        bottleneck=BOTTLENECKS[int(estimates.bottleneck[row])],
        parameters=weights,
    )

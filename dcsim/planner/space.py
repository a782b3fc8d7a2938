"""The space of candidates: which clusters, and which layouts of each job on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from dcsim.catalogue.records import NodeType
from dcsim.economics import Rates, rates
from dcsim.planner.reasons import over_limit
from dcsim.records import Fault, InputError
from dcsim.scenario.resolved import (
    Cluster,
    FixedLayout,
    NodeGroup,
    Scenario,
    Site,
    TrainingWork,
)
from dcsim.topology import Fabric, Parts, build_fabric
from dcsim.workload.layouts import RECOMPUTES, Layouts, enumerate_layouts

#: Micro-batches tried where the scenario leaves them open.
MICRO_BATCHES: tuple[int, ...] = (1, 2, 4, 8)

#: Height of a rack that servers may fill, in rack units (a 42 U rack, the common one).
RACK_UNITS = 42.0


@dataclass(frozen=True, slots=True)
class ClusterOption:
    """One choice of node types and counts, with its fabric, prices and what forbids it.

    `fabric` is None where there is nothing to join.
    """

    groups: tuple[NodeGroup, ...]
    fabric: Fabric | None
    rates: Rates
    violations: tuple[str, ...]

    @property
    def accelerators(self) -> int:
        """Accelerators of the whole cluster."""
        return sum(group.count * group.node.accelerators for group in self.groups)

    @property
    def price_key(self) -> str:
        """Clusters of the same node types are equally wrong about their price."""
        return "+".join(group.node.name for group in self.groups)

    def group_of(self, work: TrainingWork) -> NodeGroup:
        """The nodes on which `work` runs: the group it names, else the first with chips."""
        for group in self.groups:
            if group.name == work.group or (work.group is None and group.node.accelerators):
                return group
        names = ", ".join(group.name for group in self.groups)
        raise InputError(
            Fault(
                f"there are no nodes {work.group or 'with accelerators'}; the cluster has {names}",
                field=f"workload.{work.name}.group",
            )
        )


def cluster_options(scenario: Scenario) -> tuple[ClusterOption, ...]:
    """Every combination of the node types and counts that the plan varies, in its order."""
    choices = [_group_choices(scenario, group) for group in scenario.cluster.groups]
    return tuple(cluster_option(scenario, groups) for groups in product(*choices))


def cluster_option(scenario: Scenario, groups: Sequence[NodeGroup]) -> ClusterOption:
    """The cluster of `groups` at the scenario's site, under its terms."""
    cluster = scenario.cluster
    fabric = None
    if groups:
        storage = cluster.storage
        port_rate = storage.system.server_read_bytes_per_s
        fabric = build_fabric(cluster.network, groups, storage.servers, port_rate)
    return ClusterOption(
        groups=tuple(groups),
        fabric=fabric,
        rates=_rates(scenario, groups, fabric),
        violations=site_violations(groups, fabric, cluster, scenario.site),
    )


def repriced(option: ClusterOption, scenario: Scenario) -> ClusterOption:
    """The same nodes and fabric at the prices and powers of `scenario`."""
    return replace(option, rates=_rates(scenario, option.groups, option.fabric))


def _rates(scenario: Scenario, groups: Sequence[NodeGroup], fabric: Fabric | None) -> Rates:
    parts = fabric.parts if fabric is not None else Parts()
    return rates(groups, parts, scenario.cluster.storage, scenario.site, scenario.money)


def _group_choices(scenario: Scenario, group: NodeGroup) -> list[NodeGroup]:
    types: Sequence[NodeType] = scenario.plan.node_types.get(group.name) or (group.node,)
    counts = scenario.plan.node_counts.get(group.name) or (group.count,)
    return [replace(group, node=node, count=count) for node in types for count in counts]


def site_violations(
    groups: Sequence[NodeGroup], fabric: Fabric | None, cluster: Cluster, site: Site
) -> tuple[str, ...]:
    """Why the site cannot hold these nodes; empty when it can.

    Power counts every node at its rating (at full load where that is unknown), the fabric
    and every storage server, times the PUE.
    """
    found = []
    rated_w = sum(g.count * _rated_w(g.node) for g in groups)
    rated_w += fabric.parts.power_w if fabric is not None else 0.0
    rated_w += cluster.storage.servers * cluster.storage.system.server_power_w
    if site.power_w is not None and rated_w * site.pue > site.power_w:
        found.append(over_limit(rated_w * site.pue, site.power_w, "W", "site power"))
    for group in groups:
        if site.rack_power_w is not None and _rated_w(group.node) > site.rack_power_w:
            found.append(over_limit(_rated_w(group.node), site.rack_power_w, "W", "rack power"))
    if site.racks is not None and not found:
        needed = sum(racks_needed(g.node, g.count, site.rack_power_w) for g in groups)
        if needed > site.racks:
            found.append(f"{needed} of {site.racks} racks")
    return tuple(found)


def racks_needed(node: NodeType, count: int, rack_power_w: float | None) -> int:
    """Racks for `count` nodes, limited by height and, where given, by power.

    A node taller than a rack is itself a rack.
    """
    fit = max(int(RACK_UNITS // node.rack_units), 1) if node.rack_units else count
    if rack_power_w is not None and _rated_w(node):
        fit = min(fit, max(int(rack_power_w // _rated_w(node)), 1))
    return -(-count // max(fit, 1))


def _rated_w(node: NodeType) -> float:
    return node.rated_w or node.peak_w


#: Numbers of spare nodes that a plan tries where nobody says how many, and the share of
#: the nodes that they may be.
SPARES_TRIED = 4
MOST_SPARE_SHARE = 0.1


def spares_range(
    option: ClusterOption, scenario: Scenario, as_given: bool = False
) -> tuple[range, int]:
    """Numbers of spare nodes to look at, and how many of them to take.

    Those are taken, fewest first, that leave a number of nodes which some layout divides.
    Where the scenario says how many spares it keeps, or nothing fails, the first will do;
    a plan tries a few, because a job that fills its cluster waits for the repair of every
    node it loses.
    """
    least = scenario.policies.spares
    works = [work for work in scenario.workload if isinstance(work, TrainingWork)]
    if not option.groups or all(work.accelerators is not None for work in works):
        return range(least, least + 1), 1
    fewest = min(group.count for group in option.groups)
    most = max(least, int(MOST_SPARE_SHARE * fewest))
    given = as_given or least > 0 or scenario.policies.failures is None
    return range(least, most + 1), 1 if given else SPARES_TRIED


def accelerator_choices(work: TrainingWork, group: NodeGroup, spares: int) -> tuple[int, ...]:
    """Accelerators that `work` may take, the first one preferred; empty without room.

    What it asks for, else all but the spare nodes'. Since 72 accelerators divide few
    models and batches, the largest power of two of every node comes second, which is how
    such racks are used.
    """
    nodes, each = max(group.count - spares, 0), group.node.accelerators
    if work.accelerators is not None:
        return (work.accelerators,) if work.accelerators <= nodes * each else ()
    whole = 1 << (each.bit_length() - 1)
    return tuple(dict.fromkeys(n for n in (nodes * each, nodes * whole) if n))


def layouts_for(
    work: TrainingWork,
    group: NodeGroup,
    accelerators: int,
    scenario: Scenario,
    as_given: bool = False,
) -> Layouts:
    """Every layout of `work` that the plan allows on `accelerators` of `group`.

    With `as_given` the plan has no say: only what the job itself pins restricts.
    """
    plan = scenario.plan
    given = plan.parallelism if isinstance(plan.parallelism, tuple) else ()
    pins = (FixedLayout(),) if as_given or not given else given
    micro_batches = MICRO_BATCHES if as_given else plan.micro_batches or MICRO_BATCHES
    recomputes = RECOMPUTES if as_given else plan.recomputes or RECOMPUTES
    parts = [
        enumerate_layouts(
            work.model,
            accelerators,
            group.node.fast_domain,
            work.global_batch,
            fixed=_merged(work.layout, pin),
            micro_batches=micro_batches,
            recomputes=recomputes,
            seq_len=work.seq_len,
        )
        for pin in pins
    ]
    return Layouts.concatenate(parts)


def _merged(own: FixedLayout, pin: FixedLayout) -> FixedLayout:
    """What the job pins, and where it leaves a part open what the plan pins."""
    changes = {
        name: getattr(pin, name)
        for name in FixedLayout.__dataclass_fields__
        if getattr(own, name) is None
    }
    return replace(own, **changes)

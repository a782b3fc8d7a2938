"""A scenario with a user's own measurements in the place of the catalogue's facts."""

from dataclasses import replace

from dcsim import catalogue
from dcsim.catalogue.records import FailureRates, NodeType, StorageSystem
from dcsim.economics import BUSY_SHARE
from dcsim.records import Source
from dcsim.records.measurements import FailureLog, Measurements, PowerCurve, StoragePeak
from dcsim.scenario.resolved import NodeGroup, Scenario, Storage

#: Share of its data sheet's power that an accelerator draws at rest.
IDLE_SHARE = 0.15


def with_measurements(scenario: Scenario, known: Measurements) -> Scenario:
    """`scenario` as the measurements have it; itself where there are none that concern it.

    The storage's peak, the power of nodes whose accelerator was read, and the failure rates
    are replaced; a scenario without failures stays without. Links are in the profile's
    training parameters, and nothing reads levels of serving yet.
    """
    cluster, policies, plan = scenario.cluster, scenario.policies, scenario.plan
    if known.storage is not None:
        cluster = replace(cluster, storage=_storage(cluster.storage, known.storage))
    for curve in known.power:
        cluster = replace(cluster, groups=tuple(_group(g, curve) for g in cluster.groups))
        types = {
            group: tuple(_node(node, curve) for node in nodes)
            for group, nodes in plan.node_types.items()
        }
        plan = replace(plan, node_types=types)
    if known.failures is not None and policies.failures is not None:
        policies = replace(policies, failures=_failures(policies.failures, known.failures))
    return replace(scenario, cluster=cluster, policies=policies, plan=plan)


def _storage(storage: Storage, peak: StoragePeak) -> Storage:
    """The peak is of the whole system, so each server has its part of it."""
    system: StorageSystem = storage.system
    found = replace(
        system,
        server_read_bytes_per_s=peak.read_bytes_per_s / storage.servers
        or system.server_read_bytes_per_s,
        server_write_bytes_per_s=peak.write_bytes_per_s / storage.servers
        or system.server_write_bytes_per_s,
        source=Source(peak.source, "measured"),
    )
    return replace(storage, system=found)


def _group(group: NodeGroup, curve: PowerCurve) -> NodeGroup:
    return replace(group, node=_node(group.node, curve))


def _node(node: NodeType, curve: PowerCurve) -> NodeType:
    """The accelerators' part of a node's power as measured, the rest as it was.

    A busy reading is of an accelerator that trains, which `BUSY_SHARE` of the full load is.
    """
    if node.accelerator != curve.accelerator:
        return node
    sheet_w = node.accelerators * catalogue.accelerator(node.accelerator).tdp_w
    rest_w = max(node.peak_w - sheet_w, 0.0)
    rest_idle_w = max(node.idle_w - IDLE_SHARE * sheet_w, 0.0)
    return replace(
        node,
        idle_w=rest_idle_w + node.accelerators * curve.idle_w,
        peak_w=rest_w + node.accelerators * curve.busy_w / BUSY_SHARE.value,
        power_source=Source(curve.source, "measured"),
    )


def _failures(rates: FailureRates, log: FailureLog) -> FailureRates:
    source = Source(log.source, "measured")
    return replace(
        rates,
        name="measured",
        per_accelerator_s={name: one.per_accelerator_s for name, one in log.classes.items()},
        repair_s=log.repair_s or rates.repair_s,
        repair_source=source if log.repair_s else rates.repair_source,
        source=source,
        basis="own log",
    )

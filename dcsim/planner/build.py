"""From a candidate to what the simulation is given."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dcsim.catalogue.records import FailureRates
from dcsim.cost import storage_servers
from dcsim.planner.build_policies import policy_fields, trace_jobs, traces
from dcsim.planner.screen import Step
from dcsim.planner.space import ClusterOption
from dcsim.planner.tiers import (
    METADATA_OPERATIONS_PER_S,
    caches,
    local_saves,
    origin,
    snapshot_s,
    upkeep,
)
from dcsim.records.real_run import RealRun
from dcsim.scenario.resolved import Cluster, NodeGroup, RealWork, Scenario, Storage
from dcsim.simulation import storage_routes
from dcsim.simulation.estimates import job_mtbf_s, storage_rates
from dcsim.simulation.goodput import best_interval
from dcsim.simulation.spec import (
    FailureClass,
    PoolSpec,
    RealJobSpec,
    SimulationSpec,
    StorageSpec,
    TrainingJobSpec,
)

#: Classes of failure that leave the node healthy.
KEEPS_NODE = frozenset({"software"})
PLANNED = frozenset({"maintenance"})
SILENT = frozenset({"silent_corruption"})


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a job saves and recovers: seconds of one blocking write, of reading it back,
    the mean time between its failures (inf: none) and the interval between saves."""

    write_s: float
    restore_s: float
    mtbf_s: float
    interval_s: float | None


def checkpoint_bytes(step: Step) -> float:
    """Size of one checkpoint of the job."""
    return float(storage_servers.checkpoint_bytes(step.parameters))


def storage_spec(cluster: Cluster) -> StorageSpec:
    """The scenario's storage as the simulation sees it."""
    storage = cluster.storage
    # What processors of servers can do is only felt where jobs read files.
    metadata = storage.metadata_servers
    return StorageSpec(
        servers=storage.servers,
        read_bytes_per_s=storage.system.server_read_bytes_per_s,
        write_bytes_per_s=storage.system.server_write_bytes_per_s,
        write_overhead=write_overhead(storage),
        latency_s=storage.system.latency_s,
        data_parts=storage.data_parts,
        parity_parts=storage.parity_parts,
        operations_per_s=storage.system.server_iops if metadata else float("inf"),
        metadata_servers=metadata,
        metadata_operations_per_s=METADATA_OPERATIONS_PER_S if metadata else float("inf"),
        origin=origin(storage),
        upkeep=upkeep(storage),
    )


def write_overhead(storage: Storage) -> float:
    """Bytes written for each byte of data: (k + m) / k."""
    return storage_servers.write_overhead(storage.data_parts, storage.parity_parts)


def recovery(step: Step, scenario: Scenario) -> Recovery:
    """Write, restore and interval of `step`'s job, alone on the storage.

    The interval is the scenario's, else the one that minimises the expected run time;
    None (save at the end only) where nothing fails.
    """
    size = checkpoint_bytes(step)
    nodes = -(-step.accelerators // step.group.node.accelerators)
    read, write = storage_rates(
        storage_spec(scenario.cluster), nodes, node_nic_bytes_per_s(step.group, scenario)
    )
    failures = failure_classes(scenario.policies.failures)
    mtbf_s = float(job_mtbf_s(failures, step.accelerators))
    if not scenario.policies.checkpoint.sharded:
        write = np.minimum(write, node_nic_bytes_per_s(step.group, scenario))
    write_s = size / float(write)
    interval = scenario.policies.checkpoint.interval_s
    if interval is None and np.isfinite(mtbf_s):
        interval = float(best_interval(write_s, mtbf_s))
    return Recovery(write_s, size / float(read), mtbf_s, interval)


def node_nic_bytes_per_s(group: NodeGroup, scenario: Scenario) -> float:
    """What one node of `group` can send: all its NICs together."""
    nic = scenario.cluster.network.nic_bytes_per_s or group.node.nic_bytes_per_s
    return nic * group.node.accelerators


def failure_classes(rates: FailureRates | None) -> tuple[FailureClass, ...]:
    """The named set as classes of the simulation; none without one."""
    if rates is None:
        return ()
    return tuple(
        FailureClass(
            name=name,
            per_accelerator_s=rate,
            detect_s=rates.detect_s,
            restart_s=rates.restart_s,
            repair_s=rates.repair_s,
            takes_node=name not in KEEPS_NODE,
            planned=name in PLANNED,
            silent=name in SILENT,
            shape=rates.shape,
            nodes_at_once=rates.nodes_at_once.get(name, 1),
        )
        for name, rate in sorted(rates.per_accelerator_s.items())
    )


def training_job(step: Step, scenario: Scenario, saved: Recovery | None = None) -> TrainingJobSpec:
    """`step`'s job with its median step time; `saved` is its `recovery`, if known."""
    work = step.work
    saved = saved or recovery(step, scenario)
    size = checkpoint_bytes(step)
    total = step.iteration.value
    exposed = sum(step.parts_s[p] for p in ("tp", "dp", "ep", "cp"))
    rates = scenario.policies.failures
    policy = scenario.policies.checkpoint
    nodes = -(-step.accelerators // step.group.node.accelerators)
    nic = node_nic_bytes_per_s(step.group, scenario)
    local = local_saves(policy, step.group.node, nodes, nic, size)
    dataset = work.dataset_tokens
    return TrainingJobSpec(
        name=work.name,
        accelerators=step.accelerators,
        pool=step.group.name,
        steps=step.steps,
        step_s=total,
        submit_s=work.submit_s,
        exposed_communication_share=exposed / total,
        pipeline_bubble_share=step.parts_s["pp_bubble"] / total,
        data_bytes_per_step=work.bytes_per_token * work.global_batch * work.seq_len,
        dataset_bytes=float("inf") if dataset is None else dataset * work.bytes_per_token,
        file_bytes=work.file_bytes,
        shuffle=work.shuffle,
        prefetch=scenario.cluster.storage.prefetch,
        checkpoint_bytes=size,
        checkpoint_interval_s=saved.interval_s,
        checkpoint_blocking=policy.blocking,
        checkpoint_writers=None if policy.sharded else 1,
        checkpoint_snapshot_s=snapshot_s(policy, step.accelerators, size),
        local_interval_s=local.interval_s,
        local_save_s=local.save_s,
        local_restore_s=local.restore_s,
        local_copies=policy.local_copies,
        restore_bytes=size,
        start_s=rates.restart_s if rates else 0.0,
        priority=work.priority,
        user=work.user,
        resume_s=rates.restart_s if rates else 0.0,
    )


def simulation_spec(
    option: ClusterOption,
    steps: Sequence[Step],
    real: Sequence[tuple[RealWork, RealRun]],
    scenario: Scenario,
    spares: int,
) -> SimulationSpec:
    """The simulation of these jobs on this cluster, with their median step times.

    `spares` nodes of every group replace broken ones.
    """
    pools = tuple(pool_spec(group, scenario) for group in option.groups)
    local = scenario.cluster.local
    return SimulationSpec(
        pools=pools if local is None else (*pools, _local_pool(local)),
        jobs=tuple(training_job(step, scenario) for step in steps)
        + (_real_jobs(real, local.name) if local else ())
        + tuple(
            job
            for work in traces(scenario)
            for job in trace_jobs(work, option.groups, spares, REPEAT)
        ),
        storage=storage_spec(scenario.cluster),
        routes=storage_routes(option.fabric) if option.fabric is not None else None,
        failures=failure_classes(scenario.policies.failures),
        scheduler=scenario.policies.scheduler,
        placement=scenario.policies.placement,
        spares={pool.name: spares for pool in pools if spares},
        **policy_fields(scenario),
    )


def pool_spec(group: NodeGroup, scenario: Scenario) -> PoolSpec:
    """The nodes of `group` as a pool of the simulation."""
    return PoolSpec(
        name=group.name,
        node_type=group.node.name,
        nodes=group.count,
        accelerators_per_node=group.node.accelerators,
        nic_bytes_per_s=node_nic_bytes_per_s(group, scenario),
        caches=caches(scenario.cluster.storage, group.node),
    )


def _local_pool(group: NodeGroup) -> PoolSpec:
    return PoolSpec(
        name=group.name,
        node_type=group.node.name,
        nodes=group.count,
        # A real job was measured with the machine to itself, so one runs at a time.
        accelerators_per_node=1,
        nic_bytes_per_s=group.node.nic_bytes_per_s,
        is_local=True,
    )


#: Between a real job's name and the number of its repeat, from the second on.
REPEAT = "#"


def _real_jobs(real: Sequence[tuple[RealWork, RealRun]], pool: str) -> tuple[RealJobSpec, ...]:
    """Every repeat of every real job, with the times that were measured once."""
    return tuple(
        RealJobSpec(
            name=work.name if repeat == 1 else f"{work.name}{REPEAT}{repeat}",
            pool=pool,
            step_s=run.step_s,
            submit_s=work.submit_s,
            startup_s=run.startup_s,
            load_s=run.load_s,
            evaluation_s=run.evaluation_s,
            checkpoint_s=run.checkpoint_s,
            data_bytes=run.data_bytes,
            checkpoint_bytes=run.checkpoint_bytes,
            losses=run.losses,
            priority=work.priority,
        )
        for work, run in real
        for repeat in range(1, work.repeats + 1)
    )

"""Named checks of a simulation spec; each fault says what is wrong and what would be right."""

from collections.abc import Iterator
from math import inf, isfinite

from dcsim.records import Fault, InputError
from dcsim.scheduling.policies import placement, scheduler, stops_jobs
from dcsim.simulation.lifecycle import STAGES
from dcsim.simulation.lifecycle_spec import LifecycleSpec, StageJobSpec
from dcsim.simulation.policy import Policy
from dcsim.simulation.spec import JobSpec, RealJobSpec, SimulationSpec, StorageSpec, TrainingJobSpec


def check(spec: SimulationSpec) -> None:
    """Raise InputError with every fault of `spec`."""
    placement(spec.placement)
    faults = [*_pools(spec), *_storage(spec), *_failures(spec), *_jobs(spec)]
    faults += [fault for cycle in spec.lifecycles for fault in _lifecycle(spec, cycle)]
    faults += _rules(spec)
    if faults:
        raise InputError(faults)
    Policy(spec)


def _pools(spec: SimulationSpec) -> Iterator[Fault]:
    names = [pool.name for pool in spec.pools]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Fault(f"two pools are called {name}; give each its own name")
    for pool in spec.pools:
        if pool.nodes < 1 or pool.accelerators_per_node < 1:
            yield Fault(f"pool {pool.name} is empty; it needs a node with an accelerator")
        for cache in pool.caches:
            rates = (cache.bytes_per_node, cache.read_bytes_per_s, cache.write_bytes_per_s)
            if not min(rates) > 0.0:
                yield Fault(
                    f"cache {cache.name} of pool {pool.name} needs a size and rates above 0"
                )
        if not pool.processors > 0.0:
            yield Fault(f"pool {pool.name} computes on no processors; give it some")
        if pool.nic_bytes_per_s <= 0.0:
            yield Fault(f"nodes of pool {pool.name} need a NIC rate above 0")
        if not 0 <= spec.spares.get(pool.name, 0) <= pool.nodes:
            yield Fault(f"pool {pool.name} cannot keep {spec.spares[pool.name]} spares")
    for name in sorted(set(spec.spares) - set(names)):
        yield Fault(f"spares name a pool {name}, which does not exist")
    if not spec.horizon_s > 0.0:
        yield Fault("the horizon must lie after the start")


def _storage(spec: SimulationSpec) -> Iterator[Fault]:
    storage = spec.storage
    if storage is not None:
        rates = (storage.read_bytes_per_s, storage.write_bytes_per_s, storage.port_bytes_per_s)
        if storage.servers < 1 or min(rates) <= 0.0:
            yield Fault("storage needs at least one server and rates above 0")
        if storage.write_overhead < 1.0:
            yield Fault("storage cannot write fewer bytes than it is given (write_overhead < 1)")
        yield from _servers(storage)
        yield from _upkeep(storage)
    if spec.routes is not None:
        nodes = sum(pool.nodes for pool in spec.pools)
        if spec.routes.node_group.size > nodes:
            yield Fault(f"the routes describe {spec.routes.node_group.size} nodes of {nodes}")


def _servers(storage: StorageSpec) -> Iterator[Fault]:
    limits = (storage.operations_per_s, storage.metadata_operations_per_s)
    if min(limits) <= 0.0 or not storage.request_bytes > 0.0 or storage.operations_per_file < 0.0:
        yield Fault("storage needs operations a second and sizes of requests above 0")
    if storage.data_parts < 1 or storage.parity_parts < 0 or storage.metadata_servers < 0:
        yield Fault("storage needs at least one data part, and no negative count of servers")
    origin = storage.origin
    if origin is not None and not 0.0 < origin.read_bytes_per_s < inf:
        yield Fault(f"origin {origin.name} of the data needs a finite rate above 0")


def _upkeep(storage: StorageSpec) -> Iterator[Fault]:
    upkeep = storage.upkeep
    if upkeep is None:
        return
    if storage.servers < 2:
        yield Fault("storage of one server cannot lose it; give it at least two servers")
    values = (upkeep.held_bytes, upkeep.failures_per_s, upkeep.detect_s, upkeep.replace_s)
    if min(values) < 0.0 or not all(map(isfinite, values)) or not upkeep.rebuild_bytes_per_s > 0.0:
        yield Fault("the rebuild of a storage server needs finite sizes and times, rates above 0")
    if upkeep.failures_per_s * max(upkeep.detect_s + upkeep.replace_s, 1.0) > 1.0:
        yield Fault("storage servers fail faster than they can be replaced; lower their rate")
    for loss in upkeep.losses:
        if not 0 <= loss.server < storage.servers:
            yield Fault(
                f"storage server {loss.server} cannot be lost; "
                f"the servers are 0 to {storage.servers - 1}"
            )
        if not (isfinite(loss.time_s) and loss.time_s >= 0.0):
            yield Fault(f"storage server {loss.server} must be lost at a time of at least 0")


def _failures(spec: SimulationSpec) -> Iterator[Fault]:
    for kind in spec.failures:
        times = (kind.per_accelerator_s, kind.detect_s, kind.restart_s, kind.repair_s)
        if min(times) < 0.0 or not all(map(isfinite, times)):
            yield Fault(f"failure class {kind.name} needs finite rates and times of at least 0")
        if min(kind.shape, kind.repair_shape) <= 0.0:
            yield Fault(f"failure class {kind.name} needs Weibull shapes above 0")
        if kind.nodes_at_once < 1:
            yield Fault(f"a failure of class {kind.name} must take at least one node")
    lemons = spec.lemons
    if lemons is not None and not (0.0 <= lemons.share <= 1.0 and lemons.factor > 0.0):
        yield Fault("lemons need a share between 0 and 1 and a factor above 0")


def _jobs(spec: SimulationSpec) -> Iterator[Fault]:
    names = [job.name for job in spec.jobs]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Fault(f"two jobs are called {name}; give each its own name")
    for job in spec.jobs:
        yield from _size(spec, job)
        yield from _training(job) if isinstance(job, TrainingJobSpec) else _real(spec, job)
        if not (isfinite(job.submit_s) and job.submit_s >= 0.0):
            yield Fault(f"job {job.name} must be submitted at a time of at least 0")


def _rules(spec: SimulationSpec) -> Iterator[Fault]:
    scheduler(spec.scheduler)
    if spec.rack_nodes < 1:
        yield Fault("a rack holds at least one node")
    if spec.migrate and (spec.quota or spec.windows or stops_jobs(spec.scheduler)):
        yield Fault(
            "migration goes with no quotas, windows or schedulers that stop jobs themselves"
        )
    for name, limit in spec.quota.items():
        if limit < 1:
            yield Fault(f"the quota of {name or 'everybody'} must be at least one accelerator")
    sizes = {pool.name: pool for pool in spec.pools}
    for window in spec.windows:
        pool = sizes.get(window.pool)
        if pool is None or pool.is_local:
            yield Fault(f"a window closes nodes of pool {window.pool}, which does not exist")
        elif not 0 <= window.first < window.last <= pool.nodes:
            yield Fault(
                f"a window closes nodes {window.first} to {window.last - 1} of pool "
                f"{window.pool}, whose nodes are 0 to {pool.nodes - 1}"
            )
        if not 0.0 <= window.start_s < window.end_s < inf:
            yield Fault("a window must end after it begins")
    for name, spot in spec.spot.items():
        if name not in sizes or sizes[name].is_local:
            yield Fault(f"spot capacity names a pool {name}, which does not exist")
        if not (spot.stay_s > 0.0 and spot.notice_s >= 0.0 and spot.away_s > 0.0):
            yield Fault("spot nodes need times to stay and to be away above 0, and a notice")
    slow = spec.stragglers
    if slow is not None:
        times = (slow.per_node_s, slow.log_spread, slow.detect_s, slow.repair_s)
        if slow.slowdown < 1.0 or min(times) < 0.0 or not all(map(isfinite, times)):
            yield Fault("stragglers need a slowdown of at least 1 and no negative times")


def _size(spec: SimulationSpec, job: JobSpec) -> Iterator[Fault]:
    yield from _room(spec, f"job {job.name}", job.pool, job.accelerators)


def _room(spec: SimulationSpec, who: str, name: str, size: int) -> Iterator[Fault]:
    pool = next((pool for pool in spec.pools if pool.name == name), None)
    if pool is None:
        yield Fault(f"{who} wants pool {name}, which does not exist")
        return
    room = (pool.nodes - spec.spares.get(pool.name, 0)) * pool.accelerators_per_node
    if not 0 < size <= room:
        yield Fault(
            f"{who} wants {size} accelerators; pool {pool.name} has {room} besides its spares"
        )


def _training(job: TrainingJobSpec) -> Iterator[Fault]:
    if job.steps < 1 or not (isfinite(job.step_s) and job.step_s > 0.0):
        yield Fault(f"job {job.name} needs at least one step of a finite time above 0")
    shares = (job.exposed_communication_share, job.pipeline_bubble_share)
    if min(shares) < 0.0 or sum(shares) > 1.0 + 1e-9:
        yield Fault(f"the parts of a step of job {job.name} must be shares that sum to at most 1")
    if job.checkpoint_interval_s is not None and not job.checkpoint_interval_s > 0.0:
        yield Fault(f"job {job.name} needs a checkpoint interval above 0, or none")
    sizes = (
        job.data_bytes_per_step,
        job.initial_read_bytes,
        job.checkpoint_bytes,
        job.restore_bytes,
        job.start_s,
        job.step_log_spread,
        job.file_bytes,
        job.checkpoint_snapshot_s,
        job.local_save_s,
        job.local_restore_s,
    )
    if min(sizes) < 0.0 or not all(map(isfinite, sizes)):
        yield Fault(f"sizes and times of job {job.name} must be finite and at least 0")
    if not all(kill.after_s > 0.0 <= min(kill.detect_s, kill.restart_s) for kill in job.kills):
        yield Fault(f"kills of job {job.name} need a time above 0 and no negative delays")
    if job.prefetch < 0 or not job.dataset_bytes > 0.0:
        yield Fault(f"job {job.name} needs a data set above 0 bytes and no negative prefetch")
    if job.local_interval_s is not None and not job.local_interval_s > 0.0:
        yield Fault(f"job {job.name} needs an interval of local saves above 0, or none")
    least, most = job.least or job.accelerators, job.most or job.accelerators
    if not 1 <= least <= job.accelerators <= most or job.resume_s < 0.0:
        yield Fault(
            f"job {job.name} must ask for a number of accelerators between its least and its most"
        )
    if job.local_copies < 1 or (job.checkpoint_writers is not None and job.checkpoint_writers < 1):
        yield Fault(f"job {job.name} needs at least one node that writes, and one local copy")


def _real(spec: SimulationSpec, job: RealJobSpec) -> Iterator[Fault]:
    if not any(pool.is_local for pool in spec.pools if pool.name == job.pool):
        yield Fault(f"real job {job.name} can only be replayed on a local pool")
    measured = (*job.step_s, job.startup_s, job.load_s, job.evaluation_s, job.checkpoint_s)
    if not job.step_s or min(measured) < 0.0 or not all(map(isfinite, measured)):
        yield Fault(f"real job {job.name} needs measured step times, all finite and at least 0")
    if min(job.data_bytes, job.checkpoint_bytes) < 0.0:
        yield Fault(f"sizes of real job {job.name} must be at least 0")


def _lifecycle(spec: SimulationSpec, cycle: LifecycleSpec) -> Iterator[Fault]:
    for stage in sorted(set(cycle.stages) - set(STAGES)):
        yield Fault(f"{cycle.name} has a stage {stage}; the stages are {', '.join(STAGES)}")
    jobs: list[StageJobSpec | TrainingJobSpec] = [
        job for stage in cycle.stages.values() for job in stage.jobs if job.accelerators
    ]
    if cycle.training is not None:
        yield from _training(cycle.training)
        jobs.append(cycle.training)
    largest: dict[str, int] = {}
    for job in jobs:
        largest[job.pool] = max(largest.get(job.pool, 0), job.accelerators)
    service = cycle.service
    if service is not None and service.accelerators:
        # The service stays while the next release is made.
        size = service.accelerators * service.replicas
        largest[service.pool] = largest.get(service.pool, 0) + size
    for pool, size in largest.items():
        name = f"{cycle.name}, its largest stage and its service together,"
        yield from _room(spec, name, pool, size)
    checks, drift = (cycle.gate, cycle.evaluation), cycle.drift
    chances = (*(check.passes for check in checks), drift.detects, drift.false_alarms)
    if not all(0.0 <= chance <= 1.0 for chance in chances):
        yield Fault(f"the chances of {cycle.name} must be shares between 0 and 1")
    if not (isfinite(cycle.period_s) and cycle.period_s > 0.0 and cycle.window_s > 0.0):
        yield Fault(f"{cycle.name} needs a finite period and a window, both above 0")
    if cycle.limits.trainings < 1:
        yield Fault(f"{cycle.name} must be allowed at least one training")

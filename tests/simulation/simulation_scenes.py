"""Small clusters and jobs that the tests of the simulation share."""

from dcsim.simulation import (
    FailureClass,
    PoolSpec,
    RealJobSpec,
    SimulationSpec,
    StorageSpec,
    TrainingJobSpec,
)

HOUR = 3600.0
DAY = 24 * HOUR

#: 4 servers: 40 GB/s read, 16 GB/s written after 25 % for parity.
STORAGE = StorageSpec(servers=4, read_bytes_per_s=10e9, write_bytes_per_s=5e9, write_overhead=1.25)


def pool(nodes=4, size=8, name="main", nic=50e9):
    return PoolSpec(name, "node", nodes, size, nic)


def local(slots=1):
    return PoolSpec("local", "this machine", 1, slots, 1e9, is_local=True)


def training(name="base", accelerators=32, **changes):
    fields = {"pool": "main", "steps": 1000, "step_s": 10.0} | changes
    return TrainingJobSpec(name=name, accelerators=accelerators, **fields)


def real(name="probe", step_s=(0.5, 0.25, 0.125), **changes):
    return RealJobSpec(name=name, pool="local", step_s=tuple(step_s), **changes)


def cluster(*jobs, pools=None, storage=STORAGE, audit=True, **changes):
    return SimulationSpec(
        pools=pools if pools is not None else (pool(),),
        jobs=jobs,
        storage=storage,
        audit=audit,
        **changes,
    )


def crashes(mtbf_s, accelerators, **changes):
    """Failures of a whole job every `mtbf_s` in the mean that leave the node healthy."""
    fields = {"name": "software", "takes_node": False} | changes
    return FailureClass(per_accelerator_s=1.0 / (mtbf_s * accelerators), **fields)


def breakdowns(mtbf_s, accelerators, **changes):
    """Failures of a whole job every `mtbf_s` in the mean that take the node away."""
    return crashes(mtbf_s, accelerators, name="hardware", takes_node=True, **changes)

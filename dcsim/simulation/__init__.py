"""The SimPy model: nodes, fluid network, storage, failures, checkpoints, jobs."""

from dcsim.simulation.goodput import best_interval, expected_runtime
from dcsim.simulation.lifecycle_record import LifecycleRecord, Release, Visit, Window
from dcsim.simulation.lifecycle_spec import (
    CheckSpec,
    DriftSpec,
    LifecycleSpec,
    ServiceSpec,
    StageJobSpec,
    StageSpec,
)
from dcsim.simulation.model import simulate
from dcsim.simulation.record import (
    EventRecord,
    JobRecord,
    LinkRecords,
    LoadRecords,
    NodeRecords,
    ServerRecords,
    SimulationRecord,
    Timeline,
)
from dcsim.simulation.routes import storage_routes
from dcsim.simulation.sharing import JobSharing, sharing
from dcsim.simulation.spec import (
    CacheSpec,
    FailureClass,
    JobSpec,
    Lemons,
    OriginSpec,
    PoolSpec,
    RealJobSpec,
    ServerLoss,
    SimulationSpec,
    StorageRoutes,
    StorageSpec,
    TrainingJobSpec,
    UpkeepSpec,
)

__all__ = [
    "CacheSpec",
    "CheckSpec",
    "DriftSpec",
    "EventRecord",
    "FailureClass",
    "JobRecord",
    "JobSharing",
    "JobSpec",
    "Lemons",
    "LifecycleRecord",
    "LifecycleSpec",
    "LinkRecords",
    "LoadRecords",
    "NodeRecords",
    "OriginSpec",
    "PoolSpec",
    "RealJobSpec",
    "Release",
    "ServerLoss",
    "ServerRecords",
    "ServiceSpec",
    "SimulationRecord",
    "SimulationSpec",
    "StageJobSpec",
    "StageSpec",
    "StorageRoutes",
    "StorageSpec",
    "Timeline",
    "TrainingJobSpec",
    "UpkeepSpec",
    "Visit",
    "Window",
    "best_interval",
    "expected_runtime",
    "sharing",
    "simulate",
    "storage_routes",
]

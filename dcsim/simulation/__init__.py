"""The SimPy model: nodes, fluid network, storage, failures, checkpoints, jobs."""

from dcsim.simulation.goodput import best_interval, expected_runtime
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
    "EventRecord",
    "FailureClass",
    "JobRecord",
    "JobSharing",
    "JobSpec",
    "Lemons",
    "LinkRecords",
    "LoadRecords",
    "NodeRecords",
    "OriginSpec",
    "PoolSpec",
    "RealJobSpec",
    "ServerLoss",
    "ServerRecords",
    "SimulationRecord",
    "SimulationSpec",
    "StorageRoutes",
    "StorageSpec",
    "Timeline",
    "TrainingJobSpec",
    "UpkeepSpec",
    "best_interval",
    "expected_runtime",
    "sharing",
    "simulate",
    "storage_routes",
]

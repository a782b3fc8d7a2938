"""The SimPy model: nodes, fluid network, storage, failures, checkpoints, jobs."""

from dcsim.simulation.goodput import best_interval, expected_runtime
from dcsim.simulation.model import simulate
from dcsim.simulation.record import (
    EventRecord,
    JobRecord,
    LinkRecords,
    NodeRecords,
    SimulationRecord,
    Timeline,
)
from dcsim.simulation.routes import storage_routes
from dcsim.simulation.spec import (
    FailureClass,
    JobSpec,
    Lemons,
    PoolSpec,
    RealJobSpec,
    SimulationSpec,
    StorageRoutes,
    StorageSpec,
    TrainingJobSpec,
)

__all__ = [
    "EventRecord",
    "FailureClass",
    "JobRecord",
    "JobSpec",
    "Lemons",
    "LinkRecords",
    "NodeRecords",
    "PoolSpec",
    "RealJobSpec",
    "SimulationRecord",
    "SimulationSpec",
    "StorageRoutes",
    "StorageSpec",
    "Timeline",
    "TrainingJobSpec",
    "best_interval",
    "expected_runtime",
    "simulate",
    "storage_routes",
]

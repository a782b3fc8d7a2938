"""Processes that compute beside this one: started fresh, one BLAS thread, gone with their parent.

`Worker` runs functions in a process of its own, `SharedArray` is memory that several see,
`machine_identity` says what they run on.
"""

from dcsim.workers.environment import worker_environment
from dcsim.workers.machine import machine_identity
from dcsim.workers.process import Worker, WorkerDied

__all__ = ["Worker", "WorkerDied", "machine_identity", "worker_environment"]

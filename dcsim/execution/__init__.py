"""Real jobs on this machine: trained in a worker process, their timings kept for next time."""

from dcsim.execution.cache import cache_directory
from dcsim.execution.measure import measure_job
from dcsim.execution.real import run_real_job

__all__ = ["cache_directory", "measure_job", "run_real_job"]

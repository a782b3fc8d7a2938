"""Measure, fit, Profile: what this machine and published runs say of the cost model."""

from dcsim.calibration.chain import chain
from dcsim.calibration.profiles import load_profile, reference_profile, save_profile
from dcsim.calibration.steps import call_times, host_step_time
from dcsim.calibration.update import update_with_runs

__all__ = [
    "call_times",
    "chain",
    "host_step_time",
    "load_profile",
    "reference_profile",
    "save_profile",
    "update_with_runs",
]

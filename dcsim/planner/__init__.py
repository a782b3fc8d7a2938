"""Candidates: the space, its evaluation, the frontier, confidence and sensitivity."""

from dcsim.planner.plan import plan, run
from dcsim.planner.progress import Progress, Silent
from dcsim.planner.summary import exit_code

__all__ = ["Progress", "Silent", "exit_code", "plan", "run"]

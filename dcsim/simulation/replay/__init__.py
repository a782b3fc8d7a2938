"""Replay of a job trace under a scheduling policy, job by job."""

from dcsim.simulation.replay.engine import POLICIES, Replay, audit, replay
from dcsim.simulation.replay.summary import summarise

__all__ = ["POLICIES", "Replay", "audit", "replay", "summarise"]

"""Replay of a job trace under a scheduling policy, job by job."""

from dcsim.simulation.replay.audit import audit
from dcsim.simulation.replay.engine import replay
from dcsim.simulation.replay.options import PLAIN_POLICIES, POLICIES, Options, Tuning, Window
from dcsim.simulation.replay.outcome import Replay, Segments
from dcsim.simulation.replay.summary import summarise

__all__ = [
    "PLAIN_POLICIES",
    "POLICIES",
    "Options",
    "Replay",
    "Segments",
    "Tuning",
    "Window",
    "audit",
    "replay",
    "summarise",
]

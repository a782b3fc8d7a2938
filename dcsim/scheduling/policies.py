"""Schedulers and placements by the names that scenarios use."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

from dcsim.records import InputError
from dcsim.scheduling.easy import easy
from dcsim.scheduling.placement import best_fit, pack, spread
from dcsim.scheduling.protocol import Placement, Scheduler
from dcsim.scheduling.queue_order import first_come, first_fit, shortest_first

SCHEDULERS: Mapping[str, Scheduler] = {
    "fcfs": first_come,
    "fifo": first_come,
    "sjf": shortest_first,
    "firstfit": first_fit,
    "easy": easy,
}

PLACEMENTS: Mapping[str, Placement] = {"best-fit": best_fit, "pack": pack, "spread": spread}

Policy = TypeVar("Policy")


def scheduler(name: str) -> Scheduler:
    """The scheduler of that name; InputError with the nearest name when there is none."""
    return _named("scheduler", name, SCHEDULERS)


def placement(name: str) -> Placement:
    """The placement of that name; InputError with the nearest name when there is none."""
    return _named("placement", name, PLACEMENTS)


def _named(kind: str, name: str, known: Mapping[str, Policy]) -> Policy:
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
    raise InputError(f"there is no {kind} called {name!r}; {hint}")

"""What a policy's name means, and the parameters that policies have.

A policy is an order of the queue and a rule for what a job that does not fit means to those
behind it; some stop running jobs for better-ranked ones. Replays and the simulated cluster
take the same names and the same parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from dcsim.records import InputError
from dcsim.scheduling.ranked_state import (
    ATTAINED,
    BLOCK,
    DOMINANT,
    ESTIMATE,
    FAIR_SHARE,
    PRIORITY,
    REMAINING,
    RESERVE,
    SKIP,
    SUBMITTED,
)

#: Policies whose compiled loops need nothing of the general one.
PLAIN_POLICIES = ("fcfs", "sjf", "firstfit", "easy", "conservative")

_BASES: Mapping[str, tuple[int, int, bool]] = {
    "fcfs": (SUBMITTED, BLOCK, False),
    "sjf": (ESTIMATE, BLOCK, False),
    "firstfit": (SUBMITTED, SKIP, False),
    "easy": (SUBMITTED, RESERVE, False),
    "priority": (PRIORITY, BLOCK, False),
    "fairshare": (FAIR_SHARE, BLOCK, False),
    "drf": (DOMINANT, BLOCK, False),
    "srtf": (REMAINING, SKIP, True),
    "las": (ATTAINED, SKIP, True),
}
_RULES: Mapping[str, int] = {"easy": RESERVE, "firstfit": SKIP}
#: Every policy by its name; those with an order of their own also take +easy or +firstfit.
POLICIES: tuple[str, ...] = (
    *PLAIN_POLICIES,
    "priority",
    "fairshare",
    "drf",
    "srtf",
    "las",
    "elastic",
)


@dataclass(frozen=True, slots=True)
class Ranking:
    """A policy as an order, a rule and whether it stops running jobs."""

    order: int
    rule: int
    preemptive: bool


def ranking(policy: str) -> Ranking:
    """The meaning of `BASE[+easy|+firstfit][+preempt]`; InputError with the nearest name."""
    base, *modifiers = policy.split("+")
    if base not in _BASES:
        near = get_close_matches(base, POLICIES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(POLICIES)}"
        raise InputError(f"unknown policy {policy!r}; {hint}")
    order, rule, preemptive = _BASES[base]
    for modifier in modifiers:
        if modifier == "preempt" and order in (SUBMITTED, ESTIMATE, PRIORITY):
            preemptive = True
        elif modifier in _RULES and base not in ("srtf", "las", "easy", "firstfit"):
            rule = _RULES[modifier]
        else:
            raise InputError(
                f"policy {policy!r}: {base} does not combine with {modifier!r}; fcfs, sjf, "
                "priority, fairshare and drf take +easy or +firstfit; fcfs, sjf and priority "
                "take +preempt"
            )
    if preemptive and rule == RESERVE:
        raise InputError(
            f"policy {policy!r}: a preemptive policy makes no reservations; drop +easy"
        )
    return Ranking(order, rule, preemptive)


@dataclass(frozen=True, slots=True)
class Window:
    """Accelerators closed from `start_s` to `end_s` to all but `owner` (a user or group).

    Nodes `first` up to `last`, exclusive; of a pool, `last - first` accelerators.
    """

    first: int
    last: int
    start_s: float
    end_s: float
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Tuning:
    """Parameters of fair share and of least attained service.

    Usage halves in `half_life_s` and age counts in full after `full_age_s` (Slurm's defaults:
    7 days each); the four weights multiply factors between 0 and 1. Jobs that attained
    `las_threshold_s` accelerator-seconds fall into the second queue.
    """

    half_life_s: float = 7 * 86400.0
    full_age_s: float = 7 * 86400.0
    age_weight: float = 1000.0
    fairshare_weight: float = 10000.0
    size_weight: float = 0.0
    priority_weight: float = 10000.0
    las_threshold_s: float = 3600.0

"""Schedulers and placements by the names that scenarios use."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from dcsim.records import InputError
from dcsim.scheduling.conservative import conservative
from dcsim.scheduling.easy import easy
from dcsim.scheduling.placement import best_fit, fragmentation_aware, pack, racks, spread
from dcsim.scheduling.protocol import Placement, Rules, Scheduler
from dcsim.scheduling.queue_order import first_come, first_fit, shortest_first
from dcsim.scheduling.ranking import Tuning, ranking

#: Schedulers that need nothing but the queue and the nodes.
_PLAIN: Mapping[str, Scheduler] = {
    "fcfs": first_come,
    "fifo": first_come,
    "sjf": shortest_first,
    "firstfit": first_fit,
    "easy": easy,
    "conservative": conservative,
}
#: Those that are made of a ranking and a rule, with the combinations that make sense.
_RANKED = (
    *(f"fcfs{rule}" for rule in ("+easy", "+firstfit", "+preempt")),
    *(f"sjf{rule}" for rule in ("+easy", "+firstfit", "+preempt")),
    *(f"priority{rule}" for rule in ("", "+easy", "+firstfit", "+preempt")),
    *(f"fairshare{rule}" for rule in ("", "+easy", "+firstfit")),
    *(f"drf{rule}" for rule in ("", "+easy", "+firstfit")),
    "srtf",
    "las",
)
#: Every name of a scheduler.
SCHEDULERS: tuple[str, ...] = (*_PLAIN, *_RANKED, "elastic")

#: Every name of a placement.
PLACEMENTS: tuple[str, ...] = ("best-fit", "pack", "spread", "rack", "fgd")
#: The placements that go with rankings, quotas and windows.
COMPILED_PLACEMENTS = PLACEMENTS[:3]


def scheduler(
    name: str, rules: Rules | None = None, tuning: Tuning | None = None, place: str = "best-fit"
) -> Scheduler:
    """The scheduler of that name under `rules`, with the placement called `place`.

    Raises InputError with the nearest name when there is none, and where the placement or
    the rules do not go with it.
    """
    _known("scheduler", name, SCHEDULERS)
    rules = rules or Rules()
    is_bound = bool(rules.quota or rules.closures)
    if name in _PLAIN and not is_bound:
        return _PLAIN[name]
    if name in ("conservative", "elastic"):
        if is_bound:
            raise InputError(f"{name} scheduling knows no quotas and no windows; choose another")
        from dcsim.scheduling.elastic import elastic

        return elastic
    if place not in COMPILED_PLACEMENTS:
        raise InputError(
            f"placement {place} goes with the schedulers {', '.join(_PLAIN)} without quotas and "
            f"windows; with {name} choose {', '.join(COMPILED_PLACEMENTS)}"
        )
    from dcsim.scheduling.ranked import ranked

    return ranked(ranking(name.replace("fifo", "fcfs")), rules, tuning or Tuning())


def stops_jobs(name: str) -> bool:
    """Whether the scheduler of that name stops or resizes running jobs."""
    if name == "elastic":
        return True
    return name not in _PLAIN and ranking(name).preemptive


def placement(name: str, rack_nodes: int = 1, sizes: Sequence[int] = ()) -> Placement:
    """The placement of that name; InputError with the nearest name when there is none.

    `rack_nodes` neighbouring nodes are a rack, `sizes` what the jobs of the workload ask for.
    """
    _known("placement", name, PLACEMENTS)
    simple = {"best-fit": best_fit, "pack": pack, "spread": spread}
    if name in simple:
        return simple[name]
    return racks(rack_nodes) if name == "rack" else fragmentation_aware(sizes)


def _known(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
        raise InputError(f"there is no {kind} called {name!r}; {hint}")

"""Which candidate is recommended, what binds, and why each rival lost.

The rule: of the candidates that can run and meet every hard objective with the asked
confidence, those that no other beats on both time and money; among them the one that
misses the fewest soft objectives, then by the least, then the cheapest, then the fastest.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from dcsim.planner.candidates import Candidate
from dcsim.planner.frontier import pareto
from dcsim.planner.objectives import Verdict
from dcsim.planner.reasons import against, gain, missed, worst_missed

#: A limit that costs less than this share of the money is not worth a planner's attention.
NOTICEABLE = 0.05


@dataclass(frozen=True, slots=True)
class Binding:
    """A constraint without which another plan would win.

    `excludes` counts the candidates that it alone rules out or that miss it; `without`
    is the candidate that would be chosen, None when lifting it alone does not help.
    """

    constraint: str
    kind: str
    excludes: int
    without: str | None
    text: str

    def to_json(self) -> dict[str, object]:
        """The form in `plan --json`."""
        return {
            "constraint": self.constraint,
            "kind": self.kind,
            "excludes": self.excludes,
            "without": self.without,
            "text": self.text,
        }


def feasible(candidate: Candidate, lifted: Collection[str] = ()) -> bool:
    """Whether it can run and meets every hard objective; `lifted` constraints are ignored.

    A constraint is `memory`, `site` or the name of an objective.
    """
    if candidate.outcome is None or (candidate.refusal and candidate.refused_by not in lifted):
        return False
    return all(
        v.met or not v.objective.hard or v.objective.name in lifted for v in candidate.verdicts
    )


def frontier(candidates: Sequence[Candidate], lifted: Collection[str] = ()) -> list[Candidate]:
    """The feasible candidates that no other feasible one beats on time and money."""
    able = [c for c in candidates if feasible(c, lifted)]
    keep = pareto([c.time_s for c in able], [c.cost_usd for c in able])
    return [c for c, best in zip(able, keep, strict=True) if best]


def recommend(candidates: Sequence[Candidate], lifted: Collection[str] = ()) -> Candidate | None:
    """The candidate that the rule of this module picks; None when none is feasible."""

    def rank(candidate: Candidate) -> tuple[int, float, float, float, str]:
        missing = [v for v in candidate.verdicts if not v.met and v.objective.name not in lifted]
        shortfall = sum(v.shortfall for v in missing)
        return len(missing), shortfall, candidate.cost_usd, candidate.time_s, candidate.id

    return min(frontier(candidates, lifted), key=rank, default=None)


def nearest_miss(candidates: Sequence[Candidate]) -> Candidate | None:
    """Of candidates none of which is feasible, the one that misses by the least.

    One that can run comes before one that cannot; None where nothing has a layout.
    """

    def distance(candidate: Candidate) -> tuple[bool, float, float, str]:
        hard = [v.shortfall for v in candidate.verdicts if v.objective.hard and not v.met]
        return bool(candidate.refusal), max(hard, default=0.0), candidate.cost_usd, candidate.id

    return min((c for c in candidates if c.outcome is not None), key=distance, default=None)


def compare(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The candidates with `status` and `why_not`, in the order given."""
    chosen = recommend(candidates)
    best = {c.id for c in frontier(candidates)}
    return tuple(_compared(c, chosen, c.id in best) for c in candidates)


def _compared(candidate: Candidate, chosen: Candidate | None, on_frontier: bool) -> Candidate:
    if not feasible(candidate):
        hard = [v for v in candidate.verdicts if v.objective.hard]
        worst = worst_missed(hard)
        reason = candidate.refusal or (missed(worst) if worst else "has no layout")
        return replace(candidate, status="infeasible", why_not=reason)
    if chosen is not None and candidate.id == chosen.id:
        return replace(candidate, status="recommended")
    status = "frontier" if on_frontier else "dominated"
    return replace(candidate, status=status, why_not=_lost(candidate, chosen))


def _lost(candidate: Candidate, chosen: Candidate | None) -> str:
    met = {v.objective.name for v in chosen.verdicts if v.met} if chosen else set()
    worst = worst_missed([v for v in candidate.verdicts if v.objective.name in met])
    if worst is not None:
        return missed(worst)
    if chosen is None:
        return ""
    return against(candidate.time_s, candidate.cost_usd, chosen.time_s, chosen.cost_usd)


def binding_constraints(candidates: Sequence[Candidate]) -> tuple[Binding, ...]:
    """The constraints without which the recommendation would be noticeably better.

    Each is lifted by itself. Where no plan is feasible and none becomes so, all that the
    nearest miss violates are named.
    """
    chosen = recommend(candidates)
    verdicts = next((c.verdicts for c in candidates if c.verdicts), ())
    names = ["memory", "site", *(v.objective.name for v in verdicts)]
    found = []
    for name in names:
        other = recommend(candidates, {name})
        if other is not None and (chosen is None or _betters(other, chosen, name)):
            found.append(_binding(name, verdicts, candidates, chosen, other))
    if chosen is None and not found:
        near = nearest_miss(candidates)
        violated = [near.refused_by] if near and near.refusal else []
        violated += [v.objective.name for v in near.verdicts if not v.met] if near else []
        found = [_binding(name, verdicts, candidates, None, None) for name in violated]
    return tuple(found)


def _betters(other: Candidate, chosen: Candidate, lifted: str) -> bool:
    """Whether `other` is noticeably better by the rule once `lifted` does not count."""

    def missing(candidate: Candidate) -> float:
        return sum(v.shortfall for v in candidate.verdicts if v.objective.name != lifted)

    gained = chosen.cost_usd - other.cost_usd
    return missing(other) < missing(chosen) or gained > NOTICEABLE * chosen.cost_usd


def _binding(
    name: str,
    verdicts: Sequence[Verdict],
    candidates: Sequence[Candidate],
    chosen: Candidate | None,
    other: Candidate | None,
) -> Binding:
    objective = next((v.objective for v in verdicts if v.objective.name == name), None)
    excluded = [
        c
        for c in candidates
        if c.refused_by == name or any(v.objective.name == name and not v.met for v in c.verdicts)
    ]
    label = f'"{objective.text or objective.name}"' if objective else f"the {name} limit"
    if other is None:
        text = f"{label} rules out {len(excluded)} of {len(candidates)} candidates"
    elif chosen is None:
        text = f"without {label}, {other.label} would do"
    else:
        better = gain(other.time_s, other.cost_usd, chosen.time_s, chosen.cost_usd)
        text = f"without {label}, {other.label} would win ({better})"
    kind = "objective" if objective else name
    return Binding(name, kind, len(excluded), other.id if other else None, text)

"""Candidates: a cluster with a layout for each job, and how they fare."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dcsim.catalogue import LOCAL
from dcsim.planner.objectives import Verdict
from dcsim.planner.outcomes import Outcome
from dcsim.planner.reasons import memory
from dcsim.planner.screen import Screening, Step, screen
from dcsim.planner.space import ClusterOption, spares_range
from dcsim.records.profile import Profile
from dcsim.scenario.resolved import Scenario, TrainingWork


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cluster and a layout of every training job on it.

    `spares` nodes of every group stand ready to replace broken ones. `refusal` says why
    it cannot run at all, `refused_by` what refuses it (`memory`, `site`, `layout`); both
    are empty for one that can. `outcome` is None where a job has no layout at all.
    `status` and `why_not` are filled in when all are compared.
    """

    id: str
    option: ClusterOption
    steps: tuple[Step, ...]
    spares: int = 0
    refusal: str = ""
    refused_by: str = ""
    outcome: Outcome | None = None
    verdicts: tuple[Verdict, ...] = ()
    status: str = ""
    why_not: str = field(default="")

    @property
    def lead(self) -> Step | None:
        """The job that computes most; its layout is shown. None without training."""
        return _lead(self.steps)

    @property
    def label(self) -> str:
        """The cluster and the leading layout in words, `16 × hgx-h100, DP 128, mb 2`."""
        nodes = " + ".join(f"{g.count} × {g.node.name}" for g in self.option.groups)
        if self.lead is None:
            return nodes or self.id
        layout = self.lead.layout
        degrees = [("TP", layout.tp), ("PP", layout.pp), ("CP", layout.cp), ("EP", layout.ep)]
        shown = [f"{name} {n}" for name, n in degrees if n > 1] + [f"DP {layout.dp}"]
        return f"{nodes}, {', '.join(shown)}, mb {layout.micro_batch}"

    @property
    def time_s(self) -> float:
        """Median makespan; infinite where there is no outcome."""
        return self.outcome.time.value if self.outcome else float("inf")

    @property
    def cost_usd(self) -> float:
        """Median cost; infinite where there is no outcome."""
        return self.outcome.cost.value if self.outcome else float("inf")


@dataclass(frozen=True, slots=True)
class Space:
    """Everything that was looked at: the candidates kept and the layouts screened."""

    candidates: tuple[Candidate, ...]
    layouts: int
    clusters: int


def build_candidates(
    options: Sequence[ClusterOption],
    scenario: Scenario,
    profile: Profile,
    advance: Callable[[int], None],
    as_given: bool = False,
) -> Space:
    """Screen every layout on every cluster and keep the candidates worth comparing.

    Of each cluster and number of spares: the fastest layouts of the job that computes
    most (the other jobs take their fastest), and the fastest that memory rules out.
    `as_given` leaves out what
    the plan varies and keeps one candidate a cluster: the fastest that fits, else the
    fastest. `advance` is told the number of clusters done.
    """
    works = [work for work in scenario.workload if isinstance(work, TrainingWork)]
    seen: dict[tuple[str, str, int, int], Screening] = {}
    found: list[Candidate] = []
    for done, option in enumerate(options, start=1):
        found.extend(_of_cluster(option, works, scenario, profile, seen, as_given))
        advance(done)
    return Space(tuple(found), sum(s.layouts for s in seen.values()), len(options))


def _of_cluster(
    option: ClusterOption,
    works: Sequence[TrainingWork],
    scenario: Scenario,
    profile: Profile,
    seen: dict[tuple[str, str, int, int], Screening],
    as_given: bool,
) -> list[Candidate]:
    """The candidates of one cluster over the numbers of spares that are worth trying."""
    tried, wanted = spares_range(option, scenario, as_given)
    found: list[Candidate] = []
    stuck: list[Candidate] = []
    taken = 0
    for spares in tried:
        screenings = []
        for work in works:
            group = option.group_of(work)
            key = (work.name, group.node.name, group.count, spares)
            if key not in seen:
                seen[key] = screen(work, option, scenario, profile, spares, as_given)
            screenings.append(seen[key])
        candidates = _of_option(option, spares, screenings)
        if candidates[0].refused_by == "layout":
            stuck.extend(candidates)
            continue
        found.extend(candidates[:1] if as_given else candidates)
        taken += 1
        if taken == wanted:
            break
    return found or stuck[:1]


def _of_option(
    option: ClusterOption, spares: int, screenings: Sequence[Screening]
) -> list[Candidate]:
    stuck = [s for s in screenings if not s.best and s.misfit is None]
    if stuck:
        return [Candidate(_id(option, None), option, (), spares, _no_layout(stuck[0]), "layout")]
    combinations = [(steps, "", "") for steps in _fitting(screenings)]
    misfit = _misfit(screenings)
    if misfit is not None:
        worst = max(misfit, key=lambda s: s.memory_device_bytes / s.memory_capacity_bytes)
        reason = memory(worst.memory_device_bytes, worst.memory_capacity_bytes)
        combinations.append((misfit, reason, "memory"))
    if option.violations:
        combinations = [(combinations[0][0], option.violations[0], "site")]
    return [
        Candidate(_id(option, _lead(steps)), option, steps, spares, refusal, by)
        for steps, refusal, by in combinations
    ]


def _lead(steps: Sequence[Step]) -> Step | None:
    return max(steps, key=lambda step: step.model_flops * step.steps, default=None)


def _fitting(screenings: Sequence[Screening]) -> list[tuple[Step, ...]]:
    """One combination for each of the leading job's layouts that fit."""
    if not all(s.best for s in screenings):
        return []
    first = tuple(s.best[0] for s in screenings)
    if not screenings:
        return [first]
    lead = max(range(len(first)), key=lambda i: first[i].model_flops * first[i].steps)
    return [(*first[:lead], choice, *first[lead + 1 :]) for choice in screenings[lead].best]


def _misfit(screenings: Sequence[Screening]) -> tuple[Step, ...] | None:
    """The fastest combination, whether it fits or not; None when it fits."""
    steps = tuple(s.misfit if s.misfit is not None else s.best[0] for s in screenings)
    return None if all(step.fits for step in steps) else steps


def _no_layout(screening: Screening) -> str:
    asked = screening.work.accelerators
    if screening.accelerators < 1:
        wanted = f"{asked}" if asked is not None else "1"
        has = screening.group.count * screening.group.node.accelerators
        return f"{screening.work.name} needs {wanted} of {has} GPUs"
    return f"no layout of {screening.work.name} divides {screening.accelerators} GPUs"


def _id(option: ClusterOption, lead: Step | None) -> str:
    """A name that says what the candidate is, unique among the candidates."""
    nodes = "+".join(f"{group.count}x{group.node.name}" for group in option.groups)
    if lead is None:
        return nodes or LOCAL
    layout = lead.layout
    degrees = [("tp", layout.tp), ("pp", layout.pp), ("vp", layout.vp), ("cp", layout.cp)]
    degrees += [("ep", layout.ep), ("dp", layout.dp)]
    shown = "".join(f"-{name}{n}" for name, n in degrees if n > 1) or "-dp1"
    return f"{nodes}{shown}-mb{layout.micro_batch}-{layout.recompute}-z{layout.zero_stage}"

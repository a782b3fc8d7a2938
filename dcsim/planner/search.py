"""From a scenario to compared candidates: screen all, simulate the finalists, choose."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dcsim.calibration import update_with_runs
from dcsim.execution import run_real_job
from dcsim.planner.build import simulation_spec
from dcsim.planner.candidates import Candidate, Space, build_candidates
from dcsim.planner.choose import feasible, frontier, recommend
from dcsim.planner.expected import expected_outcome
from dcsim.planner.finalists import collect, run_specs
from dcsim.planner.objectives import judge_all
from dcsim.planner.parallel import simulate_all
from dcsim.planner.progress import Progress
from dcsim.planner.sampling import Scores, draw_scores
from dcsim.planner.screen import KEPT
from dcsim.planner.space import ClusterOption, repriced
from dcsim.records.profile import Profile
from dcsim.records.real_run import RealRun
from dcsim.scenario.resolved import NodeGroup, RealWork, Scenario
from dcsim.simulation import SimulationSpec

#: Real jobs with what was measured of each, in the scenario's order.
Real = tuple[tuple[RealWork, RealRun], ...]


@dataclass(frozen=True, slots=True)
class Search:
    """A search as it ended: the candidates with their outcomes, and what they rest on.

    `profile` is the one that was used, updated with the real jobs' steps. `specs` holds
    what each simulated candidate's simulation was given, by candidate.
    """

    scenario: Scenario
    seed: int
    profile: Profile
    real: Real
    scores: Scores
    space: Space
    candidates: tuple[Candidate, ...]
    specs: dict[str, SimulationSpec]


def measure_real_jobs(scenario: Scenario, measure: bool, progress: Progress) -> Real:
    """Run every real job of the scenario on this machine, or read its cached timings."""
    found = []
    for work in scenario.workload:
        if isinstance(work, RealWork):
            progress.start("measuring", f"{work.job} on this machine")
            run = run_real_job(
                work, measure=measure, progress=lambda at: progress.advance(at.step, at.steps)
            )
            progress.finish("from the cache" if run.cached else "cached next time")
            found.append((work, run))
    return tuple(found)


def search(
    scenario: Scenario,
    options: Sequence[ClusterOption],
    profile: Profile,
    seed: int,
    measure: bool,
    progress: Progress,
    finalists: int,
    as_given: bool = False,
    audit: bool = False,
) -> Search:
    """Screen the layouts on `options`, simulate up to `finalists` candidates (and every
    one that would be recommended), and judge all on one basis.

    `audit` re-checks every invariant of the simulation after each of its events.
    """
    real = measure_real_jobs(scenario, measure, progress)
    used = update_with_runs(profile, [run for _, run in real])
    space = _screened(scenario, options, used, progress, as_given)
    scores = _scores(scenario, options, seed)
    drafts = kept(evaluate_expected(space.candidates, scenario, scores, real))
    first = choose_finalists(drafts, finalists)
    simulated, specs = _simulate(first, scenario, scores, real, progress, audit)
    candidates = _on_one_basis(drafts, simulated, scenario, scores, real)
    while (chosen := recommend(candidates)) is not None and chosen.id not in simulated:
        # Simulation moved the figures so that an unsimulated candidate now wins.
        more, more_specs = _simulate([chosen], scenario, scores, real, progress, audit)
        simulated, specs = simulated | more, specs | more_specs
        candidates = _on_one_basis(drafts, simulated, scenario, scores, real)
    return Search(scenario, seed, used, real, scores, space, tuple(candidates), specs)


def _screened(
    scenario: Scenario,
    options: Sequence[ClusterOption],
    profile: Profile,
    progress: Progress,
    as_given: bool,
) -> Space:
    clusters = f"{len(options)} cluster{'s' if len(options) > 1 else ''}"
    progress.start("screening", f"every layout on {clusters}", len(options))
    space = build_candidates(options, scenario, profile, progress.advance, as_given)
    progress.finish(f"{space.layouts:,} layouts")
    return space


def _scores(scenario: Scenario, options: Sequence[ClusterOption], seed: int) -> Scores:
    chips = [group.node.accelerator for option in options for group in option.groups]
    return draw_scores(scenario.plan.seeds, seed, chips, [option.price_key for option in options])


def evaluate_expected(
    candidates: Sequence[Candidate],
    scenario: Scenario,
    scores: Scores,
    real: Real,
    correction: dict[str, float] | None = None,
) -> list[Candidate]:
    """The candidates with their expected outcome and verdicts under `scenario`.

    `correction` multiplies the time of a candidate, by its id. A candidate without any
    layout stays without an outcome.
    """
    factors = correction or {}
    found = []
    for candidate in candidates:
        if candidate.refused_by == "layout":
            found.append(replace(candidate, outcome=None, verdicts=()))
            continue
        option = repriced(candidate.option, scenario)
        outcome = expected_outcome(
            candidate.steps, real, option, scenario, scores, factors.get(candidate.id, 1.0)
        )
        verdicts = judge_all(scenario.objectives, outcome.samples())
        found.append(replace(candidate, outcome=outcome, verdicts=verdicts))
    return found


def kept(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Of each cluster the candidates worth showing, in the order given.

    The fastest few that can run, and the fastest of what is refused where it would be
    faster than those (a limit that excludes only slower plans excludes nothing), or where
    nothing can run.
    """
    clusters: dict[tuple[NodeGroup, ...], list[Candidate]] = {}
    for candidate in sorted(candidates, key=lambda c: (c.time_s, c.id)):
        clusters.setdefault(candidate.option.groups, []).append(candidate)
    names: set[str] = set()
    for members in clusters.values():
        able = [c for c in members if not c.refusal][:KEPT]
        refused = [c for c in members if c.refusal][:1]
        if able and refused and refused[0].time_s >= able[0].time_s:
            refused = []
        names |= {c.id for c in able + refused}
    return [c for c in candidates if c.id in names]


def choose_finalists(candidates: Sequence[Candidate], most: int) -> list[Candidate]:
    """The candidates worth simulating, at most `most`, best first.

    Of every cluster the fastest that can run: what meets its objectives before what
    misses them, the frontier before what is beaten, then by how little is missed.
    """
    ahead = {c.id for c in frontier(candidates)}

    def rank(c: Candidate) -> tuple[bool, bool, float, float, str]:
        shortfall = sum(v.shortfall for v in c.verdicts)
        return not feasible(c), c.id not in ahead, shortfall, c.cost_usd, c.id

    return sorted(fastest_of_clusters(candidates), key=rank)[:most]


def fastest_of_clusters(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Of every cluster the fastest candidate that can run, in the order given."""
    first: dict[tuple[NodeGroup, ...], Candidate] = {}
    for candidate in candidates:
        if candidate.outcome is not None and not candidate.refusal:
            groups = candidate.option.groups
            if groups not in first or candidate.time_s < first[groups].time_s:
                first[groups] = candidate
    names = {c.id for c in first.values()}
    return [c for c in candidates if c.id in names]


def _simulate(
    chosen: Sequence[Candidate],
    scenario: Scenario,
    scores: Scores,
    real: Real,
    progress: Progress,
    audit: bool,
) -> tuple[dict[str, Candidate], dict[str, SimulationSpec]]:
    done, seeds = 0, len(scores.seeds)

    def ran() -> None:
        nonlocal done
        done += 1
        progress.advance(done)

    simulated: dict[str, Candidate] = {}
    specs: dict[str, SimulationSpec] = {}
    if not chosen:
        return simulated, specs
    finalists = "1 finalist" if len(chosen) == 1 else f"{len(chosen)} finalists"
    progress.start("simulating", f"{finalists} × {seeds} seeds", len(chosen) * seeds)
    tasks = []
    for candidate in chosen:
        spec = simulation_spec(candidate.option, candidate.steps, real, scenario, candidate.spares)
        specs[candidate.id] = replace(spec, audit=audit)
        tasks += run_specs(specs[candidate.id], candidate.steps, scores)
    runs = simulate_all(tasks, ran)
    for i, candidate in enumerate(chosen):
        outcome = collect(runs[i * seeds : (i + 1) * seeds], candidate.option, scores)
        verdicts = judge_all(scenario.objectives, outcome.samples())
        simulated[candidate.id] = replace(candidate, outcome=outcome, verdicts=verdicts)
    progress.finish()
    return simulated, specs


def _on_one_basis(
    drafts: Sequence[Candidate],
    simulated: dict[str, Candidate],
    scenario: Scenario,
    scores: Scores,
    real: Real,
) -> list[Candidate]:
    """All candidates, the screened ones moved by what simulation found.

    A screened candidate takes the ratio of simulated to expected time of the simulated
    one on the same cluster, else the geometric mean of all ratios.
    """
    expected = {c.id: c for c in drafts}
    ratios = {
        name: candidate.time_s / expected[name].time_s for name, candidate in simulated.items()
    }
    general = float(np.exp(np.mean(np.log(list(ratios.values()))))) if ratios else 1.0
    by_cluster = {simulated[name].option.groups: ratio for name, ratio in ratios.items()}
    rest = [c for c in drafts if c.id not in simulated]
    correction = {c.id: by_cluster.get(c.option.groups, general) for c in rest}
    moved = {
        c.id: c for c in evaluate_expected(rest, scenario, scores, real, correction)
    } | simulated
    return [moved[c.id] for c in drafts]

"""Many what-ifs of one scenario: which there are, what each is, and running them on all cores.

A point is known by a hash of everything that decides its figures, so that a sweep that was
stopped goes on where it was. What a point yields depends on nothing but that, so that the
number of workers changes only the time.
"""

import hashlib
import itertools
import json
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcsim._version import __version__
from dcsim.planner.plan import plan, run
from dcsim.planner.progress import Progress, Silent
from dcsim.planner.search import measure_real_jobs
from dcsim.records import Fault, InputError
from dcsim.records.profile import Profile
from dcsim.scenario import with_overrides
from dcsim.scenario.resolved import Scenario

#: More points than this are refused: they would take days and are hardly meant.
MOST_POINTS = 10_000

_CANDIDATE_METRICS = {
    "time_s": "total.finish",
    "cost_usd": "total.cost",
    "energy_kwh": "total.energy",
    "carbon_kg": "total.carbon",
}
_SHOWN = ("id", "node_type", "nodes", "gpus")


@dataclass(frozen=True, slots=True)
class Point:
    """One what-if: its number from 0, the changed values by dotted key, and its hash."""

    index: int
    changes: Mapping[str, Any]
    key: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep is about: `kind` is `run` or `plan`; `seed` None keeps the scenario's."""

    path: Path
    kind: str
    profile: Profile
    seed: int | None
    points: tuple[Point, ...]


def grid(axes: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values, the last key changing fastest."""
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def prepare(
    path: Path,
    combinations: Sequence[Mapping[str, Any]],
    *,
    kind: str,
    profile: Profile,
    seed: int | None = None,
) -> Sweep:
    """The sweep over these changes of the scenario at `path`, every one of them checked.

    Raises InputError for the first change that does not lead to a valid scenario, and for
    none or too many of them.
    """
    if not combinations:
        raise InputError("there is nothing to sweep; name a key with --vary KEY=V1,V2")
    if len(combinations) > MOST_POINTS:
        raise InputError(f"{len(combinations):,} points are more than {MOST_POINTS:,}")
    if seed is not None and any("seed" in changes for changes in combinations):
        raise InputError("the seed is varied and given by --seed; choose one")
    points = []
    for index, changes in enumerate(combinations):
        scenario = changed(path, changes)
        points.append(Point(index, dict(changes), point_key(scenario, kind, profile, seed)))
    return Sweep(path, kind, profile, seed, tuple(points))


def changed(path: Path, changes: Mapping[str, Any]) -> Scenario:
    """The scenario with `changes`; an InputError says with which of them it is wrong."""
    try:
        return with_overrides(path, changes)
    except InputError as error:
        what = ", ".join(f"{key}={value}" for key, value in changes.items())
        raise InputError(
            [
                Fault(f"{fault.message} (with {what})", fault.file, field=fault.field)
                for fault in error.faults
            ]
        ) from None


def point_key(scenario: Scenario, kind: str, profile: Profile, seed: int | None) -> str:
    """SHA-256 of the changed scenario's text, the kind, the profile, the seed and the version."""
    facts = {
        "text": hashlib.sha256(scenario.text).hexdigest(),
        "kind": kind,
        "profile": profile.to_json(),
        "seed": scenario.seed if seed is None else seed,
        "version": __version__,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def evaluate(sweep: Sweep, point: Point, progress: Progress | None = None) -> dict[str, Any]:
    """What one point yields, as a JSON document.

    `status` is done, missed (an objective is), infeasible (a plan without a candidate) or
    refused (a run that cannot be), with `reason`; `metrics` are intervals by name.
    """
    scenario = changed(sweep.path, point.changes)
    seed = scenario.seed if sweep.seed is None else sweep.seed
    work = plan if sweep.kind == "plan" else run
    summary = work(scenario, sweep.profile, seed=seed, progress=progress or Silent()).summary
    subject, figures, status, reason = _reading(summary, sweep.kind)
    return {
        "key": point.key,
        "kind": sweep.kind,
        "seed": seed,
        "version": __version__,
        "changes": dict(point.changes),
        "status": status,
        "reason": reason,
        "configuration": {name: subject.get(name) for name in _SHOWN},
        "metrics": figures,
        "objectives": summary["objectives"],
    }


def _reading(
    summary: Mapping[str, Any], kind: str
) -> tuple[Mapping[str, Any], dict[str, Any], str, str]:
    """The configuration, its figures, status and reason of a plan's or a run's document."""
    missed = any(not objective["met"] for objective in summary["objectives"])
    status = "missed" if missed else "done"
    if kind == "run":
        refused = summary["refused"]
        figures = dict(summary["metrics"])
        return summary["configuration"], figures, "refused" if refused else status, refused or ""
    near = summary.get("nearest_miss") or {}
    if summary["recommended"] is None:
        return {}, {}, "infeasible", str(near.get("why_not") or "no candidate is feasible")
    rows = summary["candidates"]
    chosen = next(row for row in rows if row["id"] == summary["recommended"])
    figures = {metric: chosen[name] for name, metric in _CANDIDATE_METRICS.items()}
    return chosen, figures, status, ""


def run_points(
    sweep: Sweep,
    todo: Sequence[Point],
    workers: int,
    sink: Callable[[Point, dict[str, Any]], None],
    progress: Progress,
) -> None:
    """Evaluate the points in `todo`; `sink` gets each as soon as it is finished.

    Real jobs are measured first, here and one at a time, so that nothing disturbs them.
    With one worker everything happens in this process. An interrupt stops the others and
    is raised again.
    """
    for point in todo:
        measure_real_jobs(changed(sweep.path, point.changes), False, Silent())
    progress.start("sweeping", f"{len(todo)} point{'s' if len(todo) != 1 else ''}", len(todo))
    for done, (point, document) in enumerate(_evaluated(sweep, todo, workers), 1):
        sink(point, document)
        progress.advance(done)
    progress.finish()


def _evaluated(
    sweep: Sweep, todo: Sequence[Point], workers: int
) -> Iterator[tuple[Point, dict[str, Any]]]:
    if workers == 1 or len(todo) == 1:
        for point in todo:
            yield point, evaluate(sweep, point)
        return
    with _pool(min(workers, len(todo))) as pool:
        futures: dict[Future[dict[str, Any]], Point] = {
            pool.submit(evaluate, sweep, point): point for point in todo
        }
        for future in as_completed(futures):
            yield futures[future], future.result()


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes that end with the block, at once when it is left by an error."""
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _ignore_interrupts)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        raise
    else:
        pool.shutdown()


def _ignore_interrupts() -> None:
    # Ctrl-C reaches the whole group; the parent decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

"""The use cases, as Python functions: what the command line calls and what users import."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcsim.records import Result

if TYPE_CHECKING:
    import pandas as pd

    from dcsim.planner.progress import Progress
    from dcsim.records.profile import Profile
    from dcsim.scenario.resolved import Scenario


def load_scenario(path: str | Path) -> "Scenario":
    """The scenario file at `path`, names resolved and defaults filled in.

    Raises InputError with every fault found, each with its line.
    """
    from dcsim.scenario import load_scenario as load

    return load(Path(path))


def plan(
    scenario: "Scenario | str | Path",
    *,
    seed: int | None = None,
    profile: "Profile | str | Path | None" = None,
    measure: bool = False,
    progress: "Progress | None" = None,
) -> Result:
    """Search the scenario's candidates, simulate the finalists and recommend one.

    `seed` replaces the scenario's own; `profile` is a Profile or the file of one (default:
    the reference profile that ships); `measure` renews the cached timings of real jobs.
    The result's `summary` is the document of `dcsim plan --json`, its `tables` are pandas
    frames. Raises InputError for a profile that cannot be read.
    """
    from dcsim.planner import plan as search

    resolved = _scenario(scenario)
    return search(
        resolved,
        _profile(profile),
        seed=resolved.seed if seed is None else seed,
        measure=measure,
        progress=progress,
    )


def run(
    scenario: "Scenario | str | Path",
    *,
    seed: int | None = None,
    profile: "Profile | str | Path | None" = None,
    measure: bool = False,
    audit: bool = False,
    progress: "Progress | None" = None,
) -> Result:
    """Simulate the scenario as given; a layout that it leaves open is the fastest that fits.

    Arguments and errors as for `plan`; InputError as well when no layout fits. `audit`
    re-checks every invariant of the simulation after each event.
    """
    from dcsim.planner import run as simulate

    resolved = _scenario(scenario)
    return simulate(
        resolved,
        _profile(profile),
        seed=resolved.seed if seed is None else seed,
        measure=measure,
        audit=audit,
        progress=progress,
    )


def sweep(
    scenario: str | Path,
    combinations: Sequence[Mapping[str, Any]],
    *,
    out: str | Path,
    kind: str = "run",
    workers: int | None = None,
    seed: int | None = None,
    profile: "Profile | str | Path | None" = None,
    progress: "Progress | None" = None,
) -> dict[str, Any]:
    """Run (or `kind="plan"`) the scenario file once for each of `combinations`.

    A combination maps dotted keys to values (`{"cluster.nodes.main.count": 16}`). Points
    that `out` holds already are read, not repeated; the others are computed by `workers`
    processes (default: one a core) and written one by one. Then the table
    (`sweep.csv`, `sweep.parquet`), the document that is returned (`sweep.json`) and, for
    one or two keys, a figure are written. Raises InputError for a key or value that is
    wrong, before anything is computed.
    """
    import os

    from dcsim.planner.progress import Silent
    from dcsim.planner.sweep import prepare, run_points
    from dcsim.report.figures.sweep import sweep_svg
    from dcsim.store import sweeps

    asked = prepare(Path(scenario), combinations, kind=kind, profile=_profile(profile), seed=seed)
    directory = sweeps.open_sweep(out)
    todo = {
        point.key: point
        for point in asked.points
        if sweeps.read_point(directory, point.key) is None
    }
    run_points(
        asked,
        list(todo.values()),
        workers or os.cpu_count() or 1,
        lambda point, document: sweeps.write_point(directory, point.key, document),
        progress or Silent(),
    )
    points = [sweeps.read_point(directory, point.key) or {} for point in asked.points]
    keys = list(dict.fromkeys(key for point in asked.points for key in point.changes))
    figure = sweep_svg(keys, points)
    document = {
        "scenario": load_scenario(scenario).name,
        "kind": kind,
        "version": points[0]["version"],
        "keys": keys,
        "figure": None if figure is None else sweeps.FIGURE,
        "points": points,
    }
    sweeps.write_sweep(directory, document, sweeps.sweep_table(keys, points), figure)
    return document


def estimate_training(
    rows: "pd.DataFrame", *, profile: "Profile | str | Path | None" = None
) -> "pd.DataFrame":
    """Predict every row of a table of training configurations.

    `rows` has the layout columns of `dcsim estimate training`; the result has its output
    columns, one row each in the same order, an empty field being None. Raises InputError
    when a column that is needed is missing.
    """
    import pandas as pd

    from dcsim.cost.row_estimates import COLUMNS, estimate_rows

    text = rows.astype(object).where(rows.notna(), "").astype(str)
    records = [{str(k): v for k, v in row.items()} for row in text.to_dict("records")]
    estimates = estimate_rows(records, _profile(profile).training)
    return pd.DataFrame(list(estimates.rows), columns=list(COLUMNS))


def replay(
    trace: str | Path, policy: str = "easy", *, gpus: int | None = None, nodes: str | None = None
) -> "pd.DataFrame":
    """Replay a job trace on a pool of `gpus` accelerators or on `nodes` such as `256x8`.

    One row for each job that ran, in the trace's order and on its own clock: job_id,
    submit_s, start_s, end_s, gpus. `policy` is one of `dcsim.simulation.replay.POLICIES`.
    Raises InputError for a trace that cannot be read, an unknown policy or a wrong machine.
    """
    import pandas as pd

    from dcsim.records import InputError
    from dcsim.simulation.replay import replay as run_trace
    from dcsim.workload.traces import read_trace

    if (gpus is None) == (nodes is None):
        raise InputError('name the machine once: gpus=1024 or nodes="256x8"')
    count, _, each = (str(gpus), "x", "1") if nodes is None else nodes.partition("x")
    if not (count.isdecimal() and each.isdecimal()):
        raise InputError(f'nodes="{nodes}": write nodes x accelerators each, as in "256x8"')
    done = run_trace(read_trace(Path(trace)), policy, int(count), int(each), pool=nodes is None)
    return pd.DataFrame(
        {
            "job_id": done.trace.job_id,
            "submit_s": done.trace.submit_s,
            "start_s": done.start_s,
            "end_s": done.end_s,
            "gpus": done.trace.accelerators,
        }
    )


def _scenario(scenario: "Scenario | str | Path") -> "Scenario":
    return load_scenario(scenario) if isinstance(scenario, str | Path) else scenario


def _profile(profile: "Profile | str | Path | None") -> "Profile":
    if profile is None:
        from dcsim.calibration import reference_profile

        return reference_profile()
    if not isinstance(profile, str | Path):
        return profile
    from dcsim.calibration import load_profile

    return load_profile(profile)

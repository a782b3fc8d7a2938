"""The use cases, as Python functions: what the command line calls and what users import."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from dcsim.records import Fault, InputError, Result

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
    progress: "Progress | None" = None,
) -> Result:
    """Simulate the scenario as given; a layout that it leaves open is the fastest that fits.

    Arguments and errors as for `plan`; InputError as well when no layout fits.
    """
    from dcsim.planner import run as simulate

    resolved = _scenario(scenario)
    return simulate(
        resolved,
        _profile(profile),
        seed=resolved.seed if seed is None else seed,
        measure=measure,
        progress=progress,
    )


def _scenario(scenario: "Scenario | str | Path") -> "Scenario":
    return load_scenario(scenario) if isinstance(scenario, str | Path) else scenario


def _profile(profile: "Profile | str | Path | None") -> "Profile":
    if profile is None:
        from dcsim.calibration import reference_profile

        return reference_profile()
    if not isinstance(profile, str | Path):
        return profile
    from dcsim.records.profile import Profile

    return Profile.from_json(_read_json(Path(profile)))


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(Fault(f"cannot be read: {error.strerror}", str(path))) from None
    except ValueError as error:
        raise InputError(
            Fault(f"is not JSON ({error}); a profile comes from `dcsim calibrate`", str(path))
        ) from None

"""The two use cases: search a scenario for a plan, or run it as it is given."""

from dcsim.planner.measured import with_measurements
from dcsim.planner.progress import Progress, Silent
from dcsim.planner.search import search
from dcsim.planner.space import cluster_option, cluster_options
from dcsim.planner.summary import plan_result, run_result
from dcsim.records import Result
from dcsim.records.profile import Profile
from dcsim.scenario.resolved import Scenario


def plan(
    scenario: Scenario,
    profile: Profile,
    *,
    seed: int,
    measure: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Search every candidate of `scenario`, simulate the finalists, recommend one.

    `summary["recommended"]` is None where no candidate is feasible; the result then says
    what binds and the nearest miss.
    """
    scenario = with_measurements(scenario, profile.measured)
    found = search(
        scenario,
        cluster_options(scenario),
        profile,
        seed,
        measure,
        progress or Silent(),
        scenario.plan.finalists,
    )
    return plan_result(found)


def run(
    scenario: Scenario,
    profile: Profile,
    *,
    seed: int,
    measure: bool = False,
    audit: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Simulate `scenario` as it is given; an open layout is the fastest that fits.

    `summary["refused"]` says why it cannot run at all: no layout fits, or the site cannot
    hold the nodes.
    """
    scenario = with_measurements(scenario, profile.measured)
    option = cluster_option(scenario, scenario.cluster.groups)
    found = search(
        scenario,
        [option],
        profile,
        seed,
        measure,
        progress or Silent(),
        finalists=1,
        as_given=True,
        audit=audit,
    )
    return run_result(found)

"""The documents of `plan --json` and `run --json`, and the results they belong to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from dcsim import catalogue
from dcsim._version import __version__
from dcsim.calibration import chain
from dcsim.planner.build_policies import traces
from dcsim.planner.candidates import Candidate
from dcsim.planner.choose import binding_constraints, compare, nearest_miss
from dcsim.planner.finalists import representative, run_spec
from dcsim.planner.outcomes import unit_of
from dcsim.planner.provenance import assumptions, sources
from dcsim.planner.search import Search, evaluate_expected, fastest_of_clusters
from dcsim.planner.sensitivity import sensitivity_rows
from dcsim.planner.storage_table import storage_rows
from dcsim.planner.tables import (
    Rows,
    breakdown_rows,
    candidate_record,
    candidate_rows,
    frame,
    job_rows,
    ledger_rows,
    loss_rows,
    money_rows,
    objective_rows,
    operator_rows,
    record_tables,
    run_rows,
    sharing_rows,
    wait_rows,
)
from dcsim.planner.trust import heldout_rows, published_rows
from dcsim.records import Interval, Result
from dcsim.simulation import SimulationRecord, simulate

EXIT_NO_PLAN = 3
EXIT_MISSED = 4

if TYPE_CHECKING:
    import pandas as pd

#: Candidates of one status are ordered by time in all outputs; statuses in this order.
STATUS_ORDER = ("recommended", "frontier", "dominated", "infeasible")


def plan_result(found: Search) -> Result:
    """The result of `dcsim plan` from a finished search."""
    compared = sorted(
        compare(found.candidates),
        key=lambda c: (STATUS_ORDER.index(c.status), c.time_s, c.cost_usd, c.id),
    )
    chosen = next((c for c in compared if c.status == "recommended"), None)
    shown = chosen or nearest_miss(compared)
    tables = _shared_tables(found, shown, compared)
    tables["candidates"] = frame(candidate_rows(compared))
    tables["objectives"] = frame(objective_rows(shown), "objectives")
    if chosen is not None:
        # The slower layouts of a cluster never win, whatever is varied.
        contenders = fastest_of_clusters(compared)
        rows = sensitivity_rows(
            [*(c for c in contenders if c.id != chosen.id), chosen],
            chosen,
            found.scenario,
            found.scores,
            lambda candidates, scenario, scores: evaluate_expected(
                candidates, scenario, scores, found.real
            ),
        )
        tables["sensitivity"] = frame(rows)
    summary = _plan_document(found, compared, chosen, shown, tables)
    return Result("plan", summary, tables, _inputs(found), _command("plan", found))


def _plan_document(
    found: Search,
    compared: Sequence[Candidate],
    chosen: Candidate | None,
    shown: Candidate | None,
    tables: Mapping[str, "pd.DataFrame"],
) -> dict[str, Any]:
    on_frontier = [c.id for c in compared if c.status in ("recommended", "frontier")]
    document = _head(found) | {
        "recommended": chosen.id if chosen else None,
        "candidates": [candidate_record(c) for c in compared],
        "frontier": on_frontier,
        "objectives": [v.to_json() for v in shown.verdicts] if shown else [],
        "binding_constraints": [b.to_json() for b in binding_constraints(compared)],
        "nearest_miss": None,
        "screened": {"layouts": found.space.layouts, "clusters": found.space.clusters},
        "runs": len(found.scores.seeds),
    }
    if chosen is None and shown is not None:
        document["nearest_miss"] = {"id": shown.id, "why_not": shown.why_not}
    return document | _tail(shown, tables)


def run_result(found: Search) -> Result:
    """The result of `dcsim run`, whose search held one candidate.

    `refused` says why it cannot run; its figures are then empty.
    """
    compared = compare(found.candidates)
    only = compared[0]
    tables = _shared_tables(found, None if only.refusal else only, compared)
    tables["objectives"] = frame(objective_rows(only), "objectives")
    samples = only.outcome.samples() if only.outcome and not only.refusal else {}
    document = _head(found) | {
        "metrics": {
            name: Interval.from_samples(values, unit_of(name)).to_json()
            for name, values in samples.items()
        },
        "refused": only.refusal or None,
        "configuration": candidate_record(only),
        "jobs": tables["jobs"].to_dict("records") if "jobs" in tables else [],
        "runs": len(found.scores.seeds),
        "waits": tables["waits"].to_dict("records") if "waits" in tables else [],
        "objectives": [v.to_json() for v in only.verdicts],
    }
    return Result(
        "run", document | _tail(only, tables), tables, _inputs(found), _command("run", found)
    )


def exit_code(summary: Mapping[str, Any]) -> int:
    """What a plan's or run's document means to a shell.

    0: a plan that meets its objectives; 3: nothing that can run meets every hard
    objective; 4: an objective that is not hard is missed.
    """
    missed = [o for o in summary["objectives"] if not o["met"]]
    nothing = summary["recommended"] is None if "recommended" in summary else summary["refused"]
    if nothing or any(o["hard"] for o in missed):
        return EXIT_NO_PLAN
    return EXIT_MISSED if missed else 0


def _head(found: Search) -> dict[str, Any]:
    return {
        "scenario": found.scenario.name,
        "title": found.scenario.title,
        "seed": found.seed,
        "version": __version__,
    }


def _tail(shown: Candidate | None, tables: Mapping[str, "pd.DataFrame"]) -> dict[str, Any]:
    ledger = shown.outcome.mean_seconds() if shown and shown.outcome else {}
    return {
        "ledger_s": ledger,
        "capacity_s": sum(ledger.values()),
        "assumptions": tables["assumptions"].to_dict("records"),
        "provenance": [
            {k: (None if v != v else v) for k, v in row.items()}
            for row in tables["sources"].to_dict("records")
        ],
    }


def _shared_tables(
    found: Search, shown: Candidate | None, compared: Sequence[Candidate]
) -> dict[str, "pd.DataFrame"]:
    """The tables that a plan and a run have in common, about the candidate shown."""
    scenario = found.scenario
    runs = [run for _, run in found.real]
    options = [c.option for c in compared]
    tables = {
        "assumptions": frame(assumptions(scenario, shown), "assumptions"),
        "sources": frame(sources(scenario, options, found.profile, runs)),
        "defaults": frame([asdict(d) for d in scenario.defaults], "defaults"),
        "breakdown": frame(
            breakdown_rows(compared)
            + (operator_rows(shown, scenario, found.profile) if shown else []),
            "breakdown",
        ),
        "losses": frame(loss_rows(runs), "losses"),
        "host_heldout": frame(heldout_rows(found.profile.host.held_out), "host_heldout"),
        "published": frame(published_rows(found.profile)),
        "finalist_runs": frame(run_rows(compared, found.scores), "finalist_runs"),
    }
    if shown is None or shown.outcome is None:
        return tables
    tables["ledger"] = frame(ledger_rows(shown.outcome, shown.option.rates))
    tables["money"] = frame(money_rows(shown.outcome))
    record = _record(found, shown)
    if record is not None:
        tables |= record_tables(record)
        tables["jobs"] = frame(job_rows(record, shown.steps, runs))
        if any(job.kind == "trace" for job in record.jobs):
            tables["waits"] = frame(wait_rows(record), "waits")
        tables["sharing"] = frame(_sharing_rows(found, shown), "sharing")
        storage = storage_rows(found.specs[shown.id].storage, record)
        tables["storage"] = frame(storage, "storage")
    tables["chain"] = frame(_chain_rows(found, shown, record), "chain")
    return tables


def _record(found: Search, shown: Candidate) -> SimulationRecord | None:
    """The simulated run with the median makespan, in full."""
    if shown.outcome is None or shown.id not in found.specs:
        return None
    run = representative(shown.outcome)
    spec = run_spec(found.specs[shown.id], shown.steps, found.scores, run)
    return simulate(spec, int(found.scores.seeds[run]))


def _sharing_rows(found: Search, shown: Candidate) -> Rows:
    """What the jobs of that run cost each other."""
    if shown.outcome is None:
        return []
    run = representative(shown.outcome)
    spec = run_spec(found.specs[shown.id], shown.steps, found.scores, run)
    return sharing_rows(spec, int(found.scores.seeds[run]))


def _chain_rows(found: Search, shown: Candidate, record: SimulationRecord | None) -> Rows:
    """From a measured step to the simulated run: calibration's rows and the last links."""
    # Whether a timing was measured now or read back changes nothing in the result.
    runs = [replace(run, cached=False) for _, run in found.real]
    lead = shown.lead
    if lead is None:
        return []
    rows = chain(found.profile, catalogue.accelerator(lead.group.node.accelerator), runs)

    def link(stage: str, item: str, value: float, unit: str, source: str) -> None:
        row = {"stage": stage, "item": item, "value": value, "unit": unit, "source": source}
        rows.append(row)

    link("training step", lead.work.name, lead.iteration.value, "s", "cost model, this layout")
    link("training step", f"{lead.work.name} MFU", lead.mfu, "1", "model FLOPs over the peak")
    link("simulated run", f"{lead.work.name} steps", float(lead.steps), "steps", "tokens asked")
    if record is not None:
        job = record.job(lead.work.name)
        link("simulated run", f"{job.name} step", job.step_s, "s", f"run of seed {record.seed}")
        link("simulated run", f"{job.name} time", job.run_s, "s", f"run of seed {record.seed}")
    return rows


def _inputs(found: Search) -> dict[str, bytes]:
    inputs = {found.scenario.path.name: found.scenario.text}
    return inputs | {work.path.name: work.text for work in traces(found.scenario)}


def _command(kind: str, found: Search) -> str:
    return f"dcsim {kind} {found.scenario.path.as_posix()} --seed {found.seed}"

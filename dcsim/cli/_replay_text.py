"""The terminal's view of a replay, at most 80 columns wide."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dcsim.simulation.replay.why import Why
from dcsim.units import format_quantity

MOST_USERS = 5


def summary_lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """Recorded waits first, then waits by class, use, and what to worry about."""
    where = (
        f"{summary['accelerators']:,} accelerators"
        if summary["nodes"] is None
        else f"{summary['nodes']:,} nodes, {summary['accelerators']:,} accelerators"
    )
    yield f" {summary['jobs']:,} jobs under {summary['policy']} on {where}"
    yield from _recorded(summary)
    yield ""
    yield f" {'':24}{'jobs':>9}{'mean':>10}{'P50':>10}{'P95':>10}{'max':>10}"
    yield _wait_line("wait, all jobs", summary["wait"])
    for name, statistics in summary["wait_by_size"].items():
        yield _wait_line(f"  {name} accelerators", statistics)
    for name, statistics in summary["wait_by_priority"].items():
        yield _wait_line(f"  priority {name}", statistics)
    for name, statistics in summary["wait_by_group"].items():
        yield _wait_line(f"  vc {name}", statistics)
    for name, statistics in list(summary["wait_by_user"].items())[:MOST_USERS]:
        yield _wait_line(f"  user {name}", statistics)
    yield ""
    yield from _reasons(summary)
    load = summary["offered_load"]
    yield (
        f" utilisation {summary['utilisation']:.1%}, "
        f"offered load {'all at once' if load is None else f'{load:.2f}'}, "
        f"makespan {_time(summary['makespan_s'])}"
    )
    yield (
        f" bounded slowdown {summary['bounded_slowdown_mean']:.3g} mean, "
        f"{summary['bounded_slowdown_p95']:.3g} at P95"
    )
    yield from _use(summary)
    if summary["unstable_queue"]:
        yield " the queue is unstable: waits grow for as long as jobs arrive"
    yield from _further(summary)


def _recorded(summary: Mapping[str, Any]) -> Iterator[str]:
    """How the replay's waits compare with those that the trace records."""
    classes = summary.get("recorded_against_simulated")
    if not classes:
        return
    yield ""
    yield " the trace records waits; how far this replay is from them:"
    yield f" {'':24}{'jobs':>9}{'recorded':>10}{'replayed':>10}{'error':>10}{'median off':>13}"
    for name, found in classes.items():
        error = "" if found["error"] is None else f"{found['error']:+.0%}"
        yield (
            f" {name[:24]:24}{found['recorded']['jobs']:>9,}"
            f"{_time(found['recorded']['mean_s']):>10}{_time(found['simulated']['mean_s']):>10}"
            f"{error:>10}{_time(found['median_absolute_error_s']):>13}"
        )
    yield from textwrap.wrap(
        f"No trace format names the policy, the limits and the outages behind its waits: the "
        f"error is that of {summary['policy']} on this machine, not of the trace.",
        79,
        initial_indent=" ",
        subsequent_indent=" ",
    )


def _reasons(summary: Mapping[str, Any]) -> Iterator[str]:
    waited = summary.get("waited_s", {})
    total = sum(waited.values())
    if total > 0:
        words = {
            "quota": "a quota",
            "capacity": "too few free accelerators",
            "fragmentation": "free ones scattered or closed",
            "policy": "the policy's order",
        }
        largest = sorted(waited, key=lambda name: -waited[name])
        parts = [
            f"{waited[n] / total:.0%} {words[n]}" for n in largest if waited[n] / total >= 0.005
        ]
        yield from _wrapped(" waited for", parts)
    idle = summary.get("idle_accelerator_s", {})
    capacity = summary["accelerators"] * summary["makespan_s"]
    if idle and capacity > 0:
        words = {
            "no_demand": "no job waiting",
            "fragmented": "fragmented",
            "held_back": "held back by the policy",
            "closed": "closed",
        }
        parts = [f"{idle[n] / capacity:.1%} {words[n]}" for n in idle if idle[n] > 0]
        yield from _wrapped(" idle", parts or ["never"])


def _wrapped(head: str, parts: Sequence[str]) -> Iterator[str]:
    yield from textwrap.wrap(f"{head}: {', '.join(parts)}", 79, subsequent_indent="   ")


def _use(summary: Mapping[str, Any]) -> Iterator[str]:
    allocated = summary["allocated"]
    total = sum(allocated.values())
    if set(allocated) != {"unknown"} and total > 0:
        parts = [f"{value / total:.0%} {name}" for name, value in allocated.items()]
        yield from _wrapped(" accelerator time by ending of the job", parts)
    if "fragmented_share_of_free" in summary:
        share = summary["fragmented_share_of_free"]
        yield f" of free accelerator time an average job could not use {share:.1%} (fragmented)"
    if "interruptions" in summary:
        yield (
            f" {summary['interruptions']:,} interruptions, {summary['restart_s'] / 3600:,.0f} "
            "accelerator-hours spent on restarts"
        )


def _further(summary: Mapping[str, Any]) -> Iterator[str]:
    if "fewest" in summary:
        found = summary["fewest"]
        noun = "nodes" if "nodes" in found else "accelerators"
        yield (
            f" fewest {noun} for a P95 wait of {_time(found['target_p95_s'])}: {found[noun]:,} "
            f"(P95 {_time(found['p95_s'])}, {len(found['tried'])} sizes tried)"
        )
    if "replicas" in summary:
        found = summary["replicas"]
        for name, words in (("mean_s", "mean wait"), ("p95_s", "P95 wait")):
            value = found[name]
            yield (
                f" {words} of {found['count']} jittered copies {_time(value['value'])} "
                f"({_time(value['ci95_low'])} - {_time(value['ci95_high'])}, 95 % CI)"
            )


def why_lines(found: Why) -> Iterator[str]:
    """The wait of one job in words."""
    wait = found.start_s - found.submit_s
    yield (
        f" job {found.job_id} asked for {found.gpus} accelerators and waited {_time(wait)}, "
        f"from {_time(found.submit_s)} to {_time(found.start_s)}"
    )
    if wait <= 0:
        return
    words = {
        "quota": "its user or virtual cluster was at its quota",
        "capacity": "fewer accelerators were free than it asked for",
        "fragmentation": "enough were free, but scattered over nodes or closed",
        "policy": "it could have run, but the policy's order held it back",
    }
    for name, seconds in found.waited_s.items():
        if seconds > 0:
            yield f" {_time(seconds):>10}  {words[name]}"
    yield (
        f" {found.ahead:,} jobs were waiting when it came; {found.overtaken_by:,} came later "
        "and started earlier"
    )
    if found.holders:
        yield ""
        head = f"{'user':>14}{'GPUs':>7}{'from':>10}{'until':>10}{'share':>8}"
        yield f" {'held meanwhile by':20}{head}"
    for holder in found.holders:
        yield (
            f" {holder.job_id[:20]:20}{holder.user[:13]:>14}{holder.gpus:>7,}"
            f"{_time(holder.from_s):>10}{_time(holder.until_s):>10}{holder.share:>8.1%}"
        )
    if found.freed_by:
        yield f" it started when {', '.join(found.freed_by)} ended"


def _wait_line(label: str, statistics: Mapping[str, float]) -> str:
    times = "".join(f"{_time(statistics[k]):>10}" for k in ("mean_s", "p50_s", "p95_s", "max_s"))
    return f" {label[:24]:24}{int(statistics['jobs']):>9,}{times}"


def _time(seconds: float) -> str:
    return "0 s" if seconds == 0 else format_quantity(seconds, "time")

"""The cluster over time: use, queue, storage and links; then the jobs one by one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.report.figures.style import BLUE, GREEN, ORANGE, PURPLE, SOFT, VERMILION
from dcsim.report.figures.timeline import Line, Strip, timeline_svg
from dcsim.report.typst_source import Block, Column, heading, panel, table
from dcsim.report.view import View
from dcsim.report.wording import Scale, plain_text, quantity, scale_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

Row = Mapping[str, Any]
Series = Mapping[str, tuple["NDArray[np.float64]", "NDArray[np.float64]"]]
WIDTH_MM = 174.0
JOBS_SHOWN = 16

#: A busiest link that never carries more than this share is not worth a panel.
IDLE_LINK = 0.01


def cluster_over_time(view: View) -> Block | None:
    """One run in full: small panels over time, busiest links, and the table of jobs."""
    figures: dict[str, bytes] = {}
    source = _timeline(view, figures) + _links(view) + _jobs(view)
    return Block(heading("The cluster over time") + source, figures) if source else None


def _timeline(view: View, figures: dict[str, bytes]) -> str:
    frame = view.table("timeline")
    if frame.empty:
        return ""
    series = {
        str(name): (group["time_s"].to_numpy(dtype=float), group["value"].to_numpy(dtype=float))
        for name, group in frame.groupby("series", sort=False)
    }
    end = max(float(time[-1]) for time, _ in series.values())
    clock = scale_for("s", [end])
    strips = _strips(series, clock, _installed(view))
    if not strips:
        return ""
    failures = [r["time_s"] / clock.size for r in view.rows("events") if r.get("kind") == "failure"]
    title = f"time since the start ({clock.head})"
    figures["timeline"] = timeline_svg(strips, np.array(sorted(failures)), title, WIDTH_MM)
    seeds = {row.get("seed") for row in view.rows("jobs")}
    which = f"The run with seed {next(iter(seeds))}" if len(seeds) == 1 else "One run"
    note = f"{which}, in means over equal stretches."
    if failures:
        note += " Triangles: failures that a job saw or that took a node."
    return panel("timeline", WIDTH_MM, _message(series, _installed(view), len(failures)), note)


def _installed(view: View) -> float | None:
    """Accelerators of the cluster, without this machine's own pool."""
    nodes = [
        row for row in view.rows("nodes") if "local" not in (row.get("pool"), row.get("node_type"))
    ]
    return float(sum(row.get("accelerators") or 0 for row in nodes)) or None


def _strips(series: Series, clock: Scale, installed: float | None) -> list[Strip]:
    def line(name: str, label: str, colour: str, size: float = 1.0, filled: bool = False) -> Line:
        time, value = series[name]
        return Line(label, time / clock.size, value / size, colour, filled)

    strips = []
    busy = [
        line(name, label, colour, filled=True)
        for name, label, colour in (
            ("accelerators_busy", "busy", BLUE),
            ("accelerators_down", "down", VERMILION),
        )
        if name in series
    ]
    if busy:
        strips.append(Strip("accelerators", busy, installed, counts=True))
    if "queue_length" in series and series["queue_length"][1].any():
        strips.append(
            Strip(
                "jobs in the queue", [line("queue_length", "queue", SOFT, 1.0, True)], counts=True
            )
        )
    traffic = [name for name in ("storage_read", "storage_write") if name in series]
    if traffic and any(series[name][1].any() for name in traffic):
        scale = scale_for("B/s", [float(max(series[name][1].max() for name in traffic))])
        labels = {"storage_read": ("read", GREEN), "storage_write": ("written", ORANGE)}
        lines = [line(name, *labels[name], scale.size) for name in reversed(traffic)]
        strips.append(Strip(f"storage ({scale.symbol})", lines))
    if "network_busiest" in series and series["network_busiest"][1].max() >= IDLE_LINK:
        lines = [line("network_busiest", "link", PURPLE, 0.01, True)]
        top = 100.0 if lines[0].value.max() > 30.0 else None
        strips.append(Strip("busiest link (% of its capacity)", lines, top))
    return strips


def _message(series: Series, installed: float | None, failures: int) -> str:
    if "accelerators_busy" in series and installed:
        least = float(series["accelerators_busy"][1].min())
        hit = f"{failures} failures" if failures != 1 else "one failure"
        if failures:
            return (
                f"{hit[0].upper()}{hit[1:]} hit the run; at the worst "
                f"{least:,.0f} of {installed:,.0f} accelerators were busy."
            )
        return f"At the least, {least:,.0f} of {installed:,.0f} accelerators were busy."
    return "How busy the cluster was."


def _links(view: View) -> str:
    rows = [row for row in view.rows("links") if row.get("bytes")]
    rows.sort(key=lambda row: (-(row.get("mean_share") or 0.0), str(row.get("name"))))
    rows = rows[:4]
    if not rows:
        return ""
    return heading("Busiest links", 2) + table(
        [
            Column("Link", [plain_text(row["name"]) for row in rows], "left"),
            Column("Capacity GB/s", [f"{row['capacity_bytes_per_s'] / 1e9:,.1f}" for row in rows]),
            Column("Mean load %", [_percent(row.get("mean_share")) for row in rows]),
            Column("Peak load %", [_percent(row.get("peak_share")) for row in rows]),
            Column("Carried TB", [f"{row['bytes'] / 1e12:,.1f}" for row in rows]),
        ]
    )


def _percent(share: Any) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _jobs(view: View) -> str:
    jobs = view.rows("jobs")
    if not jobs:
        return ""
    shown = jobs[:JOBS_SHOWN]
    more = f"Jobs (first {JOBS_SHOWN} of {len(jobs):,})" if len(jobs) > JOBS_SHOWN else "Jobs"
    return heading(more, 2) + table(
        [
            Column("Job", [plain_text(job.get("name")) for job in shown], "left", loose=True),
            Column("Kind", [plain_text(job.get("kind")) for job in shown], "left"),
            Column("Model", [plain_text(job.get("model")) for job in shown], "left", loose=True),
            Column("GPUs", [_whole(job.get("accelerators")) for job in shown]),
            Column("Waited", [quantity(job.get("wait_s"), "s") for job in shown]),
            Column("Ran", [_ran(job) for job in shown]),
            Column("Steps", [_whole(job.get("steps")) for job in shown]),
            Column("A step", [quantity(job.get("step_s"), "s") for job in shown]),
            Column("Failures", [_whole(job.get("failures")) for job in shown]),
            Column("Saves", [_whole(job.get("checkpoints")) for job in shown]),
            Column("Work lost", [quantity(job.get("lost_s"), "s") for job in shown]),
            Column("Status", [plain_text(job.get("status")) for job in shown], "left"),
        ]
    )


def _ran(job: Row) -> str:
    start, end = job.get("start_s"), job.get("end_s")
    return "–" if start is None or end is None else quantity(end - start, "s")


def _whole(value: Any) -> str:
    return "" if value is None else f"{int(value):,}"

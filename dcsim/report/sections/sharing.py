"""What jobs share: how loaded links and servers were, and what neighbours cost each job."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dcsim.report.figures.heat import heat_svg
from dcsim.report.typst_source import Block, Column, heading, panel, paragraph, table
from dcsim.report.view import View
from dcsim.report.wording import plain_text, quantity, scale_for

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
WIDTH_MM = 174.0

#: Links and servers in the heat map, jobs in the table: the busiest and the most slowed.
ROWS_SHOWN, JOBS_SHOWN = 14, 12

#: A thing that is never busier than this is not worth a row.
IDLE = 0.02

#: A slowdown below this is none that a reader would act on.
FELT = 1.001


def what_jobs_share(view: View) -> Block | None:
    """The heat map of links and servers, and the slowdown of every job by its neighbours."""
    figures: dict[str, bytes] = {}
    source = _heat_map(view, figures) + _slowdowns(view)
    return Block(heading("What the jobs share") + source, figures) if source else None


def _heat_map(view: View, figures: dict[str, bytes]) -> str:
    frame = view.table("load")
    if frame.empty:
        return ""
    grid: pd.DataFrame = frame.pivot(index="time_s", columns="name", values="share")
    names = list(dict.fromkeys(frame["name"]))
    peaks = grid.max()
    busy = sorted((n for n in names if peaks[n] > IDLE), key=lambda n: (-peaks[n], names.index(n)))
    shown = [name for name in names if name in busy[:ROWS_SHOWN]]
    if not shown:
        return ""
    clock = scale_for("s", [float(grid.index[-1])])
    share = grid[shown].to_numpy(dtype=float)
    figures["load"] = heat_svg(
        [plain_text(name) for name in shown],
        grid.index.to_numpy(dtype=float) / clock.size,
        share,
        f"time since the start ({clock.head})",
        WIDTH_MM,
    )
    top = busy[0]
    message = (
        f"The busiest of all, {plain_text(top)}, reached {100 * peaks[top]:.0f} % of its rate."
    )
    note = "Means over equal stretches of time, as shares of what each can do when all is well."
    return panel("load", WIDTH_MM, message, note)


def _slowdowns(view: View) -> str:
    jobs = view.rows("sharing")
    if not jobs:
        return ""
    slowed = [job for job in jobs if (job.get("slowdown") or 1.0) >= FELT]
    head = heading("What neighbours cost", 2)
    if not slowed:
        return head + paragraph(
            "No job is slowed by its neighbours: what they share is wide enough for all of them. "
            "Waiting in the queue is counted elsewhere."
        )
    slowed.sort(key=lambda job: (-job["slowdown"], str(job["job"])))
    shown = slowed[:JOBS_SHOWN]
    return head + table(
        [
            Column("Job", [plain_text(job.get("job")) for job in shown], "left", loose=True),
            Column("Alone", [quantity(job.get("alone_s"), "s") for job in shown]),
            Column("Among the others", [quantity(job.get("shared_s"), "s") for job in shown]),
            Column("Slower by", [f"{100 * (job['slowdown'] - 1):.1f} %" for job in shown]),
            Column("At fault", [plain_text(job.get("at_fault")) for job in shown], "left"),
        ]
    )

"""The body of a run's summary: figures, objectives, jobs, the ledger and the real jobs."""

from collections.abc import Mapping
from typing import Any

from dcsim.report.columns import Column, table
from dcsim.report.terminal import BLOCK, ROOMY, block, objective_lines
from dcsim.report.view import View
from dcsim.report.wording import (
    FAILURE_CLASSES,
    LEDGER_LABELS,
    Scale,
    cluster_text,
    layout_text,
    metric_noun,
    percent,
    plain_text,
    quantity,
    scale_for,
)

JOBS_SHOWN = 12
BAR_WIDTH = 24


def run_lines(view: View, width: int) -> list[str]:
    """Everything between the title and the pointers at the end."""
    lines = _configuration(view, width) + metric_lines(view, width)
    objectives = view.rows("objectives") or list(view.summary.get("objectives") or [])
    if objectives:
        lines += ["", *_headed("Objectives", objective_lines(objectives, width))]
    jobs = job_lines(view, width)
    lines += ["", *jobs] if jobs else []
    ledger = ledger_lines(view, width)
    lines += ["", *ledger] if ledger else []
    return lines + real_job_lines(view, width)


def _configuration(view: View, width: int) -> list[str]:
    """What was simulated, or why it cannot be."""
    row = view.summary.get("configuration") or {}
    what = cluster_text(row) if row.get("node_type") else ""
    layout = layout_text(row)
    text = f"{what}, {layout}" if what and layout else what
    refused = plain_text(view.summary.get("refused"))
    if refused:
        return block("✗ Refused", f"{text}: {refused}" if text else refused, width)
    return block("Simulated", text, width) if text else []


def metric_lines(view: View, width: int) -> list[str]:
    """The run's figures, each with its interval."""
    names, values, ranges = [], [], []
    # The end of a real job is in the table of jobs; it is no figure of the cluster.
    hidden = {f"{job['name']}.finish" for job in view.rows("jobs") if job.get("kind") == "real"}
    for name, figure in (view.summary.get("metrics") or {}).items():
        unit = str(figure.get("unit") or "")
        value, low, high = (figure.get(key) for key in ("value", "low", "high"))
        if value is None or name in hidden:
            continue
        names.append(plain_text(metric_noun(name)))
        values.append(quantity(value, unit))
        known = None in (low, high) or low == high
        ranges.append("" if known else f"({scale_for(unit, [value]).range(low, high)})")
    columns = [
        Column("", names, "<", least=10),
        Column("", values, "<"),
        Column("", ranges, "<", priority=1),
    ]
    return _headed("Result", table(columns, width, indent=BLOCK) if names else [])


def job_lines(view: View, width: int) -> list[str]:
    """One line a job; the longest running ones where there are many."""
    jobs = view.rows("jobs")
    shown = sorted(jobs, key=_weight)[:JOBS_SHOWN] if len(jobs) > JOBS_SHOWN else jobs
    ran = [_difference(job.get("end_s"), job.get("start_s")) for job in shown]
    columns = [
        Column("job", [plain_text(job.get("name")) for job in shown], "<", least=12),
        Column("kind", [plain_text(job.get("kind")) for job in shown], "<", priority=4),
        Column("GPUs", [_whole(job.get("accelerators")) for job in shown]),
        Column("waited", [quantity(job.get("wait_s"), "s") for job in shown], priority=1),
        Column("ran", [quantity(value, "s") for value in ran]),
        Column("a step", [quantity(job.get("step_s"), "s") for job in shown], priority=2),
        Column("failures", [_whole(job.get("failures")) for job in shown], priority=3),
        Column("lost", [quantity(job.get("lost_s"), "s") for job in shown], priority=3),
        Column("status", [plain_text(job.get("status")) for job in shown], "<"),
    ]
    if width >= ROOMY:
        columns.insert(2, Column("model", [plain_text(j.get("model")) for j in shown], "<", 10, 5))
        columns.insert(
            -1, Column("saves", [_whole(j.get("checkpoints")) for j in shown], ">", None, 5)
        )
    lines = table(columns, width) if shown else []
    if len(jobs) > len(shown):
        lines.append(f" and {len(jobs) - len(shown)} more in the table `jobs`")
    return lines


def ledger_lines(view: View, width: int) -> list[str]:
    """Where the accelerators' time went, as bars that sum to the whole."""
    rows = [row for row in view.rows("ledger") if (row.get("share") or 0.0) > 0.0]
    rows.sort(key=lambda row: -row["share"])
    usd = scale_for("USD", [row.get("cost_usd") for row in rows[:1]])
    columns = [
        Column("accelerator time", [_class(row) for row in rows], "<", least=16),
        Column("share", [percent(row["share"]) for row in rows]),
        Column("", [_bar(row["share"]) for row in rows], "<", priority=2),
        Column(usd.head, [_amount(row.get("cost_usd"), usd) for row in rows], priority=1),
    ]
    return table(columns, width) if rows else []


def loss_sentence(view: View) -> str:
    """Shares of time lost to failures, checkpoints and data, as one phrase."""
    shares = {row["ledger_class"]: row.get("share") or 0.0 for row in view.rows("ledger")}
    if not shares:
        return ""
    failures = sum(shares.get(name, 0.0) for name in FAILURE_CLASSES)
    checkpoints, data = shares.get("checkpoint", 0.0), shares.get("data_wait", 0.0)
    return (
        f"{percent(failures)} lost to failures, {percent(checkpoints)} to checkpoints, "
        f"{percent(data)} to data"
    )


def real_job_lines(view: View, width: int) -> list[str]:
    """What the real jobs did: first and last loss, last metric, measured step."""
    losses = view.table("losses")
    if losses.empty:
        return []
    steps = {row["name"]: row.get("step_s") for row in view.rows("jobs")}
    names, fell, scored, took = [], [], [], []
    for job, group in losses.groupby("job", sort=False):
        ordered = group.sort_values("step")
        names.append(plain_text(job))
        first, last = float(ordered["loss"].iloc[0]), float(ordered["loss"].iloc[-1])
        fell.append(f"{quantity(first, '1')} → {quantity(last, '1')}")
        scored.append(_last_metric(ordered))
        took.append(quantity(steps.get(job), "s"))
    columns = [
        Column("real job, measured", names, "<", least=12),
        Column("loss", fell, "<"),
        Column("metric", scored, "<", least=8, priority=1),
        Column("a step", took),
    ]
    return ["", *table(columns, width)]


def _last_metric(rows: Any) -> str:
    known = rows.dropna(subset=["value"]) if "value" in rows.columns else rows.iloc[:0]
    if known.empty:
        return ""
    last = known.iloc[-1]
    return f"{plain_text(last['metric'])} {quantity(float(last['value']), '1')}"


def _headed(label: str, lines: list[str]) -> list[str]:
    """The block's label in the margin of its first line."""
    if not lines:
        return []
    return [f" {label:<{len(BLOCK) - 1}}" + lines[0][len(BLOCK) :], *lines[1:]]


def _class(row: Mapping[str, Any]) -> str:
    name = str(row["ledger_class"])
    return LEDGER_LABELS.get(name, name.replace("_", " "))


def _bar(share: float) -> str:
    """A bar of eighths of a cell; never empty for what is there."""
    eighths = max(round(share * BAR_WIDTH * 8), 1)
    full, rest = divmod(eighths, 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")


def _weight(job: Mapping[str, Any]) -> float:
    ran = _difference(job.get("end_s"), job.get("start_s")) or 0.0
    return -ran * (job.get("accelerators") or 0)


def _difference(end: Any, start: Any) -> float | None:
    return None if end is None or start is None else end - start


def _amount(value: float | None, scale: Scale) -> str:
    return "" if value is None else scale.fixed(value, 2)


def _whole(value: Any) -> str:
    return "" if value is None else f"{int(value):,}"

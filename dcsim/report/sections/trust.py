"""How far to trust it: predictions against measurements, and the chain between them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dcsim.report.figures.accuracy import Comparison, by_group_svg, by_size_svg
from dcsim.report.figures.losses import History, losses_svg
from dcsim.report.typst_source import Block, Column, heading, panel, paragraph, side_by_side, table
from dcsim.report.view import View
from dcsim.report.wording import percent, plain_text, quantity, scale_for

Row = Mapping[str, Any]
WIDTH_MM, LEFT_MM, RIGHT_MM = 174.0, 96.0, 72.0
HEIGHT_MM = 50.0

#: Groups of published runs and real jobs that are drawn, the largest first.
GROUPS, JOBS = 7, 3


def how_far_to_trust(view: View) -> Block | None:
    """Published runs, this machine's own jobs, the chain, and the real jobs' losses."""
    figures: dict[str, bytes] = {}
    cells = [cell for cell in (_published(view, figures), _host(view, figures)) if cell]
    if len(cells) == 2:
        source = side_by_side((f"{LEFT_MM}mm", "1fr"), *cells)
    else:
        source = "".join(cells)
    source += _extrapolated(view) + _real_jobs(view, figures) + _chain(view)
    return Block(heading("How far to trust it") + source, figures) if source else None


def comparison(rows: Sequence[Row], name: str) -> Comparison | None:
    """The rows that have all four figures; None where there are none."""
    fields = ("measured_s", "predicted_s", "low_s", "high_s")
    known = [row for row in rows if all(row.get(f) for f in fields)]
    if not known:
        return None
    columns = [np.array([row[f] for row in known], dtype=float) for f in fields]
    return Comparison([plain_text(row.get(name)) for row in known], *columns)


def error_sentence(runs: Comparison) -> str:
    """Median error and how many measurements lie within their interval."""
    error = float(np.median(np.abs(runs.ratio - 1.0)))
    inside = (runs.measured_s >= runs.low_s) & (runs.measured_s <= runs.high_s)
    return (
        f"median error {percent(error)}; {percent(float(np.mean(inside)))} lie within their "
        "90 % interval"
    )


def _published(view: View, figures: dict[str, bytes]) -> str:
    rows = view.rows("published")
    runs = comparison(rows, "row_id")
    if runs is None:
        return ""
    names: dict[str, list[Row]] = {}
    for row in rows:
        names.setdefault(plain_text(row.get("accelerator")) or "unknown", []).append(row)
    largest = sorted(names.items(), key=lambda item: (-len(item[1]), item[0]))[:GROUPS]
    groups = [(name, c) for name, own in largest if (c := comparison(own, "row_id")) is not None]
    figures["published"] = by_group_svg(groups, LEFT_MM, HEIGHT_MM)
    message = (
        f"{runs.ratio.size:,} published training runs: {error_sentence(runs)}.{_held_out(view)}"
    )
    note = "One dot a run, line: median of the accelerator; shaded: within 10 %."
    return panel("published", LEFT_MM, message, note)


def _held_out(view: View) -> str:
    """The error for runs that a fit has not seen, where the results tell it."""
    for row in view.rows("sources"):
        if plain_text(row.get("item")) == "step model, median held-out error":
            error = percent(row.get("value"))
            return f" All are in the fit; on sources held out of it the median error is {error}."
    return ""


def _host(view: View, figures: dict[str, bytes]) -> str:
    runs = comparison(view.rows("host_heldout"), "name")
    if runs is None:
        return ""
    width = RIGHT_MM if view.rows("published") else LEFT_MM
    figures["host"] = by_size_svg(runs, width, HEIGHT_MM)
    message = f"{runs.ratio.size:,} NumPy models that the fit has not seen: {error_sentence(runs)}."
    note = "Whole training steps on the profile's machine. Whiskers: 90 % intervals."
    return panel("host", width, message, note)


def _extrapolated(view: View) -> str:
    """What the plan asks of the model beyond what it was compared with."""
    runs = view.rows("published")
    chosen = view.subject
    if not runs or chosen is None:
        return ""
    kinds = {plain_text(row.get("accelerator")).lower() for row in runs}
    node = plain_text(chosen.get("node_type")).lower()
    seen = any(kind.partition("-")[0] in node for kind in kinds if kind)
    if seen:
        return ""
    return paragraph(f"No published run of {node} was compared: its step time is extrapolated.")


def _real_jobs(view: View, figures: dict[str, bytes]) -> str:
    """Losses and measured step times of the jobs that were truly run."""
    frame = view.table("losses")
    if frame.empty:
        return ""
    histories, falls = [], []
    for job, group in list(frame.groupby("job", sort=False))[:JOBS]:
        ordered = group.sort_values("step")
        loss = ordered["loss"].to_numpy(dtype=float)
        step = ordered["step_s"].to_numpy(dtype=float)
        if not loss.size or not np.isfinite(loss).all():
            continue
        scale = scale_for("s", [float(np.median(step))])
        histories.append(History(plain_text(job), loss, step / scale.size, scale.symbol))
        falls.append(
            f"{plain_text(job)} from {quantity(float(loss[0]), '1')} to "
            f"{quantity(float(loss[-1]), '1')}, "
            f"{quantity(float(np.median(step)), 's')} a step"
        )
    if not histories:
        return ""
    figures["losses"] = losses_svg(histories, WIDTH_MM)
    message = f"The real jobs, executed in NumPy, learned: {'; '.join(falls)}."
    note = (
        "Pale: single steps; dark: means. The simulation replays these measured steps on its "
        "local node. Grey line: median step."
    )
    return panel("losses", WIDTH_MM, message, note)


def _chain(view: View) -> str:
    """Which figure feeds which, one line for all figures of one thing."""
    rows = view.rows("chain")
    order = list(dict.fromkeys(row.get("stage") for row in rows))
    links = _links(sorted(rows, key=lambda row: order.index(row.get("stage"))))
    if not links:
        return ""
    stages = [stage for stage, _, _, _ in links]
    sources = [source for _, _, _, source in links]
    return heading("From a measured step to the simulated run", 2) + table(
        [
            Column("Stage", _unrepeated(stages), "left"),
            Column("Item", [item for _, item, _, _ in links], "left", loose=True),
            Column("Figures", [" · ".join(values) for _, _, values, _ in links], "left", "1.3fr"),
            Column("Source", _unrepeated(sources, stages), "left", "1fr", loose=True),
        ]
    )


def _links(rows: Sequence[Row]) -> list[tuple[str, str, list[str], str]]:
    """Stage, item, its figures and their source; neighbours of one item are put together.

    The last word of an item (`gemm overhead`, `gemm peak`) names the figure where the
    words before it are shared.
    """
    found: list[tuple[str, str, list[str], str]] = []
    heads = [plain_text(row.get("item")).rpartition(" ")[0] for row in rows]
    for row, head in zip(rows, heads, strict=True):
        stage, source = plain_text(row.get("stage")), plain_text(row.get("source"))
        item, value = plain_text(row.get("item")), _value(row)
        shared = bool(head) and heads.count(head) > 1
        name = head if shared else item
        text = f"{item.removeprefix(head).strip()} {value}" if shared else value
        if found and found[-1][0] == stage and found[-1][1] == name:
            found[-1][2].append(text)
        else:
            found.append((stage, name, [text], source))
    return found


def _unrepeated(texts: Sequence[str], groups: Sequence[str] | None = None) -> list[str]:
    """The texts, left out where the line above (of the same group) has the same."""
    keys = list(zip(texts, groups or texts, strict=True))
    return [text if i == 0 or keys[i] != keys[i - 1] else "" for i, (text, _) in enumerate(keys)]


def _value(row: Row) -> str:
    value = row.get("value")
    return "" if value is None else quantity(value, plain_text(row.get("unit")))

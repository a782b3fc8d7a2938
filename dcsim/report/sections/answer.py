"""Page one: what to do, whether the objectives are met and how surely, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from dcsim.report.figures.bars import Bar, bars_svg
from dcsim.report.figures.frontier import frontier_svg
from dcsim.report.figures.style import BLUE, COLOURS, GREY
from dcsim.report.sections.risk import change_sentences, risk_sentences
from dcsim.report.terminal_plan import quantities
from dcsim.report.typst_source import Block, panel, quoted, side_by_side, string
from dcsim.report.view import View
from dcsim.report.wording import (
    LEDGER_LABELS,
    cluster_text,
    joined,
    layout_text,
    objective_label,
    percent,
    plain_text,
    quantity,
    scale_for,
    sureness,
)

LEFT_MM, RIGHT_MM = 104.0, 64.0
FIGURE_MM, LEAST_MM = 92.0, 50.0

#: Titles and names of more characters take a second line.
LONG_TITLE = 60

#: Classes that are no loss.
_USEFUL = frozenset({"useful_training", "serving_busy"})


def answer(view: View) -> Block:
    """The first page."""
    figures: dict[str, bytes] = {}
    source = _headline(view) + _key_figures(view) + _objectives(view)
    source += _pictures(view, figures)
    if "frontier" in figures:
        # A reader who stops here has the decision: nothing else on a full page.
        source += "#pagebreak(weak: true)\n"
    return Block(source, figures)


def _headline(view: View) -> str:
    """The recommendation, or that there is none, in one line and its detail."""
    if view.kind != "plan":
        return _run_headline(view)
    row = view.subject
    if view.recommended is not None:
        screened = view.summary.get("screened") or {}
        detail = layout_text(view.recommended)
        looked = _looked_at(screened, len(view.table("candidates")))
        return _answer("RECOMMENDED", cluster_text(view.recommended), detail, looked)
    if row is None:
        return _answer("NO PLAN", "No candidate has a layout that could run", "", "", False)
    detail = f"{layout_text(row)}: {plain_text(row.get('why_not'))}"
    what = f"Nothing satisfies every hard constraint; nearest is {cluster_text(row)}"
    return _answer("NO PLAN", what, detail, "", False)


def _looked_at(screened: Mapping[str, Any], candidates: int) -> str:
    layouts, clusters = screened.get("layouts"), screened.get("clusters")
    if not layouts:
        return ""
    return f"best of {layouts:,} layouts on {clusters:,} clusters, {candidates:,} compared in full"


def _run_headline(view: View) -> str:
    refused = view.summary.get("refused")
    row = view.summary.get("configuration") or {}
    what = cluster_text(row) if row.get("node_type") else plain_text(view.scenario)
    if refused:
        return _answer("CANNOT RUN", what, plain_text(refused), "", False)
    return _answer("SIMULATED", what, layout_text(row), "")


def _answer(label: str, what: str, detail: str, note: str, found: bool = True) -> str:
    line = "; ".join(part for part in (detail, note) if part)
    answered = "" if found else ", found: false"
    return f"#answer({string(label)}, {quoted(what)}, {quoted(line)}{answered})\n"


def _key_figures(view: View) -> str:
    """Time, money, energy and carbon, each with its interval."""
    figures = [entry for entry in _headline_figures(view) if entry[1] is not None]
    if not figures:
        return ""
    cells = []
    for label, value, low, high, unit in figures:
        scale = scale_for(unit, [value])
        known = None in (low, high) or low == high
        range_text = "" if known else f"90 %: {scale.range(low, high)}"
        texts = (label, scale.text(value), scale.symbol, range_text)
        cells.append(f"({', '.join(quoted(text) for text in texts)})")
    return f"#key-figures({', '.join(cells)})\n"


#: Headline figures: label, column of `candidates`, metric of a run, unit.
_HEADLINE = (
    ("Time to finish", "time_s", "total.finish", "s"),
    ("Cost", "cost_usd", "total.cost", "USD"),
    ("Energy", "energy_kwh", "total.energy", "kWh"),
    ("Carbon (CO₂)", "carbon_kg", "total.carbon", "kg"),
)


def _headline_figures(view: View) -> list[tuple[str, Any, Any, Any, str]]:
    """Label, value, low, high and unit of each."""
    row, metrics = view.subject, view.summary.get("metrics") or {}
    if row is not None:
        return [(label, *quantities(row, name), unit) for label, name, _, unit in _HEADLINE]
    return [
        (label, m.get("value"), m.get("low"), m.get("high"), unit)
        for label, _, metric, unit in _HEADLINE
        if (m := metrics.get(metric))
    ]


def _objectives(view: View) -> str:
    rows = view.rows("objectives") or list(view.summary.get("objectives") or [])
    if not rows:
        return ""
    listed = ", ".join(_verdict(row) for row in rows)
    return f"#v(0.4em)\n#verdicts({listed})\n#v(0.4em)\n"


def _verdict(row: Mapping[str, Any]) -> str:
    unit = str(row.get("unit") or "")
    value, low, high = (row.get(key) for key in ("value", "low", "high"))
    known = None in (value, low, high) or low == high
    ranged = "" if known else f"({scale_for(unit, [value]).range(low, high)})"
    sure = sureness(row.get("confidence"))
    asked = row.get("confidence_asked")
    if sure and asked is not None:
        sure += f", {100 * asked:.0f} % asked"
    if row.get("hard"):
        sure += " (hard)"
    texts = (objective_label(row), quantity(value, unit), ranged, sure)
    met = "true" if row.get("met") else "false"
    return f"({met}, {', '.join(quoted(text) for text in texts)})"


def _pictures(view: View, figures: dict[str, bytes]) -> str:
    """The three figures that matter, the risk and what would change the answer."""
    left = _frontier(view, figures) + _lost(view, figures)
    right = _money(view, figures) + _remarks(view)
    if left and right:
        return side_by_side((f"{LEFT_MM}mm", "1fr"), left, right)
    return left + right


def _frontier(view: View, figures: dict[str, bytes]) -> str:
    rows = view.rows("candidates")
    known = [row for row in rows if row.get("time_s") and row.get("cost_usd")]
    if len(known) < 2:
        return ""
    height = _frontier_height(view)
    figures["frontier"] = frontier_svg(known, view.rows("objectives"), LEFT_MM, height)
    note = (
        "Black: no other candidate is both faster and cheaper. Grey: dominated; crosses: "
        "not feasible. Lines across the plan: 90 % intervals. Shaded: beyond an objective."
    )
    return panel("frontier", LEFT_MM, _frontier_message(view, known), note)


def _frontier_height(view: View) -> float:
    """What the rest of the page leaves: less for many objectives and for long names."""
    more_objectives = max(len(view.rows("objectives")) - 2, 0)
    long_title = len(view.title) > LONG_TITLE
    long_name = len(cluster_text(view.subject or {})) > LONG_TITLE
    return max(FIGURE_MM - 5.0 * more_objectives - 8.0 * (long_title + long_name), LEAST_MM)


def _frontier_message(view: View, known: Sequence[Mapping[str, Any]]) -> str:
    chosen = view.recommended
    if chosen is None:
        return "No candidate lies within every objective."
    front = [row for row in known if row.get("status") in ("recommended", "frontier")]
    if len(front) == 1:
        return "The plan is both the fastest and the cheapest of all candidates."
    faster = [row for row in front if row["time_s"] < chosen["time_s"]]
    cheaper = [row for row in front if row["cost_usd"] < chosen["cost_usd"]]
    if not cheaper:
        return "The plan is the cheapest of all; every faster candidate costs more."
    if not faster:
        return "The plan is the fastest of all; every cheaper candidate is slower."
    return "Going faster than the plan costs more; going cheaper takes longer."


def _money(view: View, figures: dict[str, bytes]) -> str:
    rows = [r for r in view.rows("money") if r.get("category") != "total" and r.get("usd")]
    if not rows:
        return ""
    total = next((r["usd"] for r in view.rows("money") if r.get("category") == "total"), None)
    rows.sort(key=lambda row: -row["usd"])
    scale = scale_for("USD", [rows[0]["usd"]])
    bars = [
        Bar(
            str(row["category"]).replace("_", " "),
            row["usd"] / scale.size,
            quantity(row["usd"], "USD"),
            BLUE if i == 0 else GREY,
            None if row.get("low_usd") is None else row["low_usd"] / scale.size,
            None if row.get("high_usd") is None else row["high_usd"] / scale.size,
        )
        for i, row in enumerate(rows)
    ]
    figures["money"] = bars_svg(bars, RIGHT_MM, 10 + 9.0 * len(bars))
    first = f"Most of the money goes to {plain_text(rows[0]['category']).replace('_', ' ')}"
    of = f": {quantity(rows[0]['usd'], 'USD')} of {quantity(total, 'USD')}" if total else ""
    return panel("money", RIGHT_MM, f"{first}{of}.", "Whiskers: 90 % intervals of prices.")


def _lost(view: View, figures: dict[str, bytes]) -> str:
    rows = [row for row in view.rows("ledger") if (row.get("share") or 0.0) > 0.0]
    lost = [row for row in rows if row["ledger_class"] not in _USEFUL]
    if not lost:
        return ""
    lost.sort(key=lambda row: -row["share"])
    shown = lost[:8]
    bars = [
        Bar(
            LEDGER_LABELS.get(row["ledger_class"], row["ledger_class"]),
            row["share"],
            percent(row["share"]),
            COLOURS.get(row["ledger_class"], GREY),
        )
        for row in shown
    ]
    figures["lost"] = bars_svg(bars, LEFT_MM, 8 + 6.6 * len(bars))
    useful = [row["share"] for row in rows if row["ledger_class"] in _USEFUL]
    most = joined([LEDGER_LABELS.get(r["ledger_class"], r["ledger_class"]) for r in shown[:2]])
    does = f"{percent(sum(useful))} of accelerator time does useful work" if useful else "Time lost"
    return panel("lost", LEFT_MM, f"{does}; {most} take most of the rest.")


def _remarks(view: View) -> str:
    source = ""
    for title, sentences in (
        ("Main risk", risk_sentences(view)),
        (
            "What would change the answer" if view.recommended else "What stands in the way",
            change_sentences(view),
        ),
    ):
        if sentences:
            lines = ", ".join(quoted(sentence) for sentence in sentences)
            source += f"#v(0.8em)\n#remark({string(title)}, {lines})\n"
    return source

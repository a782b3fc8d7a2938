"""The trees of `explaining`, one function a kind of number: (facts, metric) → Explanation."""

import math
from collections.abc import Mapping
from typing import Any

from dcsim.cost.explain import PART_FORMULAS, PART_SOURCES
from dcsim.records import PRODUCTIVE_CLASSES, Explanation
from dcsim.records.ledger import UNALLOCATED_CLASSES
from dcsim.store.explaining import SECONDS_PER_HOUR, Facts

_MEAN = "mean over the runs"


def part(name: str, value: float, whole: float, unit: str, **more: Any) -> Explanation:
    """A summand of `whole`."""
    return Explanation(name, value, unit, share=value / whole if whole else 0.0, **more)


def plain_figure(facts: Facts, metric: str) -> Explanation:
    """A figure of which nothing finer is stored."""
    figure = facts.figures[metric]
    return Explanation(metric, figure["value"], figure["unit"], source=_of_runs(facts))


def finish(facts: Facts, metric: str) -> Explanation:
    """A finish: the run that is stored in full, and how far the median is from it."""
    figure, job = facts.figures[metric], metric.rpartition(".")[0]
    value = float(figure["value"])
    rows = facts.jobs if job == "total" else facts.jobs_of(job)
    ends = [row for row in rows if row["end_s"] is not None and math.isfinite(row["end_s"])]
    if not ends:
        return plain_figure(facts, metric)
    last = max(ends, key=lambda row: row["end_s"])
    end = float(last["end_s"])
    name = f"end of {last['name']} in the run of seed {last['seed']}"
    shown = part(name, end, value, "s", inputs=_job_parts(facts, last, end))
    return Explanation(
        metric,
        value,
        "s",
        formula="the run that is stored in full + distance of the median from it",
        source=_of_runs(facts),
        inputs=(shown, *_distance(value, end, "s")),
    )


def _distance(value: float, shown: float, unit: str) -> tuple[Explanation, ...]:
    return (part("from that run to the median", value - shown, value, unit),)


def _job_parts(facts: Facts, job: Mapping[str, Any], end: float) -> tuple[Explanation, ...]:
    """Submission, waiting, steps, lost work, and the rest of a job's time."""
    steps = float(job["steps"] or 0) * float(job["step_s"] or 0.0)
    known = [float(job[key] or 0.0) for key in ("submit_s", "wait_s", "lost_s")]
    counted = f"{int(job['failures'])} failures, {int(job['checkpoints'])} checkpoints"
    return (
        part("submitted", known[0], end, "s", source="scenario"),
        part("waiting for accelerators", known[1], end, "s", source="simulated queue"),
        part(
            "steps",
            steps,
            end,
            "s",
            formula="number × step time",
            inputs=(
                Explanation("number", float(job["steps"] or 0), "steps", source="work asked"),
                _drawn_step(facts, job),
            ),
        ),
        part("work lost to failures", known[2], end, "s", source=f"simulated: {counted}"),
        part(
            "starting, saving, restarting and waiting for data",
            end - steps - sum(known),
            end,
            "s",
            source=f"simulated: {counted}",
        ),
    )


def _drawn_step(facts: Facts, job: Mapping[str, Any]) -> Explanation:
    """The step time of one run: the expected one times what the run drew."""
    value, name = float(job["step_s"] or 0.0), str(job["name"])
    if job["kind"] == "real":
        return Explanation("step time", value, "s", source="measured on this machine, median")
    if not any(row["job"] == name for row in step_rows(facts, "part")):
        return Explanation("step time", value, "s", source="cost model")
    expected = expected_step(facts, f"{name}.step")
    drawn = Explanation(
        "drawn in this run",
        value / expected.value,
        "1",
        source="from the step model's prediction interval",
    )
    formula = f"{expected.name} × {drawn.name}"
    return Explanation("step time", value, "s", formula=formula, inputs=(expected, drawn))


def step_rows(facts: Facts, level: str) -> list[dict[str, Any]]:
    """Rows of `breakdown` of the configuration that the figures are about."""
    own = facts.subject_id
    return [r for r in facts.rows("breakdown") if r["level"] == level and r["candidate"] == own]


def expected_step(facts: Facts, metric: str) -> Explanation:
    """The expected time of a step: parts, of which computing is split into operators."""
    job = metric.rpartition(".")[0]
    rows = [row for row in step_rows(facts, "part") if row["job"] == job]
    whole = math.fsum(row["seconds"] for row in rows)
    _, source = facts.fact("step model")
    return Explanation(
        metric,
        whole,
        "s",
        formula=" + ".join(row["part"] for row in rows),
        source=source or "training-step model",
        inputs=tuple(
            part(
                row["part"],
                row["seconds"],
                whole,
                "s",
                formula=PART_FORMULAS.get(f"{row['part']}_s", ""),
                source=PART_SOURCES.get(f"{row['part']}_s", ""),
                inputs=_operators(facts, job, row["seconds"]) if row["part"] == "compute" else (),
            )
            for row in rows
        ),
    )


def _operators(facts: Facts, job: str, whole: float) -> tuple[Explanation, ...]:
    rows = [row for row in step_rows(facts, "operator") if row["job"] == job]
    found = [part(row["part"], row["seconds"], whole, "s") for row in rows]
    rest = whole - math.fsum(row["seconds"] for row in rows)
    if rows and not math.isclose(rest, 0.0, abs_tol=1e-9 * whole):
        found.append(part("not split further", rest, whole, "s"))
    return tuple(found)


def cost(facts: Facts, metric: str) -> Explanation:
    """Money: its categories, each a price times a quantity."""
    value = float(facts.figures[metric]["value"])
    rows = [r for r in facts.rows("money") if r["category"] != "total" and r["usd"]]
    if not rows:
        return plain_figure(facts, metric)
    return Explanation(
        metric,
        value,
        "USD",
        formula=" + ".join(row["category"] for row in rows),
        source=_of_runs(facts),
        inputs=tuple(_category(facts, r["category"], float(r["usd"]), value) for r in rows),
    )


def _category(facts: Facts, name: str, usd: float, whole: float) -> Explanation:
    if name == "energy":
        tariff, source = facts.fact("tariff")
        if not tariff:
            return part(name, usd, whole, "USD", source=source)
        return part(
            name,
            usd,
            whole,
            "USD",
            formula="energy billed × tariff",
            inputs=(
                Explanation("energy billed", usd / tariff, "kWh", source=_billed(facts)),
                Explanation("tariff", tariff, "USD/kWh", source=source),
            ),
        )
    hours = math.fsum(facts.ledger.values()) / SECONDS_PER_HOUR
    if not hours:
        return part(name, usd, whole, "USD")
    return part(
        name,
        usd,
        whole,
        "USD",
        formula="accelerator-hours × price",
        inputs=(
            Explanation("accelerator-hours", hours, "h", source=f"all that are held, {_MEAN}"),
            _price(facts, name, usd / hours),
        ),
    )


def _billed(facts: Facts) -> str:
    rented = facts.fact("rent of")[0] is not None
    return "storage's only; the rent pays for the rest" if rented else "everything at the meter"


def _price(facts: Facts, category: str, paid: float) -> Explanation:
    """The price paid on average; a rent is set against the catalogue's."""
    unit = "USD/h"
    node = (subject_row(facts) or {}).get("node_type")
    listed, source = facts.fact(f"rent of {node}")
    if category == "accelerators" and listed:
        return Explanation(
            "price",
            paid,
            unit,
            formula="listed × drawn",
            inputs=(
                Explanation("listed", listed, unit, source=source),
                Explanation("drawn", paid / listed, "1", source="prices and lengths of the runs"),
            ),
        )
    start = {"accelerators": f"price of {node}", "storage": "storage"}.get(category, "price of a")
    source = facts.fact(start)[1]
    return Explanation("price", paid, unit, source=f"written off over its life; {source}")


def subject_row(facts: Facts) -> Mapping[str, Any] | None:
    """The candidate or configuration that the figures are about."""
    from dcsim.store.comparison import subject

    return subject(facts.stored)


def energy(facts: Facts, metric: str) -> Explanation:
    """Energy: what each class of the ledger draws, hours times mean power."""
    return _by_class(facts, metric, "energy_kwh", "kWh", "power", "kW")


def _by_class(
    facts: Facts, metric: str, column: str, unit: str, rate: str, rate_unit: str
) -> Explanation:
    value = float(facts.figures[metric]["value"])
    rows = [row for row in facts.rows("ledger") if row[column]]
    if not rows:
        return plain_figure(facts, metric)
    source = facts.fact("power of")[1]
    inputs = []
    for row in sorted(rows, key=lambda row: -row[column]):
        hours = row["seconds"] / SECONDS_PER_HOUR
        mean = row[column] / hours
        inputs.append(
            part(
                row["ledger_class"],
                row[column],
                value,
                unit,
                formula=f"accelerator-hours × {rate}",
                inputs=(
                    Explanation("accelerator-hours", hours, "h", source=_MEAN),
                    Explanation(rate, mean, rate_unit, source=f"at the meter, each; {source}"),
                ),
            )
        )
    formula = "sum over the classes of the ledger"
    return Explanation(metric, value, unit, formula, _of_runs(facts), inputs=tuple(inputs))


def carbon(facts: Facts, metric: str) -> Explanation:
    """Carbon: energy times the grid's intensity."""
    value = float(facts.figures[metric]["value"])
    name = metric.replace("carbon", "energy")
    if name not in facts.figures or not facts.figures[name]["value"]:
        return plain_figure(facts, metric)
    used = energy(facts, name)
    intensity = value / used.value
    source = facts.fact("grid of")[1] or "scenario"
    grid = Explanation("carbon intensity", intensity, "kg/kWh", source=source)
    formula = f"{used.name} × {grid.name}"
    return Explanation(metric, value, "kg", formula, _of_runs(facts), inputs=(used, grid))


def goodput(facts: Facts, metric: str) -> Explanation:
    """Goodput: productive over allocated time in the mean ledger, then to the median."""
    value = float(facts.figures[metric]["value"])
    productive = _sum("productive", facts, lambda name: name in PRODUCTIVE_CLASSES)
    allocated = _sum("allocated", facts, lambda name: name not in UNALLOCATED_CLASSES)
    if not allocated.value:
        return plain_figure(facts, metric)
    mean = productive.value / allocated.value
    ratio = part(
        "of the mean ledger",
        mean,
        value,
        "1",
        formula="productive ÷ allocated",
        inputs=(productive, allocated),
    )
    rest = part("from the mean ledger to the median", value - mean, value, "1")
    formula = "productive ÷ allocated, median of the runs"
    return Explanation(metric, value, "1", formula, _of_runs(facts), inputs=(ratio, rest))


def ettr(facts: Facts, metric: str) -> Explanation:
    """ETTR: goodput times the share of time asked for that was not spent in the queue."""
    value = float(facts.figures[metric]["value"])
    name = metric.replace("ettr", "goodput")
    if name not in facts.figures or not facts.figures[name]["value"]:
        return plain_figure(facts, metric)
    useful = goodput(facts, name)
    held = Explanation(
        "share not queued",
        value / useful.value,
        "1",
        source="allocated ÷ (allocated + queued), of the medians",
    )
    formula = f"{useful.name} × {held.name}"
    return Explanation(metric, value, "1", formula, _of_runs(facts), inputs=(useful, held))


def _sum(name: str, facts: Facts, belongs: Any) -> Explanation:
    rows = {key: value for key, value in facts.ledger.items() if belongs(key)}
    whole = math.fsum(rows.values())
    inputs = tuple(part(key, value, whole, "s") for key, value in rows.items())
    return Explanation(name, whole, "s", " + ".join(rows), f"ledger, {_MEAN}", inputs=inputs)


def failures(facts: Facts, metric: str) -> Explanation:
    """Failures: by job in the run that is stored in full, and the median's distance."""
    value = float(facts.figures[metric]["value"])
    if not facts.jobs:
        return plain_figure(facts, metric)
    hit = [(str(job["name"]), float(job["failures"] or 0)) for job in facts.jobs]
    shown = math.fsum(count for _, count in hit)
    inputs = [part(name, count, value, "1") for name, count in hit if count]
    rates = facts.fact("failure rates")[1]
    return Explanation(
        metric,
        value,
        "1",
        formula=f"jobs in the run of seed {facts.jobs[0]['seed']} + distance of the median",
        source=f"{_of_runs(facts)}; {rates}" if rates else _of_runs(facts),
        inputs=(*inputs, *_distance(value, shown, "1")),
    )


def ledger_class(facts: Facts, metric: str) -> Explanation:
    """A class of the ledger: capacity times its share."""
    value = facts.ledger.get(metric.partition(".")[2], 0.0)
    whole = capacity(facts, "capacity_s")
    share = Explanation("share", value / whole.value if whole.value else 0.0, "1", source=_MEAN)
    formula = f"{whole.name} × {share.name}"
    return Explanation(metric, value, "s", formula, f"ledger, {_MEAN}", inputs=(whole, share))


def capacity(facts: Facts, metric: str) -> Explanation:
    """Accelerator-seconds held: the sum of all classes."""
    value = float(facts.stored.summary["capacity_s"])
    inputs = tuple(part(name, seconds, value, "s") for name, seconds in facts.ledger.items())
    formula = "sum over the classes of the ledger"
    return Explanation(metric, value, "s", formula, f"ledger, {_MEAN}", inputs=inputs)


def confidence(facts: Facts, metric: str) -> Explanation:
    """How surely an objective is met: the share of the runs that meet it."""
    name = metric.removeprefix("objectives.").removesuffix(".confidence")
    rows = facts.stored.summary.get("objectives") or []
    found = next(row for row in rows if row["name"] == name)
    runs = float(facts.stored.summary["runs"])
    value = float(found["confidence"])
    inputs = (
        Explanation("runs that meet it", round(value * runs), "runs", source=_of_runs(facts)),
        Explanation("runs", runs, "runs", source="plan.seeds"),
        Explanation("target", float(found["target"]), str(found["unit"]), source="scenario"),
    )
    return Explanation(metric, value, "1", formula="runs that meet it ÷ runs", inputs=inputs)


def _of_runs(facts: Facts) -> str:
    """How the figure came about: simulated, or expected in closed form."""
    row = subject_row(facts) or {}
    runs = facts.stored.summary.get("runs")
    how = "simulated" if row.get("simulated") else "expected"
    return f"median of {runs} {how} runs"

"""Tables whose rows follow from what they were made of."""

import numpy as np
import pytest

from dcsim.economics import CATEGORIES, Bill, Rates
from dcsim.planner.outcomes import Outcome
from dcsim.planner.tables import ledger_rows, loss_rows, money_rows
from dcsim.records import LEDGER_CLASSES, Interval
from dcsim.records.real_run import RealRun

RATES = Rates(
    Interval.exact(1.0, "USD/s"),
    Interval.exact(0.0, "USD/s"),
    0.1,
    1000.0,
    Interval.exact(5000.0, "W"),
    400.0,
    100.0,
    False,
    1.2,
    0.1,
    0.4,
)


def outcome(runs: int = 8) -> Outcome:
    generator = np.random.default_rng(1)
    amounts = [generator.uniform(1.0, 9.0, runs) for _ in range(4)]
    return Outcome(
        simulated=True,
        finish_s={},
        makespan_s=generator.uniform(1.0, 2.0, runs),
        seconds={
            "useful_training": generator.uniform(5.0, 9.0, runs),
            "repair": generator.uniform(0.0, 1.0, runs),
        },
        bill=Bill(*amounts, generator.uniform(1.0, 2.0, runs), generator.uniform(1.0, 2.0, runs)),
        failures=np.zeros(runs),
        ettr=np.ones(runs),
        goodput=np.ones(runs),
    )


def test_money_sums_to_the_median_total() -> None:
    found = outcome()
    *categories, total = money_rows(found)
    assert [row["category"] for row in categories] == list(CATEGORIES)
    assert sum(row["usd"] for row in categories) == pytest.approx(found.cost.value)
    assert total["usd"] == pytest.approx(found.cost.value)
    assert all(row["low_usd"] <= row["usd"] <= row["high_usd"] for row in categories)


def test_every_class_of_the_ledger_carries_its_part() -> None:
    found = outcome()
    rows = {row["ledger_class"]: row for row in ledger_rows(found, RATES)}
    assert list(rows) == list(LEDGER_CLASSES)
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1.0)
    assert sum(row["cost_usd"] for row in rows.values()) == pytest.approx(found.cost.value)
    assert sum(row["energy_kwh"] for row in rows.values()) == pytest.approx(found.energy.value)
    busy, idle = rows["useful_training"], rows["repair"]
    # Computing draws 5.5 kW with network and storage, everything else 1.5.
    assert (busy["energy_kwh"] / busy["seconds"]) / (
        idle["energy_kwh"] / idle["seconds"]
    ) == pytest.approx(5500 / 1500)


def test_metrics_stand_where_they_were_taken() -> None:
    run = RealRun(
        name="probe",
        job="digits-mlp",
        parameters={},
        step_s=(0.1, 0.1, 0.1, 0.1),
        losses=(3.0, 2.0, 1.0, 0.5),
        epochs=(0, 0, 1, 1),
        metrics={"test_accuracy": 0.9},
        loss_name="cross-entropy",
        metric_name="accuracy",
        operators=(),
        batch_size=8,
        parameter_count=10,
        training_samples=16,
        data_bytes=100,
        checkpoint_bytes=80,
        checkpoint_s=0.0,
        startup_s=0.1,
        load_s=0.1,
        evaluation_s=0.1,
        stopped="limit",
        data_source="here",
        machine="this",
        source_hash="",
        measured_at="2026-01-01T00:00:00+00:00",
        evaluations=({"step": 2, "epoch": 0, "accuracy": 0.7}, {"step": 4, "accuracy": 0.8}),
    )
    rows = loss_rows([run])
    assert [row["loss"] for row in rows] == [3.0, 2.0, 1.0, 0.5]
    assert [(row["metric"], row["value"]) for row in rows] == [
        ("accuracy", None),
        ("validation accuracy", 0.7),
        ("accuracy", None),
        ("test accuracy", 0.9),
    ]

"""Totals that do not follow from their parts are named."""

import copy

import pandas as pd
import pytest

from dcsim import store
from dcsim.records import Result


def a_plan():
    """A small plan in which everything agrees."""
    figure = {"low": 1.0, "value": 2.0, "high": 3.0, "unit": "s"}
    # Percentiles 5, 50 and 95 of the four simulated runs below.
    cost = {"low": 9.15, "value": 10.0, "high": 10.85, "unit": "USD"}
    candidates = [
        {"id": "a", "status": "recommended", "time_s": figure, "cost_usd": cost},
        {
            "id": "b",
            "status": "dominated",
            "time_s": figure | {"value": 2.5},
            "cost_usd": cost | {"value": 10.5},
        },
        {"id": "c", "status": "infeasible", "time_s": None, "cost_usd": None},
    ]
    summary = {
        "scenario": "x",
        "recommended": "a",
        "candidates": candidates,
        "capacity_s": 4.0,
        "ledger_s": {"useful_training": 3.0, "repair": 1.0, "spare": 0.0},
        "objectives": [
            {
                "name": "budget",
                "metric": "total.cost",
                "target": 10.5,
                "confidence_asked": 0.5,
                "confidence": 0.75,
                "met": True,
            }
        ],
    }
    tables = {
        "ledger": pd.DataFrame(
            {
                "ledger_class": ["useful_training", "repair"],
                "seconds": [3.0, 1.0],
                "share": [0.75, 0.25],
                "cost_usd": [7.5, 2.5],
            }
        ),
        "money": pd.DataFrame({"category": ["accelerators", "energy", "total"], "usd": [8, 2, 10]}),
        "breakdown": pd.DataFrame(
            {
                "candidate": ["a", "a"],
                "job": ["base", "base"],
                "part": ["compute", "dp"],
                "level": ["part", "part"],
                "share": [0.9, 0.1],
            }
        ),
        "finalist_runs": pd.DataFrame(
            {"candidate": ["a"] * 4 + ["c"], "cost_usd": [9.0, 10.0, 10.0, 11.0, 99.0]}
        ),
    }
    return summary, tables


def faults_of(tmp_path, summary, tables):
    directory = store.write(Result("plan", summary, tables), tmp_path / "r")
    return [fault.message for fault in store.verify(directory)]


def test_a_plan_in_which_all_agrees_has_no_faults(tmp_path):
    assert faults_of(tmp_path, *a_plan()) == []


def _set(place, *path):
    """A change: the last of `path` is the value, the others lead to it."""

    def change(summary, tables):
        target = {"summary": summary, "tables": tables}[place]
        for key in path[:-2]:
            target = target[key]
        target[path[-2]] = path[-1]

    return change


def _cell(table, row, column, value):
    def change(summary, tables):
        tables[table].loc[row, column] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("summary", "capacity_s", 5.0), "the ledger sums to 4 s, the capacity is 5 s"),
        (_set("summary", "ledger_s", "repair", 2.0), "repair is 1 s in the ledger, 2 s in the"),
        (_cell("ledger", 1, "share", 0.5), "shares in the ledger are not its seconds"),
        (_cell("money", 0, "usd", 9), "categories of money sum to 11 USD, the total says 10"),
        (_cell("breakdown", 0, "share", 0.8), "parts of a step of base in a sum to 0.9"),
        (_set("summary", "recommended", "z"), "recommended candidate z is not among"),
        (_set("summary", "candidates", 1, "status", "frontier"), "called frontier, but another"),
        (
            _set("summary", "candidates", 1, "time_s", {"low": 1, "value": 1.5, "high": 2}),
            "called dominated, but no other dominates it",
        ),
        (_set("summary", "objectives", 0, "met", False), "said to be missed at 0.75 sure of 0.5"),
        (_set("summary", "objectives", 0, "confidence", 0.6), "is met in 0.75 of the runs"),
        (
            _set("summary", "candidates", 0, "cost_usd", {"low": 11, "value": 10, "high": 12}),
            "candidates.a.cost_usd is 10, outside its own interval",
        ),
        (_set("summary", "candidates", 0, "memory_device_bytes", 81e9), None),
        (
            _set("tables", "ledger", pd.DataFrame({"seconds": [1.0]})),
            "cannot check that the ledger",
        ),
        (_cell("ledger", 0, "cost_usd", 9.0), "cost_usd of the ledger sums to 11.5 USD, not to 10"),
        (_cell("finalist_runs", 2, "cost_usd", 9.0), "cost_usd of a is 10, the median of"),
    ],
)
def test_each_disagreement_is_named(tmp_path, change, message):
    summary, tables = copy.deepcopy(a_plan())
    change(summary, tables)
    found = faults_of(tmp_path, summary, tables)
    if message is None:
        assert found == []
    else:
        assert any(message in fault for fault in found), found


def test_a_recommendation_that_does_not_fit_is_named(tmp_path):
    summary, tables = a_plan()
    summary["candidates"][0] |= {"memory_device_bytes": 81e9, "memory_capacity_bytes": 80e9}
    assert any("does not fit in memory" in fault for fault in faults_of(tmp_path, summary, tables))


def test_more_is_better_for_goodput(tmp_path):
    summary, tables = a_plan()
    tables["finalist_runs"]["goodput"] = [0.9, 0.95, 0.7, 0.99, 0.0]
    summary["objectives"][0] |= {"metric": "total.goodput", "target": 0.85, "confidence": 0.75}
    assert faults_of(tmp_path, summary, tables) == []

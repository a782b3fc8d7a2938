"""The fit finds what made the data, is deterministic, and learns from a user's own runs."""

import numpy as np
import pytest

from dcsim.calibration.build_training_fit import published_rows
from dcsim.calibration.training_fit import (
    fit_parameters,
    group_of,
    log_predictions,
    runs_of,
    used_parameters,
)
from dcsim.calibration.training_own import fit_own_runs
from dcsim.calibration.training_validation import (
    copies_of,
    folds_by,
    held_out,
    removed_blocks,
    summary,
)
from dcsim.cost.parameters import shipped_fit
from dcsim.records import InputError


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    picked = ("sc21", "korthikanti", "mlm-jan21")
    return [row for row in published_rows() if row["source_group"] in picked]


def test_a_fit_improves_on_the_priors_and_repeats_bit_by_bit(rows: list[dict[str, str]]) -> None:
    runs = runs_of(rows)
    before = log_predictions(runs, {}) - np.log(runs.measured_s)
    fitted = fit_parameters(runs, iterations=4)
    after = log_predictions(runs, fitted) - np.log(runs.measured_s)
    assert np.mean(after**2) < np.mean(before**2)
    assert fit_parameters(runs, iterations=4) == fitted


def test_held_out_runs_are_not_in_the_fit(rows: list[dict[str, str]]) -> None:
    """Changing a held-out run's time leaves its prediction as it was."""
    changed = [
        row | {"iteration_s": "100"} if row["source_group"] == "korthikanti" else row
        for row in rows
    ]
    predictions = []
    for content in (rows, changed):
        runs = runs_of(content)
        fold = runs.group == "korthikanti"
        predictions.append(held_out(runs, [fold], iterations=2)[fold])
    assert predictions[0].tobytes() == predictions[1].tobytes()


def test_copies_stay_on_one_side(rows: list[dict[str, str]]) -> None:
    runs = runs_of(rows)
    twins = copies_of(runs, runs.group == "sc21")
    assert runs.row_ids[twins].tolist() == ["C0273"]


def test_folds_cover_every_labelled_row_once(rows: list[dict[str, str]]) -> None:
    runs = runs_of(rows)
    assert (sum(fold.astype(int) for fold in folds_by(runs.group)) == 1).all()
    assert removed_blocks(runs, folds_by(runs.accelerators())).all()


def test_groups_split_containers_and_join_sections() -> None:
    assert group_of({"source_group": "bloom:Re-do"}) == "bloom"
    row = {"source_group": "mbridge", "source": "repo docs [25.09 NeMo Container]"}
    assert group_of(row) == "mbridge 25.09"


def test_only_parameters_that_the_runs_can_move_are_fitted(rows: list[dict[str, str]]) -> None:
    names = used_parameters(runs_of(rows).table)
    assert not [name for name in names if "hopper" in name or "moe.software" in name]
    assert "gemm.share.16.ampere" in names


def test_own_runs_move_the_shipped_fit_towards_them(rows: list[dict[str, str]]) -> None:
    own = [
        row | {"iteration_s": str(1.3 * float(row["iteration_s"]))}
        for row in rows
        if row["source_group"] == "sc21"
    ]
    shipped = shipped_fit()
    moved = fit_own_runs(own, shipped)
    report = moved.fit_report
    assert report["own_runs"] == len(own)
    assert report["own_held_out"]["median"] < report["own_before"]["median"]
    assert moved.spread["base"] <= shipped.spread["base"]
    assert set(moved.parameters) >= set(shipped.parameters)


def test_own_runs_without_a_measurement_are_refused(rows: list[dict[str, str]]) -> None:
    with pytest.raises(InputError, match="measured iteration_s"):
        fit_own_runs([rows[0] | {"iteration_s": ""}], shipped_fit())


def test_a_summary_counts_signs_in_the_bias_only() -> None:
    figures = summary(np.array([0.1, -0.1, 0.3]))
    assert figures["median"] == pytest.approx(0.1)
    assert figures["bias"] == pytest.approx(0.1)
    assert figures["n"] == 3

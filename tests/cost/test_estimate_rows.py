"""`dcsim estimate training`: columns, blanks, what is never read, errors, exit codes."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from dcsim.calibration.build_training_fit import published_rows
from dcsim.cli.main import app
from dcsim.cost.parameters import shipped_fit
from dcsim.cost.row_estimates import COLUMNS, errors_by_block, estimate_rows
from dcsim.cost.training import PARTS

RUNNER = CliRunner()
NEVER_READ = (
    "iteration_s", "tokens_per_s_per_gpu", "tflops_per_gpu", "mfu_pct", "notes", "quality",
    "flops_convention", "derived_fields", "source_group", "model_tflops_check", "check_ratio",
)  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return published_rows()


def _write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_every_published_row_is_predicted_in_order(rows: list[dict[str, str]]) -> None:
    estimates = estimate_rows(rows, shipped_fit())
    assert [out["row_id"] for out in estimates.rows] == [row["row_id"] for row in rows]
    assert {out["status"] for out in estimates.rows} == {"ok"}
    assert tuple(estimates.rows[0]) == COLUMNS
    for out in estimates.rows:
        if out["fits"]:
            parts = sum(out[name] for name in PARTS)
            assert parts == pytest.approx(out["predicted_iteration_s"], rel=1e-9)
            assert out["low_s"] < out["predicted_iteration_s"] < out["high_s"]
        else:
            assert out["predicted_iteration_s"] is None
            assert out["memory_device_bytes"] > 0


def test_dense_16_bit_rows_of_quality_a_are_within_fifteen_percent(
    rows: list[dict[str, str]],
) -> None:
    kept = [
        row for row in rows
        if row["quality"] == "A" and not row["moe_experts"] and row["precision"] in ("bf16", "fp16")
    ]  # fmt: skip
    estimates = estimate_rows(kept, shipped_fit())
    figures = errors_by_block(estimates, [float(row["iteration_s"]) for row in kept])[0]
    assert figures["block"] == "all"
    assert figures["median"] <= 0.15
    assert abs(figures["bias"]) <= 0.05
    assert figures["n_missing"] <= 0.03 * len(kept)


def test_measured_columns_are_never_read(rows: list[dict[str, str]], tmp_path: Path) -> None:
    some = [dict.fromkeys(NEVER_READ, "") | row for row in rows[::9]]
    blank = [row | dict.fromkeys(NEVER_READ, "") for row in some]
    texts = []
    for name, content in (("a", some), ("b", blank)):
        out = tmp_path / f"{name}-out.csv"
        path = _write(tmp_path / f"{name}.csv", content)
        result = RUNNER.invoke(app, ["estimate", "training", str(path), "--out", str(out)])
        assert result.exit_code == 0, result.output
        texts.append(out.read_bytes())
    assert texts[0] == texts[1]


def test_a_blank_field_widens_the_interval_and_is_named(rows: list[dict[str, str]]) -> None:
    row = next(r for r in rows if r["row_id"] == "C0271")
    blank = row | {"micro_batch": "", "recompute": ""}
    known, open_ = estimate_rows([row, blank], shipped_fit()).rows
    assert known["assumptions"] == ""
    assert "micro_batch=" in open_["assumptions"]
    assert "recompute=" in open_["assumptions"]
    assert open_["high_s"] / open_["low_s"] > known["high_s"] / known["low_s"]


def test_software_is_a_column_or_follows_from_the_source(rows: list[dict[str, str]]) -> None:
    row = next(r for r in rows if r["row_id"] == "C0271")
    outputs = estimate_rows(
        [row, row | {"software": "megatron-2022"}, row | {"source": "somebody's log"},
         row | {"software": "a-new-one"}],
        shipped_fit(),
    ).rows  # fmt: skip
    assert [out["software"] for out in outputs] == [
        "megatron-2021", "megatron-2022", "default", "default",
    ]  # fmt: skip
    assert "software=default" in outputs[2]["assumptions"]
    assert "a-new-one" in outputs[3]["assumptions"]


def test_a_row_without_an_accelerator_is_refused_with_a_reason(
    rows: list[dict[str, str]],
) -> None:
    out = estimate_rows(
        [rows[0] | {"accelerator": ""}, rows[0] | {"layers": ""}, rows[0] | {"tp": "two"},
         rows[0] | {"accelerator": "H1000"}],
        shipped_fit(),
    ).rows  # fmt: skip
    assert [row["status"] for row in out] == ["refused"] * 4
    assert "accelerator" in out[0]["reason"]
    assert "layers" in out[1]["reason"]
    assert "tp must be a number" in out[2]["reason"]
    assert "did you mean" in out[3]["reason"]


@settings(max_examples=60, deadline=None)
@given(
    column=st.sampled_from(
        ["layers", "hidden", "heads", "kv_heads", "vocab", "seq_len", "n_gpus", "global_batch",
         "micro_batch", "tp", "pp", "vp", "dp", "cp", "ep", "precision", "recompute", "attention",
         "head_dim", "moe_experts", "moe_topk", "gpus_per_node", "inter_link_Gbps_per_gpu"]
    ),
    text=st.one_of(
        st.sampled_from(["", "0", "-1", "1e400", "1e300", "nan", "inf", "x", "3.5", "1e9", "7"]),
        st.text(max_size=6),
    ),
)  # fmt: skip
def test_any_text_in_a_field_gives_a_prediction_or_a_reason(column: str, text: str) -> None:
    row = published_rows()[5] | {column: text}
    (out,) = estimate_rows([row], shipped_fit()).rows
    if out["status"] == "refused":
        assert out["reason"]
    else:
        assert np.isfinite(out["memory_device_bytes"])
        assert not out["fits"] or np.isfinite(out["predicted_iteration_s"])


def test_row_numbers_stand_in_for_missing_ids(rows: list[dict[str, str]]) -> None:
    plain = [{k: v for k, v in row.items() if k != "row_id"} for row in rows[:2]]
    assert [out["row_id"] for out in estimate_rows(plain, shipped_fit()).rows] == ["1", "2"]


def test_json_has_rows_and_errors_by_block(rows: list[dict[str, str]], tmp_path: Path) -> None:
    path = _write(tmp_path / "rows.csv", rows[:30])
    result = RUNNER.invoke(app, ["estimate", "training", str(path), "--json"])
    document = json.loads(result.stdout)
    assert len(document["rows"]) == 30
    assert list(document["errors"][0]) == [
        "block", "n", "n_missing", "median", "p90", "bias", "coverage90",
    ]  # fmt: skip
    assert document["errors"][0]["n"] + document["errors"][0]["n_missing"] == 30
    assert {e["block"] for e in document["errors"]} >= {"all", "dense-16-bit-H100-SXM"}


def test_numbers_print_as_the_shortest_text_that_reads_back(
    rows: list[dict[str, str]], tmp_path: Path
) -> None:
    path = _write(tmp_path / "rows.csv", rows[:5])
    result = RUNNER.invoke(app, ["estimate", "training", str(path)])
    printed = list(csv.DictReader(io.StringIO(result.stdout)))
    expected = estimate_rows(rows[:5], shipped_fit()).rows
    for text, row in zip(printed, expected, strict=True):
        assert float(text["low_s"]) == row["low_s"]
        assert text["low_s"] == repr(row["low_s"])


@pytest.mark.parametrize("content", [None, "", "a,b\n1,2,3\n"])
def test_a_file_that_is_no_table_exits_with_2(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "rows.csv"
    if content is not None:
        path.write_text(content)
    result = RUNNER.invoke(app, ["estimate", "training", str(path)])
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_place_that_cannot_be_written_exits_with_2(
    rows: list[dict[str, str]], tmp_path: Path
) -> None:
    path = _write(tmp_path / "rows.csv", rows[:2])
    out = tmp_path / "missing" / "out.csv"
    result = RUNNER.invoke(app, ["estimate", "training", str(path), "--out", str(out)])
    assert result.exit_code == 2
    assert "cannot write" in result.output


def test_a_refused_file_has_no_errors_to_print(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("row_id,layers\nx,\n")
    result = RUNNER.invoke(app, ["estimate", "training", str(path), "--json"])
    document = json.loads(result.stdout)
    assert document["rows"][0]["status"] == "refused"
    assert document["errors"] == []


def test_predictions_do_not_depend_on_the_other_rows(rows: list[dict[str, str]]) -> None:
    fit = shipped_fit()
    picked = rows[100:140]
    alone = [estimate_rows([row], fit).rows[0] for row in picked]
    together = estimate_rows(picked, fit).rows
    for a, b in zip(alone, together, strict=True):
        times = (a["predicted_iteration_s"] or 0.0, b["predicted_iteration_s"] or 0.0)
        assert np.isclose(*times, rtol=1e-12)

"""The public surface."""

import ast
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import dcsim

ROOT = Path(__file__).parent.parent
SCENARIOS = ROOT / "scenarios"

HEAVY = ("numpy", "pandas", "scipy", "matplotlib", "numba", "duckdb", "typst", "networkx")


def test_every_public_name_loads() -> None:
    assert sorted(dcsim.__all__) == dir(dcsim)
    for name in dcsim.__all__:
        assert getattr(dcsim, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'forecast'"):
        _ = dcsim.forecast


def test_all_names_what_the_module_declares_for_type_checkers() -> None:
    tree = ast.parse((ROOT / "dcsim" / "__init__.py").read_text())
    declared = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("dcsim")
        for alias in node.names
    }
    assert declared == set(dcsim.__all__)


@pytest.mark.parametrize("module", ["dcsim", "dcsim.cli.main"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_a_table_is_estimated_row_by_row() -> None:
    columns = {
        "row_id": ["a", "b"],
        "layers": [32, 32],
        "hidden": [4096, 4096],
        "ffn_hidden": [14336, 14336],
        "heads": [32, 32],
        "kv_heads": [8, 8],
        "vocab": [128256, 128256],
        "seq_len": [8192, 8192],
        "attention": ["gqa", "gqa"],
        "accelerator": ["H100-SXM", "H100-SXM"],
        "n_gpus": [8, 16],
        "gpus_per_node": [8, 8],
        "global_batch": [128, 128],
        "micro_batch": [1, 1],
        "tp": [1, 1],
        "pp": [1, 1],
        "dp": [8, 16],
        "cp": [1, float("nan")],
        "precision": ["bf16", "bf16"],
    }
    found = dcsim.estimate_training(pd.DataFrame(columns))
    assert found["row_id"].tolist() == ["a", "b"]
    assert found["status"].tolist() == ["ok", "ok"]
    times = found["predicted_iteration_s"].to_numpy(dtype=float)
    assert times[0] > 1.5 * times[1] > 0


def test_a_trace_is_replayed_into_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text("job_id,submit,run,procs\na,0,10,6\nb,1,5,6\nc,2,3,2\n", encoding="utf-8")
    on_pool = dcsim.replay(path, "easy", gpus=8)
    assert on_pool.start_s.tolist() == [0.0, 10.0, 2.0]
    on_nodes = dcsim.replay(path, "fcfs", nodes="2x4")
    assert on_nodes.start_s.tolist() == [0.0, 10.0, 10.0]
    with pytest.raises(dcsim.InputError, match="name the machine once"):
        dcsim.replay(path)
    with pytest.raises(dcsim.InputError, match='as in "256x8"'):
        dcsim.replay(path, nodes="many")

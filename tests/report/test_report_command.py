"""`dcsim report`: the PDF again from stored results, and nothing else."""

from results_fixture import run_result
from typer.testing import CliRunner

from dcsim import store
from dcsim.cli.main import app

ONLY = ("objectives", "ledger")


def run(*arguments):
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_it_writes_the_report_into_the_results_and_keeps_them_consistent(tmp_path):
    directory = store.write(run_result(only=ONLY), tmp_path / "r")
    done = run(directory)
    assert done.exit_code == 0
    assert done.stdout.strip() == str(directory / "report.pdf")
    assert store.verify(directory) == []


def test_another_place_leaves_the_results_as_they_are(tmp_path):
    directory = store.write(run_result(only=ONLY), tmp_path / "r")
    done = run(directory, "--out", tmp_path / "else.pdf")
    assert done.exit_code == 0
    assert (tmp_path / "else.pdf").read_bytes().startswith(b"%PDF")
    assert not (directory / "report.pdf").exists()


def test_what_is_no_results_directory_is_wrong_input(tmp_path):
    done = run(tmp_path)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "is not a results directory" in done.stderr


def test_damaged_results_are_wrong_input(tmp_path):
    directory = store.write(run_result(only=ONLY), tmp_path / "r")
    (directory / "ledger.parquet").write_bytes(b"x")
    done = run(directory)
    assert done.exit_code == 2
    assert "ledger.parquet is no readable Parquet file" in done.stderr

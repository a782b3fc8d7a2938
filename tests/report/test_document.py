"""The PDF: complete, the same bytes, and safe against whatever names a user chooses."""

import json
import shutil
import subprocess
from importlib import import_module

import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st
from results_fixture import plan_result, run_result
from results_tables import LONG

from dcsim import store
from dcsim.records import InputError, Result
from dcsim.report import pdf_bytes, write_pdf
from dcsim.report.document import _main
from dcsim.report.sections import SECTIONS
from dcsim.report.typst_source import Column as Printed
from dcsim.report.typst_source import breakable, table, words
from dcsim.report.view import view_of
from dcsim.report.wording import plain_text


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A stored plan with its report."""
    path = store.write(plan_result(), tmp_path_factory.mktemp("results") / "plan")
    write_pdf(path)
    return path


def test_the_report_enters_the_manifest_and_nothing_disagrees(directory):
    assert (directory / "report.pdf").read_bytes().startswith(b"%PDF")
    assert store.verify(directory) == []


def test_the_same_results_give_the_same_bytes(directory, tmp_path):
    again = write_pdf(directory, tmp_path / "deep" / "again.pdf")
    assert again.read_bytes() == (directory / "report.pdf").read_bytes()


def test_it_has_four_to_six_pages_and_the_answer_on_the_first(directory):
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    pages = _pages(directory / "report.pdf")
    assert 4 <= len(pages) <= 6
    for expected in (
        "Pretrain llama3-8b on 15 T tokens",
        "RECOMMENDED",
        "16 × hgx-h100 (128 GPUs)",
        "finish by 60 d",
        "Main risk",
        "What would change the answer",
    ):
        assert expected in pages[0]
    text = "\n".join(pages)
    for heading in (
        "Rivals, and why they lost",
        "Where the time goes",
        "The cluster over time",
        "How far to trust it",
        "From a measured step to the simulated run",
        "Assumptions, most important first",
        "Sources",
        "To repeat it",
    ):
        assert heading in text
    assert "dcsim plan scenarios/a.yaml --seed 7" in text
    assert store.read(directory).manifest["files"]["summary.json"]["sha256"] in text


def _pages(path):
    """The text of every page, without the spaces that do not break."""
    done = subprocess.run(
        ["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True, timeout=60
    )
    return done.stdout.decode().replace("\u00a0", " ").rstrip("\f").split("\f")


def test_a_place_that_cannot_be_written_is_told(directory, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        write_pdf(directory, tmp_path / "file" / "report.pdf")


def test_what_is_no_results_directory_is_told(tmp_path):
    with pytest.raises(InputError, match="is not a results directory"):
        write_pdf(tmp_path)


@pytest.fixture
def no_drawing(monkeypatch):
    """Leave out the drawing, which the text of a section does not depend on."""
    for name in ("answer", "cluster", "rivals", "time", "trust"):
        module = import_module(f"dcsim.report.sections.{name}")
        for figure in [name for name in vars(module) if name.endswith("_svg")]:
            monkeypatch.setattr(module, figure, lambda *_: b"<svg/>")


@pytest.mark.parametrize("make", [plan_result, run_result])
def test_sections_drop_out_with_their_tables(no_drawing, make):
    full = make()
    for missing in full.tables:
        tables = {name: frame for name, frame in full.tables.items() if name != missing}
        view = view_of(Result(full.kind, full.summary, tables))
        assert _main(view, [b for s in SECTIONS if (b := s(view)) is not None])


@pytest.mark.parametrize("make", [plan_result, run_result])
def test_tables_without_rows_are_as_good_as_absent(make):
    full = make()
    tables = {name: frame.iloc[:0] for name, frame in full.tables.items()}
    assert pdf_bytes(Result(full.kind, full.summary, tables)).startswith(b"%PDF")
    assert pdf_bytes(Result(full.kind, {"scenario": "x"}, {})).startswith(b"%PDF")


@pytest.mark.parametrize(
    "result",
    [
        plan_result(names="long"),
        plan_result(outcome="infeasible"),
        plan_result(scale=4e4),
        run_result(names="long"),
    ],
    ids=["long names", "infeasible", "huge", "run"],
)
def test_odd_results_become_a_report(result):
    assert pdf_bytes(result).startswith(b"%PDF")


@settings(max_examples=40)
@given(st.text(max_size=40))
def test_text_of_users_never_becomes_markup(text):
    """typst shows exactly the text: it is read back from the document as it was written."""
    source = f"#metadata({words(text)[1:]}) <shown>".encode()
    found = typst.query({"main.typ": source}, "<shown>", field="value", one=True)
    assert json.loads(found).replace("\u00a0", " ") == plain_text(text)


def test_long_words_may_break_but_read_the_same():
    shown = breakable(LONG)
    assert "\u200b" in shown
    assert shown.replace("\u200b", "") == words(LONG)


def test_a_printed_table_leaves_out_empty_columns():
    source = table([Printed("A", ["x", "y"], "left"), Printed("B", ["", ""])])
    assert '#"A"' in source
    assert '#"B"' not in source
    assert table([Printed("B", [])]) == ""

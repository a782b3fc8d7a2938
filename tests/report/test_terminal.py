"""The terminal summary: the answer first, nothing wraps, colour never alone."""

import re

import pytest
from results_fixture import plan_result, run_result

from dcsim.records import Result
from dcsim.report.columns import Column, fit, pad, table, width_of
from dcsim.report.terminal import colour_wanted, terminal_summary

KINDS = {
    "met": lambda: plan_result(),
    "missed": lambda: plan_result(outcome="missed"),
    "infeasible": lambda: plan_result(outcome="infeasible"),
    "long names": lambda: plan_result(names="long"),
    "long ago": lambda: plan_result(scale=4e4),
    "instant": lambda: plan_result(scale=1e-7),
    "run": run_result,
    "bare plan": lambda: Result("plan", {"scenario": "x"}, {}),
    "bare run": lambda: Result("run", {"scenario": "x"}, {}),
}


@pytest.fixture(scope="module", params=KINDS)
def result(request):
    return KINDS[request.param]()


@pytest.mark.parametrize("width", [40, 61, 80, 100, 120, 160])
def test_no_line_is_wider_than_the_terminal(result, width):
    for line in terminal_summary(result, width).splitlines():
        assert width_of(line) <= width, line
        assert line == line.rstrip()


def test_equal_results_read_equal():
    assert terminal_summary(plan_result()) == terminal_summary(plan_result())


def test_the_answer_comes_first():
    lines = terminal_summary(plan_result()).splitlines()
    assert lines[0].startswith(" Pretrain llama3-8b on 15 T tokens")
    assert lines[0].endswith("seed 7, dcsim 0.1.0")
    assert lines[2].startswith(" Recommended   16 × hgx-h100 (128 GPUs)")
    assert re.search(r"✓ finish by 60 d +\d+\.\d d +\(.+ – .+\) +100 % sure", "\n".join(lines))


def test_every_rival_has_an_interval_and_a_reason():
    lines = terminal_summary(plan_result()).splitlines()
    head = next(i for i, line in enumerate(lines) if "why not" in line)
    reason = lines[head].index("why not")
    rows = lines[head + 1 : lines.index("", head)]
    assert rows[0].startswith(" ✓")
    assert len(rows[0]) <= reason
    for row in rows[1:]:
        assert row[reason:].strip()
        assert " – " in row or row.startswith(" ✗")


def test_a_missed_objective_says_how_surely_and_what_was_asked():
    text = terminal_summary(plan_result(outcome="missed"))
    assert re.search(r"✗ at most 1.2 M USD .* 0 % sure, not 50", text)
    assert "Missed" in text


def test_without_a_plan_the_nearest_miss_and_what_binds_are_named():
    text = terminal_summary(plan_result(outcome="infeasible"))
    assert "✗ No plan" in text
    assert "Nearest miss" in text
    assert "Binding" in text
    assert "Recommended" not in text


def test_a_wide_terminal_tells_more():
    narrow, wide = (terminal_summary(plan_result(), width) for width in (80, 120))
    assert "t CO₂  why not" not in narrow
    assert "t CO₂  why not" in wide


def test_a_run_shows_jobs_ledger_and_what_real_jobs_measured():
    text = terminal_summary(run_result())
    assert "ETTR" in text
    assert re.search(r"useful training +85 % +█", text)
    assert re.search(r"probe-text +\d.*→ \d.* 36\.?\d* ms", text)


def test_a_refused_run_says_why():
    summary = {"scenario": "x", "refused": "needs 96 GB of 80 GB", "metrics": {}}
    assert "✗ Refused     needs 96 GB of 80 GB" in terminal_summary(Result("run", summary, {}))


def test_colour_only_supports_the_marks():
    plain = terminal_summary(plan_result())
    coloured = terminal_summary(plan_result(), colour=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
    assert set(re.findall(r"\x1b\[\d+m(.)\x1b\[0m", coloured)) == {"✓", "✗"}


def test_colour_is_off_when_it_is_not_wanted(monkeypatch):
    class Stream:
        def __init__(self, tty):
            self.tty = tty

        def isatty(self):
            return self.tty

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert colour_wanted(Stream(True))
    assert not colour_wanted(Stream(False))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour_wanted(Stream(True))


def test_names_cannot_steer_the_terminal():
    summary = {"scenario": "x", "title": "a\x1b[31mb\nc\u202ed", "seed": 1}
    text = terminal_summary(Result("plan", summary, {}))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.splitlines()[0].startswith(" a [31mb c d")


def test_a_long_command_is_continued_as_a_shell_reads_it():
    command = "dcsim plan " + " ".join(f"--option-{i} value" for i in range(12))
    text = terminal_summary(Result("plan", {"scenario": "x"}, {}, command=command))
    again = text[text.index("Again") + len("Again") :]
    assert again.replace("\\\n", " ").split() == command.split()


def test_the_report_is_pointed_at():
    text = terminal_summary(plan_result(), directory="reports/x")
    assert " Report   reports/x/report.pdf" in text.splitlines()


def test_wide_characters_count_twice_and_marks_nothing():
    assert width_of("中文") == 4
    assert width_of("e\u0301") == 1
    assert width_of(fit("中文字", 4)) <= 4
    assert width_of(pad("中", 5)) == 5


def test_columns_that_do_not_fit_leave_by_priority():
    columns = [
        Column("name", ["aaaaaaaaaa"], "<", least=4),
        Column("first", ["11111"], priority=1),
        Column("second", ["22"], priority=2),
    ]
    assert table(columns, 40)[0].split() == ["name", "first", "second"]
    assert table(columns, 14)[0].split() == ["name", "first"]
    assert table(columns, 8)[0].split() == ["name"]

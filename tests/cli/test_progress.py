"""Progress on standard error."""

import io

import pytest

from dcsim.cli.progress import Live, Plain, reporter, reporting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_a_stage_is_one_line_when_it_is_over() -> None:
    stream = io.StringIO()
    progress = reporter(stream)
    assert isinstance(progress, Plain)
    progress.start("screening", "every layout on 8 clusters", 8)
    progress.advance(4)
    assert stream.getvalue() == ""
    progress.finish("17,592 layouts")
    (line,) = stream.getvalue().splitlines()
    assert line.startswith(" screening   every layout on 8 clusters")
    assert line.endswith("17,592 layouts")
    assert len(line) <= 80


def test_on_a_terminal_a_bar_moves_and_leaves_the_same_line() -> None:
    stream = Terminal()
    progress = reporter(stream)
    assert isinstance(progress, Live)
    progress.start("simulating", "6 finalists × 32 seeds", 192)
    progress.advance(96)
    progress.finish()
    assert "simulating  6 finalists × 32 seeds" in stream.getvalue().splitlines()[-1]


def interrupted_stage(stream: io.StringIO) -> None:
    with reporting(stream) as progress:
        progress.start("simulating", "6 finalists × 32 seeds", 192)
        raise KeyboardInterrupt


def test_an_interrupt_gives_the_cursor_back() -> None:
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt):
        interrupted_stage(stream)
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert stream.getvalue().rindex(shown) > stream.getvalue().rindex(hidden)

"""Progress on standard error: a live bar on a terminal, one plain line a stage elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from dcsim.planner.progress import Progress

STAGE_WIDTH = 10
WHAT_WIDTH = 40


@contextmanager
def reporting(stream: TextIO | None = None) -> Iterator["Progress"]:
    """Progress on the stream (default: standard error) for the duration of a block."""
    progress = reporter(stream)
    try:
        yield progress
    finally:
        if isinstance(progress, Live):
            progress.stop()  # an interrupt must not leave the terminal without a cursor


def reporter(stream: TextIO | None = None) -> "Progress":
    """What fits the stream (default: standard error): a live bar or plain lines."""
    stream = sys.stderr if stream is None else stream
    return Live(stream) if stream.isatty() else Plain(stream)


class Plain:
    """One line when a stage is over; its text begins when the stage begins."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._line = ""
        self._began = 0.0

    def start(self, stage: str, what: str, total: int | None = None) -> None:
        """Begin a stage."""
        self._line = _head(stage, what)
        self._began = time.monotonic()

    def advance(self, done: int, total: int | None = None) -> None:
        """Nothing: only finished stages are told."""

    def finish(self, note: str = "") -> None:
        """Print the stage with the seconds it took."""
        self._stream.write(_tail(self._line, time.monotonic() - self._began, note) + "\n")
        self._stream.flush()


class Live:
    """A bar that moves, replaced by a plain line when its stage is over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._line = ""
        self._began = 0.0
        self._bar: Bar | None = None

    def start(self, stage: str, what: str, total: int | None = None) -> None:
        """Show the stage with a bar, which only swings until its length is known."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            ProgressColumn,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar

        self._line = _head(stage, what)
        self._began = time.monotonic()
        columns: list[ProgressColumn] = [
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TaskProgressColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
        ]
        console = Console(file=self._stream, force_terminal=True, highlight=False)
        self._bar = Bar(*columns, console=console, transient=True)
        self._bar.add_task(self._line, total=total)
        self._bar.start()

    def advance(self, done: int, total: int | None = None) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)

    def finish(self, note: str = "") -> None:
        """Replace the bar by the stage's line."""
        self.stop()
        self._stream.write(_tail(self._line, time.monotonic() - self._began, note) + "\n")
        self._stream.flush()

    def stop(self) -> None:
        """Take the bar away, if there is one."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _head(stage: str, what: str) -> str:
    return f" {stage:<{STAGE_WIDTH}}  {what:<{WHAT_WIDTH}}"


def _tail(line: str, seconds: float, note: str) -> str:
    return f"{line}  {seconds:6.1f} s   {note}".rstrip()

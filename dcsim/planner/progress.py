"""How long work tells its caller where it is; the caller decides what to show."""

from typing import Protocol


class Progress(Protocol):
    """One stage at a time: `start`, any number of `advance`, `finish`."""

    def start(self, stage: str, what: str, total: int | None = None) -> None:
        """Begin `stage` (`measuring`, `screening`, `simulating`) of `total` steps."""

    def advance(self, done: int, total: int | None = None) -> None:
        """`done` of the stage's steps are finished; `total` where only now known."""

    def finish(self, note: str = "") -> None:
        """The stage is over; `note` is what is worth remembering of it."""


class Silent:
    """Shows nothing."""

    def start(self, stage: str, what: str, total: int | None = None) -> None:
        """Nothing."""

    def advance(self, done: int, total: int | None = None) -> None:
        """Nothing."""

    def finish(self, note: str = "") -> None:
        """Nothing."""

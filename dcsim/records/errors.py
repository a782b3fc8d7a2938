"""Faults in what a user wrote, as data: one sentence each, with its place."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in an input file.

    `message` says what is wrong and what would be right, in one sentence without a
    final full stop. `line` and `column` count from 1; 0 means unknown. `field` is the
    dotted path by names (`workload.chat.rate`), empty when the whole file is meant.
    """

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    field: str = ""

    def __str__(self) -> str:
        """`file:line:column  field: message`, leaving out what is unknown."""
        place = self.file
        if self.line:
            place += f":{self.line}"
            if self.column:
                place += f":{self.column}"
        head = f"{place}  " if place else ""
        return f"{head}{self.field}: {self.message}" if self.field else head + self.message


class InputError(Exception):
    """The input is wrong (exit code 2). Carries every fault found, worst first."""

    def __init__(self, faults: Sequence[Fault] | Fault | str) -> None:
        if isinstance(faults, str):
            faults = Fault(faults)
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type["InputError"], tuple[tuple[Fault, ...]]]:
        """Pickle by its faults, so that none is lost between processes."""
        return InputError, (self.faults,)

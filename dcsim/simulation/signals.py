"""What interrupts a job."""

from dataclasses import dataclass

from dcsim.simulation.spec import FailureClass


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure of `kind` on `nodes`; `corrupted_s` is when a silent one struck, else None."""

    kind: FailureClass
    nodes: tuple[int, ...]
    corrupted_s: float | None = None


@dataclass(frozen=True, slots=True)
class Disturbed:
    """Another job begins to use the storage: a fast-forwarded stretch must be cut here."""


@dataclass(frozen=True, slots=True)
class Leave:
    """The job must save and give back its accelerators; `why` goes into the log."""

    why: str


@dataclass(frozen=True, slots=True)
class Slowed:
    """A node of the job computes slower or faster from now on."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The simulation ends."""

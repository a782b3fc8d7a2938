"""Where a figure comes from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """Provenance of a fact.

    `status` is one of `sourced` (read in the source), `mixed` (some fields from memory,
    named in `from_memory`), `from-memory`, `assumption` (our own, said so), `measured`
    (on this machine) or `fitted` (to published measurements).
    """

    text: str
    status: str
    date: str = ""
    from_memory: tuple[str, ...] = ()
    note: str = ""

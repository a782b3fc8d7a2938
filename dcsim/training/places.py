"""Where a worker stands among those that train one job together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from dcsim.workers.channel import Receiver, Sender
from dcsim.workers.ring import Ring

#: How workers can share a job: each takes rows, columns of every layer, or some layers.
KINDS: tuple[str, ...] = ("data", "tensor", "pipeline")


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to one neighbour in a pipeline, `out` and `back`.

    Activations go out to the next stage and their gradients come back; to the stage before
    it is the other way round.
    """

    out: Sender
    back: Receiver

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the worker at this end must inherit."""
        return (*self.out.descriptors, *self.back.descriptors)


@dataclass(frozen=True, slots=True)
class Place:
    """One worker's place: how the job is shared (of `KINDS`), the ring of all workers, and in
    a pipeline the layers before which each stage but the first begins (`cuts`) and the ways to
    the stages before and after.
    """

    kind: str
    ring: Ring
    cuts: tuple[int, ...] = ()
    before: Ways | None = None
    after: Ways | None = None

    @property
    def rank(self) -> int:
        """The worker's number, from 0."""
        return self.ring.rank

    @property
    def ranks(self) -> int:
        """How many workers there are."""
        return self.ring.size

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the worker must inherit."""
        ways = [way.descriptors for way in (self.before, self.after) if way is not None]
        return tuple(sorted({*self.ring.descriptors, *(d for way in ways for d in way)}))


def close_places(places: Sequence[Place]) -> None:
    """Give up this process's descriptors: only then does a worker's death reach the others."""
    for descriptor in {descriptor for place in places for descriptor in place.descriptors}:
        os.close(descriptor)

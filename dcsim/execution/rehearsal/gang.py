"""A ring between workers that run already: named pipes and a shared file in one directory.

The ring of `workers.ring` is inherited when its workers start. The nodes of a rehearsal
start once and are grouped anew for every job, so its members find each other by name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcsim.workers.ring import Ring
from dcsim.workers.shared import SharedArray

_BUFFERS, _READY, _READ = "buffers", "ready", "read"


@dataclass(frozen=True, slots=True)
class Gang:
    """`size` ranks that sum `values` numbers of type `dtype`, meeting in `directory`."""

    directory: Path
    size: int
    values: int
    dtype: str

    def prepare(self) -> None:
        """Make the directory and what the ranks will open in it."""
        self.directory.mkdir()
        with (self.directory / _BUFFERS).open("wb") as file:
            file.truncate(self.size * self.values * np.dtype(self.dtype).itemsize)
        for rank in range(self.size):
            os.mkfifo(self.directory / f"{_READY}-{rank}")
            os.mkfifo(self.directory / f"{_READ}-{rank}")

    @contextmanager
    def join(self, rank: int) -> Iterator[Ring]:
        """This process's place in the ring, open for the duration of a block."""
        left = (rank - 1) % self.size
        # Opened both ways, a pipe does not wait for its other end. A rank whose neighbour
        # dies thus waits for ever: whoever runs the gang ends all of it.
        pipes = [
            os.open(self.directory / name, os.O_RDWR)
            for name in (
                f"{_READY}-{rank}",
                f"{_READY}-{left}",
                f"{_READ}-{left}",
                f"{_READ}-{rank}",
            )
        ]
        file = os.open(self.directory / _BUFFERS, os.O_RDWR)
        buffers = SharedArray((self.size, self.values), self.dtype, file)
        try:
            yield Ring(rank, self.size, buffers, *pipes)
        finally:
            buffers.close()
            for descriptor in pipes:
                os.close(descriptor)

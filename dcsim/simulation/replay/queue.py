"""The queue of a compiled event loop, and the numbers by which such loops know policies.

Apart from the loops, so that importing one of them does not compile the others.
"""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FCFS, SJF, FIRST_FIT, EASY = 0, 1, 2, 3


@kernel("i8(i8[::1], i8, i8, f8[::1], i8, b1)")
def enqueue(queue: Ints, head: int, tail: int, est: Floats, job: int, by_estimate: bool) -> int:
    """Add `job` at the end, or at its place by (est, index); the new tail."""
    i = tail
    if by_estimate:
        while i > head and est[queue[i - 1]] > est[job]:
            queue[i] = queue[i - 1]
            i -= 1
    queue[i] = job
    return tail + 1


@kernel("i8(i8[::1], i8, i8, i8[::1], i8)")
def remove_started(queue: Ints, head: int, tail: int, started: Ints, count: int) -> int:
    """Close the gaps that started jobs leave behind the head; the new tail."""
    write, skip = started[0], 0
    for read in range(started[0], tail):
        if skip < count and read == started[skip]:
            skip += 1
        else:
            queue[write] = queue[read]
            write += 1
    return write

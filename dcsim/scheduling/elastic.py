"""How elastic jobs share a pool: everyone its least, the rest as evenly as possible."""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel

Ints = NDArray[np.int64]


@kernel("i8[::1](i8[::1], i8[::1], i8)")
def shared_evenly(least: Ints, most: Ints, capacity: int) -> Ints:
    """Accelerators of each job, shape (n,): between `least` and `most`, at most `capacity`.

    What the sum of `least` (which must fit) leaves goes one by one to the job that has
    fewest and may have more, the earlier one first: max-min fair sharing in whole numbers.
    """
    low, high = np.int64(0), max(np.int64(0), most.max())
    while low < high:
        middle = (low + high + 1) // 2
        if np.maximum(least, np.minimum(most, middle)).sum() <= capacity:
            low = middle
        else:
            high = middle - 1
    given = np.maximum(least, np.minimum(most, low))
    rest = capacity - given.sum()
    for i in range(given.size):
        if rest > 0 and given[i] == low and given[i] < most[i]:
            given[i] += 1
            rest -= 1
    return given

"""A binary heap of job indices ordered by a key array, for compiled event loops."""

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@kernel("i8(i8[::1], i8, f8[::1], i8)")
def push(heap: Ints, size: int, key: Floats, item: int) -> int:
    """Add `item`; the new size."""
    i = size
    while i > 0:
        parent = (i - 1) // 2
        if key[heap[parent]] <= key[item]:
            break
        heap[i] = heap[parent]
        i = parent
    heap[i] = item
    return size + 1


@kernel("i8(i8[::1], i8, f8[::1])")
def pop(heap: Ints, size: int, key: Floats) -> int:
    """Drop the first item, `heap[0]`, which the caller has read; the new size."""
    size -= 1
    item = heap[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and key[heap[child + 1]] < key[heap[child]]:
            child += 1
        if key[item] <= key[heap[child]]:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = item
    return size

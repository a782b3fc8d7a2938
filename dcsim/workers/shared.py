"""Memory that several processes see, freed by the system when the last of them ends."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MEMORY_FILES = Path("/dev/shm")


class SharedArray:
    """An array in memory that workers can share; `array` is the ndarray, zeros at first.

    The memory belongs to an unlinked file, so it has no name that could be left behind.
    Give `descriptor` to `Worker(inherit=...)`; a SharedArray sent to that worker then opens
    the same memory there.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, descriptor: int | None = None) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        size = max(math.prod(shape) * self.dtype.itemsize, 1)
        if descriptor is None:
            descriptor = _anonymous_file(size)
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, size)
        self.array: NDArray[Any] = np.frombuffer(
            self._memory, self.dtype, count=math.prod(shape)
        ).reshape(shape)

    def __reduce__(self) -> tuple[Any, ...]:
        return SharedArray, (self.shape, self.dtype, self.descriptor)

    def close(self) -> None:
        """Give up the descriptor; the array stays valid as long as it is referred to."""
        os.close(self.descriptor)


def _anonymous_file(size: int) -> int:
    """The descriptor of a file of `size` bytes that has no name, in memory where possible."""
    folder = _MEMORY_FILES if os.access(_MEMORY_FILES, os.W_OK) else None
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(size)
        return os.dup(file.fileno())

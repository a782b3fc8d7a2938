"""Optional compilation of loops that cannot be vectorised.

Importing this module imports numba, so only modules that the command line loads lazily
may import it. `DCSIM_NO_JIT=1` leaves every kernel as plain Python with equal results.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

ENABLED = os.environ.get("DCSIM_NO_JIT", "") != "1"


def kernel(signature: Any = None) -> Callable[[Function], Function]:
    """Compile the decorated function with numba, kept on disk between processes.

    `signature` is numba's (a string or None for compilation on first call). No fast-math
    and no threads: both would change last bits between runs.
    """

    def decorate(function: Function) -> Any:
        if not ENABLED:
            return function
        import numba

        njit: Any = numba.njit
        try:
            return njit(signature, cache=True, nogil=True)(function)
        except RuntimeError:  # no writable place for the cache
            return njit(signature, nogil=True)(function)

    return decorate

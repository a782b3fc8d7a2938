"""The entry points of `fluid_kernel`, compiled when there is enough work to repay it."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from dcsim._jit import ENABLED
from dcsim.simulation import fluid_kernel as plain
from dcsim.simulation.fluid_state import new_state

#: Visits to places (4 us each when interpreted) that repay loading the kernels.
WORTH_COMPILING = 300_000

#: Functions that the entry points call.
HELPERS = (
    plain.heap_up,
    plain.heap_down,
    plain.heap_set,
    plain.heap_remove,
    plain.full_level,
    plain.survey,
    plain.set_key,
    plain.suspect,
    plain.clear,
    plain.touch,
    plain.hold_flow,
    plain.let_go,
    plain.release,
    plain.hold,
    plain.doubt_everything,
    plain.fill,
    plain.settle,
    plain.make_dirty,
    plain.add_flow,
    plain.remove_flow,
    plain.resolve,
    plain.take_finished,
)


class Kernels(NamedTuple):
    """The entry points of the solver; interpreted and compiled ones give equal results."""

    run_all: Callable[..., int]
    advance: Callable[..., int]


INTERPRETED = Kernels(plain.run_all, plain.advance)


@lru_cache(maxsize=1)
def compiled() -> Kernels:
    """The compiled kernels, kept on disk; the interpreted ones where numba is not to be had."""
    if not ENABLED:
        return INTERPRETED
    try:
        import numba
        from numba.extending import register_jitable
    except ImportError:
        return INTERPRETED
    for helper in HELPERS:
        register_jitable(error_model="numpy")(helper)
    state: Any = numba.typeof(new_state(np.ones(1), np.ones(1, dtype=np.int64), 1, 1))  # type: ignore[no-untyped-call]
    ints, floats = numba.int64[::1], numba.float64[::1]
    signatures: tuple[Any, ...] = (
        numba.int64(state, ints, floats, ints, floats, numba.int64, numba.int64),
        numba.int64(state, numba.float64, ints, ints, ints, ints),
    )
    return Kernels(*map(_compile, INTERPRETED, signatures))


def _compile(function: Callable[..., Any], signature: Any) -> Callable[..., Any]:
    import numba

    try:
        return numba.njit(signature, cache=True, error_model="numpy", nogil=True)(function)
    except RuntimeError:  # no writable place for the cache
        return numba.njit(signature, error_model="numpy", nogil=True)(function)


class _Visits:
    """How much interpreted work this process has done; results do not depend on it."""

    total = 0


def note_visits(visits: int) -> None:
    """Count work done, so that many small problems earn the compiled kernels together."""
    _Visits.total += visits


def kernels() -> Kernels:
    """The kernels to use now: compiled ones once they are loaded or will pay."""
    if _Visits.total >= WORTH_COMPILING or compiled.cache_info().currsize:
        return compiled()
    return INTERPRETED

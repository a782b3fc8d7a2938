"""The environment of a process whose work is timed: few BLAS threads, memory that is kept."""

from collections.abc import Mapping

_THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_BYTES_KEPT = 1 << 40


def worker_environment(base: Mapping[str, str], *, threads: int = 1) -> dict[str, str]:
    """`base` with `threads` BLAS threads and an allocator that does not give memory back.

    By default glibc returns the top of the heap to the system whenever a training step
    frees its activations, and faults every page in again during the next step: up to two
    thirds of a step, and erratic. BLAS and the allocator read these variables once, when
    a process starts, so they must be in the environment that it is started with.
    """
    settings = {name: str(threads) for name in _THREADS}
    settings["MALLOC_TRIM_THRESHOLD_"] = str(_BYTES_KEPT)
    settings["MALLOC_MMAP_MAX_"] = "0"
    settings["MALLOC_TOP_PAD_"] = str(16 << 20)
    return {**base, **settings}

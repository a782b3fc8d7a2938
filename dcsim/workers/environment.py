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
_MMAP_BYTES = 128 << 10


def worker_environment(
    base: Mapping[str, str], *, threads: int = 1, keeps_memory: bool = True
) -> dict[str, str]:
    """`base` with `threads` BLAS threads and an allocator that does not give memory back.

    By default glibc returns the top of the heap to the system whenever a training step
    frees its activations, and faults every page in again during the next step: up to two
    thirds of a step, and erratic. BLAS and the allocator read these variables once, when
    a process starts, so they must be in the environment that it is started with.

    Without `keeps_memory`, every block above glibc's first threshold comes from the system
    and goes back to it, each time alike.
    """
    settings = {name: str(threads) for name in _THREADS}
    if not keeps_memory:
        return {**base, **settings, "MALLOC_MMAP_THRESHOLD_": str(_MMAP_BYTES)}
    settings["MALLOC_TRIM_THRESHOLD_"] = str(_BYTES_KEPT)
    settings["MALLOC_MMAP_MAX_"] = "0"
    settings["MALLOC_TOP_PAD_"] = str(16 << 20)
    return {**base, **settings}

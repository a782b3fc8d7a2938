"""What this machine is, as far as it decides how fast NumPy computes."""

import os
import platform
from functools import cache
from pathlib import Path

from dcsim.records.profile import MachineIdentity


@cache
def machine_identity() -> MachineIdentity:
    """Processor, cores, memory and the versions that matter; names no host and no user."""
    import numpy as np

    return MachineIdentity(
        cpu=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _cores(),
        memory_bytes=_memory_bytes(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        numpy=np.__version__,
        blas=_blas(),
    )


def _cores() -> int:
    return os.cpu_count() or 1


def _processor() -> str:
    """The model name that the system gives, without doubled spaces."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine() or "unknown"


def _memory_bytes() -> int:
    """Physical memory, 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _blas() -> str:
    """Name, version and kernel of the BLAS that NumPy loaded."""
    from threadpoolctl import threadpool_info

    found = [info for info in threadpool_info() if info["user_api"] == "blas"]
    if not found:
        return "unknown"
    # SciPy brings a BLAS of its own: which comes first depends on what was imported first.
    best = min(found, key=lambda info: "numpy" not in info["filepath"])
    return " ".join(
        str(best[key]) for key in ("internal_api", "version", "architecture") if best.get(key)
    )

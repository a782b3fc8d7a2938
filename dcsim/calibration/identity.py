"""What machine this is, as far as its speed is concerned."""

import os
import platform
from pathlib import Path

import numpy as np

from dcsim.records.profile import MachineIdentity, Profile


def this_machine() -> MachineIdentity:
    """The identity of the machine and the numerical packages that run this process."""
    return MachineIdentity(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _cores(),
        memory_bytes=_memory_bytes(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        numpy=np.__version__,
        blas=_blas(),
    )


def machine_warnings(profile: Profile, machine: MachineIdentity | None = None) -> tuple[str, ...]:
    """One sentence for each way in which `machine` (default: this one) is another.

    Predictions of real jobs hold on the machine that was measured; predictions of
    accelerators read only dimensionless figures from it.
    """
    differences = profile.host.machine.differences(machine or this_machine())
    return tuple(
        f"the profile was measured on another machine: {difference}" for difference in differences
    )


def _cores() -> int:
    return os.cpu_count() or 1


def _cpu() -> str:
    """The model name, with the family and model numbers that tell generations apart."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    fields: dict[str, str] = {}
    for line in text.split("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        fields[key.strip()] = value.strip()
    name = fields.get("model name") or platform.machine()
    family, model = fields.get("cpu family"), fields.get("model")
    return f"{name} (family {family} model {model})" if family and model else name


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def _blas() -> str:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{blas['name']} {blas['version']}"

"""dcsim: what to buy, rent or change for AI training and serving, and what it will deliver.

The public names are loaded on first use, so that `import dcsim` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dcsim._version import __version__

if TYPE_CHECKING:
    from dcsim.api import estimate_training, load_scenario, plan, replay, run, sweep
    from dcsim.records import InputError, Result

__all__ = [
    "InputError",
    "Result",
    "__version__",
    "estimate_training",
    "load_scenario",
    "plan",
    "replay",
    "run",
    "sweep",
]

_HOMES = {
    "InputError": "dcsim.records",
    "Result": "dcsim.records",
    "estimate_training": "dcsim.api",
    "load_scenario": "dcsim.api",
    "plan": "dcsim.api",
    "replay": "dcsim.api",
    "run": "dcsim.api",
    "sweep": "dcsim.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dcsim' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

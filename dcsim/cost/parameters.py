"""Parameters of the training-step model: priors, names, and their values for each row."""

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from dcsim.records.profile import TrainingFit
from dcsim.workload.software import Software, generations
from dcsim.workload.table import PRECISION_BITS, TrainingTable

Floats = NDArray[np.float64]

#: Generation of a chip that the table of prefixes does not name.
OTHER_GENERATION = "other"
OTHER_UNITS = 128.0


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of a parameter before any run was seen.

    The logarithm is normal with mean log(`value`) and standard deviation `sd`; fits stay
    between `lower` and `upper`.
    """

    name: str
    value: float
    sd: float
    lower: float
    upper: float
    meaning: str


def _rows(name: str) -> list[dict[str, str]]:
    text = files("dcsim.cost").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@lru_cache(maxsize=1)
def _patterns() -> tuple[Prior, ...]:
    return tuple(
        Prior(
            name=row["name"],
            value=float(row["prior"]),
            sd=float(row["sd"]),
            lower=float(row["lower"]),
            upper=float(row["upper"]),
            meaning=row["meaning"],
        )
        for row in _rows("training-priors.csv")
    )


@lru_cache(maxsize=1)
def _prefixes() -> tuple[tuple[str, str, float], ...]:
    table = _rows("accelerator_generations.csv")
    rows = [(row["prefix"], row["generation"], float(row["units"])) for row in table]
    return tuple(sorted(rows, key=lambda row: -len(row[0])))


def generation_of(accelerator: str) -> str:
    """The chip generation that an accelerator's catalogue name belongs to."""
    for prefix, generation, _ in _prefixes():
        if accelerator.startswith(prefix):
            return generation
    return OTHER_GENERATION


def units_of(accelerator: str) -> float:
    """Compute units (multiprocessors) that share a matrix product's tiles; 0 for a chip
    whose few large units are fed without waves (TPU).
    """
    for prefix, _, units in _prefixes():
        if accelerator.startswith(prefix):
            return units
    return OTHER_UNITS


@lru_cache(maxsize=4096)
def prior(name: str) -> Prior:
    """The prior of the parameter `name`; an exact row wins over one with a placeholder."""
    for row in _patterns():
        if row.name == name:
            return row
    for row in _patterns():
        head, brace, _ = row.name.partition("{")
        if brace and name.startswith(head):
            return Prior(name, row.value, row.sd, row.lower, row.upper, row.meaning)
    raise KeyError(name)


@lru_cache(maxsize=1)
def shipped_fit() -> TrainingFit:
    """The fit to published runs that comes with the package."""
    text = files("dcsim.cost").joinpath("data", "training-fit.json").read_text(encoding="utf-8")
    document = json.loads(text)
    return TrainingFit(document["parameters"], document["spread"], document["fit_report"])


class Values:
    """Parameter values of a table's rows, looked up by name.

    A parameter that the fit does not hold takes its prior: a new accelerator starts from
    its generation, a new generation from the shared mean. `used` collects every name that
    was asked for, which is how a fit learns what it can move.
    """

    def __init__(self, table: TrainingTable, fitted: Mapping[str, float]) -> None:
        self._fitted = fitted
        self.used: set[str] = set()
        self._generations = [generation_of(name) for name in table.accelerator_names]
        self._accelerators = table.accelerator_names
        self._accelerator = table.accelerator
        known = generations()
        self._software: list[Software] = [known[name] for name in table.software_names]
        self._software_code = table.software
        self._bits = np.asarray(PRECISION_BITS)[table.precision]

    def shared(self, name: str) -> float:
        """The value of a parameter that all rows share."""
        self.used.add(name)
        value = self._fitted.get(name)
        return prior(name).value if value is None else value

    def by_generation(self, name: str) -> Floats:
        """`name`.GENERATION of each row's accelerator."""
        values = [self.shared(f"{name}.{generation}") for generation in self._generations]
        return np.asarray(values)[self._accelerator]

    def by_accelerator(self, name: str) -> Floats:
        """`name`.ACCELERATOR of each row."""
        values = [self.shared(f"{name}.{chip}") for chip in self._accelerators]
        return np.asarray(values)[self._accelerator]

    def units(self) -> Floats:
        """Compute units of each row's accelerator."""
        return np.asarray([units_of(chip) for chip in self._accelerators])[self._accelerator]

    def by_family(self, name: str) -> Floats:
        """`name`.FAMILY of each row's software."""
        return self.of_software(lambda s: self.shared(f"{name}.{s.family}"))

    def by_software(self, name: str) -> Floats:
        """`name`.SOFTWARE of each row's generation."""
        return self.of_software(lambda s: self.shared(f"{name}.{s.name}"))

    def of_software(self, value: Callable[[Software], float]) -> Floats:
        """`value` of each row's software generation."""
        return np.asarray([float(value(s)) for s in self._software])[self._software_code]

    def by_bits(self, name: str) -> Floats:
        """`name`.BITS.GENERATION of each row: the width of its matrix products."""
        chips = len(self._accelerators)
        kinds, index = np.unique(self._bits * chips + self._accelerator, return_inverse=True)
        values = [
            self.shared(f"{name}.{kind // chips}.{self._generations[kind % chips]}")
            for kind in kinds.tolist()
        ]
        return np.asarray(values)[index]

    def where_bits(self, bits: int, name: str, otherwise: float) -> Floats:
        """The shared parameter `name` in rows of `bits` wide products, else `otherwise`."""
        if not np.any(self._bits == bits):
            return np.full(1, otherwise)
        return np.where(self._bits == bits, self.shared(name), otherwise)

    def by_kernel(self, name: str, kernel: Callable[[Software], str]) -> Floats:
        """`name`.KERNEL.GENERATION for each row's attention kernel."""
        chips = len(self._accelerators)
        pairs = self._software_code * chips + self._accelerator
        kinds, index = np.unique(pairs, return_inverse=True)
        values = [
            self.shared(
                f"{name}.{kernel(self._software[kind // chips])}.{self._generations[kind % chips]}"
            )
            for kind in kinds.tolist()
        ]
        return np.asarray(values)[index]

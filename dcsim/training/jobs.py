"""Ready training jobs, described by plain data so that a job can be hashed and cached."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dcsim.records import Fault, InputError
from dcsim.training.activations import ACTIVATIONS
from dcsim.training.base import Array
from dcsim.training.data import LOADERS, Dataset
from dcsim.training.loop import FIGURES, Schedule
from dcsim.training.model import Model
from dcsim.training.models import DTYPES, build_mlp, build_transformer
from dcsim.training.optimisers import OPTIMISERS

_ONLY_TRANSFORMER = ("context", "width", "heads", "depth")
_ONLY_MLP = ("activation", "table")


@dataclass(frozen=True, slots=True)
class Job:
    """A training job: what data, what network, how trained.

    `data` names a loader of `training.data`. `network` is `mlp` (with `hidden` sizes as
    `128-64`, and `activation`) or `transformer` (with `context`, `width`, `heads`, `depth`).
    Training stops after `epochs`, after `max_steps` (0: no limit), or when the validation
    `target_metric` reaches `target` (empty: no target). `table` is the path of a user's own
    table that replaces the data, empty for none. `workers` processes
    share each batch, their gradients summed around a ring. The first four fields are the job's
    identity; all others can be overridden.
    """

    name: str
    about: str
    data: str
    network: str = "mlp"
    hidden: str = "64"
    activation: str = "relu"
    context: int = 64
    width: int = 64
    heads: int = 4
    depth: int = 2
    optimiser: str = "adam"
    rate: float = 1e-3
    weight_decay: float = 0.0
    dropout: float = 0.0
    epochs: int = 10
    batch_size: int = 32
    max_steps: int = 0
    target_metric: str = ""
    target: float = 0.0
    dtype: str = "float64"
    seed: int = 0
    table: str = ""
    workers: int = 1

    def parameters(self) -> dict[str, Any]:
        """Every field that can be overridden and has an effect on this job, by name."""
        other = _ONLY_MLP if self.network == "transformer" else _ONLY_TRANSFORMER
        fixed = ("hidden", "table") if self.data == "golden" else ()
        unused = {"name", "about", "data", "network", *other, *fixed}
        return {name: value for name, value in asdict(self).items() if name not in unused}

    def schedule(self) -> Schedule:
        """The part of the job that the loop needs."""
        return Schedule(
            epochs=self.epochs,
            batch_size=self.batch_size,
            seed=self.seed,
            max_steps=self.max_steps or None,
            target_metric=self.target_metric,
            target=self.target if self.target_metric else None,
        )


JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        Job(
            "mlp-3-5-2",
            "A perceptron with five tanh units tells points inside a ball from those outside",
            data="ball",
            hidden="5",
            activation="tanh",
            rate=0.02,
            epochs=20,
        ),
        Job(
            "golden-3-4-2",
            "One sample and fixed weights, whose gradients can be checked by hand",
            data="golden",
            hidden="4",
            activation="tanh",
            optimiser="sgd",
            rate=0.1,
            epochs=100,
            batch_size=1,
        ),
        Job(
            "medical-classifier",
            "A 128-64-1 perceptron tells malignant from benign biopsies",
            data="breast-cancer",
            hidden="128-64",
            weight_decay=3.0,
        ),
        Job(
            "digits-mlp",
            "A perceptron reads handwritten digits of 8 × 8 grey levels",
            data="digits",
            hidden="128-64",
            epochs=15,
        ),
        Job(
            "char-transformer",
            "A small transformer continues the Python manual, character by character",
            data="python-manual",
            network="transformer",
            hidden="256",
            rate=3e-3,
            weight_decay=0.1,
            epochs=1,
            batch_size=16,
            dtype="float32",
        ),
    )
}

#: The job that trains on a user's own table unless another is named.
CLASSIFIER = "medical-classifier"

_CHOICES: dict[str, tuple[str, ...]] = {
    "activation": tuple(ACTIVATIONS),
    "optimiser": tuple(OPTIMISERS),
    "dtype": tuple(DTYPES),
    "target_metric": ("", *sorted({figure for names in FIGURES.values() for figure in names})),
}
#: Smallest and largest value allowed, both included.
_RANGES: dict[str, tuple[float, float]] = {
    "context": (1, 4096),
    "width": (1, 4096),
    "heads": (1, 256),
    "depth": (1, 128),
    "rate": (1e-12, 1e3),
    "weight_decay": (0.0, 1e3),
    "dropout": (0.0, 0.95),
    "epochs": (1, 1_000_000),
    "batch_size": (1, 1_000_000),
    "max_steps": (0, 1_000_000_000),
    "seed": (0, 2**63 - 1),
    "workers": (1, 64),
}


def names() -> tuple[str, ...]:
    """The names of the ready jobs."""
    return tuple(JOBS)


def job(name: str, **overrides: float | int | str) -> Job:
    """A ready job, with some of its parameters replaced.

    Raises InputError, with a did-you-mean, for an unknown job or parameter, and for a value
    of the wrong type or out of range.
    """
    if name not in JOBS:
        raise InputError(Fault(f'there is no job "{name}"{_hint(name, names())}'))
    return replace(JOBS[name], **_checked(JOBS[name], overrides))


def _hint(word: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f'; did you mean "{close[0]}"?' if close else f"; known are {', '.join(known)}"


def _checked(base: Job, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides in the types of the job's fields; raises InputError with every fault."""
    faults, values = [], {}
    for name, value in overrides.items():
        try:
            values[name] = _value(base, name, value)
        except ValueError as error:
            faults.append(Fault(str(error), field=f"{base.name}.{name}"))
    changed = {**base.parameters(), **values}
    if "width" in changed and changed["width"] % changed["heads"]:
        faults.append(
            Fault(
                f"width {changed['width']} is not a multiple of {changed['heads']} heads",
                field=f"{base.name}.width",
            )
        )
    if faults:
        raise InputError(faults)
    return values


def _value(base: Job, name: str, value: Any) -> Any:
    """One override in its field's type; raises ValueError with the sentence for the user."""
    known = tuple(base.parameters())
    if name == "table" and name not in known:
        raise ValueError(f"this job trains on no table; a classifier such as {CLASSIFIER} does")
    if name not in known:
        raise ValueError(f"this job has no such parameter{_hint(name, known)}")
    if name == "hidden":
        return "-".join(str(size) for size in hidden_sizes(str(value)))
    kind = type(getattr(base, name))
    if kind is str:
        if name in _CHOICES and value not in _CHOICES[name]:
            raise ValueError(f'is "{value}"{_hint(str(value), _CHOICES[name])}')
        return str(value)
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if not numeric or not math.isfinite(value) or kind(value) != value:
        raise ValueError(f'is "{value}"; it must be {"whole" if kind is int else "a number"}')
    low, high = _RANGES.get(name, (-math.inf, math.inf))
    if not low <= value <= high:
        raise ValueError(f"is {value:g}; it must be from {low:g} to {high:g}")
    return kind(value)


def hidden_sizes(text: str) -> tuple[int, ...]:
    """`128-64` as (128, 64); raises ValueError when a size is not a whole number above 0."""
    sizes = tuple(int(part) if part.isascii() and part.isdigit() else 0 for part in text.split("-"))
    if not all(0 < size <= 65536 for size in sizes):
        raise ValueError(f'is "{text}"; write sizes of hidden layers as 128-64')
    return sizes


def load_data(job: Job) -> Dataset:
    """The job's data set, or the user's own table in its place."""
    dtype = DTYPES[job.dtype]
    if job.network == "transformer":
        return LOADERS[job.data](dtype, context=job.context)
    if job.table:
        from pathlib import Path

        from dcsim.training.data import table_dataset
        from dcsim.training.tables import read_table

        path = Path(job.table)
        x, classes = read_table(path)
        return table_dataset(path.name, "the user's own", x, classes, dtype=dtype)
    return LOADERS[job.data](dtype)


def build_model(job: Job, data: Dataset) -> Model:
    """The job's network, sized to its data, with its loss and optimiser."""
    common: dict[str, Any] = {
        "optimiser": job.optimiser,
        "rate": job.rate,
        "weight_decay": job.weight_decay,
        "dropout": job.dropout,
        "dtype": job.dtype,
        "seed": job.seed,
    }
    sizes = hidden_sizes(job.hidden)
    if job.network == "transformer":
        return build_transformer(
            data.vocabulary,
            context=job.context,
            width=job.width,
            heads=job.heads,
            depth=job.depth,
            hidden=sizes[0],
            **common,
        )
    model = build_mlp(
        (data.train.x.shape[1], *sizes, data.outputs),
        activation=job.activation,
        loss="binary" if data.task == "binary" else "categorical",
        **common,
    )
    if job.data == "golden":
        set_golden_weights(model)
    return model


#: The golden network: 3 inputs, 4 tanh units, 2 softmax outputs.
GOLDEN_W1: Array = np.array(
    [[0.1, -0.2, 0.05, 0.3], [0.02, 0.1, -0.1, -0.05], [-0.1, 0.05, 0.2, 0.1]]
)
GOLDEN_B1: Array = np.array([0.01, -0.02, 0.03, 0.0])
GOLDEN_W2: Array = np.array([[0.2, -0.1], [-0.3, 0.25], [0.1, 0.15], [-0.05, 0.4]])
GOLDEN_B2: Array = np.array([0.05, -0.05])


def set_golden_weights(model: Model) -> None:
    """Start the golden network from the weights that its test was derived with."""
    fixed = (GOLDEN_W1, GOLDEN_B1, GOLDEN_W2, GOLDEN_B2)
    for parameter, value in zip(model.network.parameters(), fixed, strict=True):
        parameter.value[...] = value

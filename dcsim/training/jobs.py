"""Looks up a job by name, checks its parameters, loads its data and builds its network."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dcsim.records import Fault, InputError
from dcsim.training.activations import ACTIVATIONS
from dcsim.training.data import Dataset
from dcsim.training.golden import set_golden_weights
from dcsim.training.loaders import LOADERS
from dcsim.training.loop import FIGURES
from dcsim.training.model import Model
from dcsim.training.models import (
    DTYPES,
    build_cnn,
    build_encoder,
    build_mlp,
    build_recommender,
    build_transformer,
)
from dcsim.training.optimisers import OPTIMISERS
from dcsim.training.places import KINDS
from dcsim.training.ready import JOBS, Job

__all__ = [
    "CLASSIFIER",
    "JOBS",
    "Job",
    "build_model",
    "hidden_sizes",
    "job",
    "load_data",
    "names",
]

#: The job that trains on a user's own table unless another is named.
CLASSIFIER = "medical-classifier"

_CHOICES: dict[str, tuple[str, ...]] = {
    "activation": tuple(ACTIVATIONS),
    "optimiser": tuple(OPTIMISERS),
    "dtype": tuple(DTYPES),
    "parallel": KINDS,
    "sampling": ("poisson", "shuffled"),
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
    "micro_batches": (1, 1024),
    "clip": (0.0, 1e9),
    "noise": (0.0, 1e6),
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
    if "heads" in changed and changed["width"] % changed["heads"]:
        faults.append(
            Fault(
                f"width {changed['width']} is not a multiple of {changed['heads']} heads",
                field=f"{base.name}.width",
            )
        )
    if changed["clip"] and changed["workers"] > 1:
        text = "differentially private training has one worker; leave workers out"
        faults.append(Fault(text, field=f"{base.name}.workers"))
    if changed["noise"] and not changed["clip"]:
        text = "noise is in units of the clipping norm; write clip too, such as clip=1"
        faults.append(Fault(text, field=f"{base.name}.noise"))
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
    if name in ("hidden", "channels"):
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
    if job.network in ("transformer", "encoder"):
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
    if job.network in ("transformer", "encoder"):
        shape: dict[str, Any] = {
            "context": job.context,
            "width": job.width,
            "heads": job.heads,
            "depth": job.depth,
            "hidden": sizes[0],
        }
        if job.network == "transformer":
            return build_transformer(data.vocabulary, **shape, **common)
        return build_encoder(data.vocabulary, data.outputs, **shape, **common)
    if job.network == "cnn":
        channels = hidden_sizes(job.channels)
        return build_cnn(data.train.x.shape[1:], channels, sizes, data.outputs, **common)
    if job.network == "recommender":
        return build_recommender(
            data.outputs,
            history=data.train.x.shape[1],
            width=job.width,
            hidden=sizes,
            activation=job.activation,
            **common,
        )
    model = build_mlp(
        (data.train.x.shape[1], *sizes, data.outputs),
        activation=job.activation,
        loss="binary" if data.outputs == 1 else "categorical",
        **common,
    )
    if job.data == "golden":
        set_golden_weights(model)
    return model

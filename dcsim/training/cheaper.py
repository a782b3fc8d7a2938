"""Making a trained network cheaper: 8-bit weights, pruning, larger batches, all measured.

What NumPy on a processor can show are the qualities and the bytes; its times have limits,
which the rows carry as measured: NumPy multiplies no 8-bit numbers, so 8-bit weights are
widened before each product, and a sparse product saves time only when little is left.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from dcsim.protection.keys import Secret
from dcsim.training.base import Array, Parameter
from dcsim.training.data import Dataset
from dcsim.training.jobs import Job, build_model, load_data
from dcsim.training.loop import HEADLINES, Trainer, evaluate
from dcsim.training.model import Model
from dcsim.training.run import restore

#: Shares of the weights that pruning sets to zero, and batch sizes that are timed.
SPARSITIES = (0.5, 0.8, 0.9, 0.95)
BATCHES = (1, 4, 16, 64, 256)
#: Rows of a timed prediction, repeats of it, and seconds that timing one batch may take.
ROWS, REPEATS, BUDGET_S = 256, 9, 0.5


@dataclass(frozen=True, slots=True)
class Variant:
    """A way of keeping the weights: `quality` is the headline figure on the test part.

    `weight_bytes` is what all parameters need, `predict_s` the median time of predicting
    `rows` rows of the test part.
    """

    name: str
    metric: str
    quality: float
    weight_bytes: int
    predict_s: float
    rows: int


@dataclass(frozen=True, slots=True)
class BatchTime:
    """Median seconds of a training step on `batch` samples."""

    batch: int
    step_s: float


class Int8Weights:
    """A matrix (k, n) as 8-bit integers with one scale a column: w ≈ q · scale.

    q = round(w / scale), scale = max |w| of the column / 127: symmetric quantisation by
    channel, Jacob et al. 2018, section 3. Stands where a matrix product has its right side.
    """

    __array_ufunc__ = None  # leaves `x @ self` to `__rmatmul__`

    def __init__(self, w: Array) -> None:
        largest = np.max(np.abs(w), axis=0)
        self.scale = np.where(largest > 0.0, largest / 127.0, 1.0).astype(w.dtype)
        self.q = np.rint(w / self.scale).astype(np.int8)
        self.shape, self.dtype = w.shape, w.dtype

    @property
    def nbytes(self) -> int:
        """Integers and scales."""
        return self.q.nbytes + self.scale.nbytes

    def __rmatmul__(self, x: Array) -> Array:
        return (x @ self.q.astype(self.dtype)) * self.scale


def pruned(weights: list[Array], sparsity: float) -> list[Array]:
    """The weights with the smallest `sparsity` of all of them set to zero.

    Global magnitude pruning: Han et al. 2015, with one threshold over all layers.
    """
    size = np.concatenate([np.abs(w).reshape(-1) for w in weights])
    cut = round(sparsity * size.size)
    if cut == 0:
        return [w.copy() for w in weights]
    threshold = np.partition(size, cut - 1)[cut - 1]
    return [np.where(np.abs(w) > threshold, w, 0.0).astype(w.dtype) for w in weights]


def study(
    job: Job, checkpoint: Path, secret: Secret | None = None
) -> tuple[list[Variant], list[BatchTime]]:
    """`variants` and `batch_times` of the network in a checkpoint of `job`.

    Raises InputError when the checkpoint is missing, damaged or of another job.
    """
    data = load_data(job)
    model = build_model(job, data)
    restore(Trainer(model, data, job.schedule()), job, checkpoint, secret)
    return variants(model, data), batch_times(model, data)


def variants(model: Model, data: Dataset) -> list[Variant]:
    """The trained network as it is, with 8-bit weights, and pruned to each of `SPARSITIES`.

    Only the matrices of products change; embeddings, gains and biases stay. Pruned matrices
    are kept in compressed sparse columns.
    """
    from scipy.sparse import csc_array

    matrices = [p.value for p in _products(model)]
    precision = model.dtype.name
    rows = [_variant(f"{precision} weights", model, data, matrices)]
    rows.append(_variant("int8 weights", model, data, [Int8Weights(w) for w in matrices]))
    for sparsity in SPARSITIES:
        sparse = [csc_array(w) for w in pruned(matrices, sparsity)]
        rows.append(_variant(f"{sparsity:.0%} pruned", model, data, sparse))
    return rows


def batch_times(model: Model, data: Dataset) -> list[BatchTime]:
    """The time of a training step for each of `BATCHES`, on a copy of the network."""
    twin, train = copy.deepcopy(model), data.train
    rng = np.random.default_rng(0)
    times = []
    for batch in BATCHES:
        rows = rng.integers(0, len(train), batch)
        x, t = train.x[rows], train.t[rows]
        times.append(BatchTime(batch, _median_s(lambda x=x, t=t: twin.step(x, t))))  # type: ignore[misc]
    return times


def _products(model: Model) -> Iterator[Parameter]:
    """The matrices that inputs are multiplied by: those that weight decay is for."""
    return (p for p in model.network.parameters() if p.decays)


def _variant(name: str, model: Model, data: Dataset, weights: list[Any]) -> Variant:
    """Measure the network with other matrices in place of its own."""
    twin = copy.deepcopy(model)
    for parameter, value in zip(_products(twin), weights, strict=True):
        parameter.value = value
    kept = sum(p.value.nbytes for p in model.network.parameters() if not p.decays)
    metric = HEADLINES[data.task]
    rows = data.test.x[:ROWS]
    return Variant(
        name,
        metric,
        evaluate(twin, data.test, data.task)[metric],
        kept + sum(_nbytes(value) for value in weights),
        _median_s(lambda: twin.network.forward(rows, training=False)),
        len(rows),
    )


def _nbytes(weights: Any) -> int:
    """Bytes of a dense, an 8-bit or a compressed sparse matrix."""
    if isinstance(weights, np.ndarray | Int8Weights):
        return int(weights.nbytes)
    return int(weights.data.nbytes + weights.indices.nbytes + weights.indptr.nbytes)


def _median_s(work: Callable[[], Any]) -> float:
    """Median seconds of `REPEATS` calls after a first one, fewer where they are slow."""
    work()
    samples: list[float] = []
    while len(samples) < REPEATS and sum(samples) < BUDGET_S:
        start = perf_counter()
        work()
        samples.append(perf_counter() - start)
    return float(np.median(samples))

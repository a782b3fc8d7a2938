"""Pipeline parallelism: each worker holds some layers, and a batch passes in micro-batches.

The schedule is 1F1B (Narayanan et al. 2019, PipeDream-Flush in 2021): stage r of p takes
p − 1 − r forward passes first, then one forward and one backward in turn, then the rest.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np

from dcsim.records import Fault, InputError
from dcsim.training.base import Array, Layer, Parameter
from dcsim.training.data import Dataset, Part
from dcsim.training.layers import Dropout, Sequential
from dcsim.training.loop import Schedule
from dcsim.training.model import Model
from dcsim.training.places import Place, Ways
from dcsim.training.split import Share, SplitTrainer, places_of, share_of
from dcsim.workers.channel import Receiver, Sender, make_channel
from dcsim.workers.ring import make_ring


def layer_shapes(model: Model) -> list[tuple[int, ...]]:
    """The shape of one sample before each layer of the network and after the last."""
    x, _ = model.random_batch(1, np.random.default_rng(0))
    shapes = [x.shape[1:]]
    for layer in layers_of(model):
        x = layer.forward(x, training=False)
        shapes.append(x.shape[1:])
    return shapes


def layers_of(model: Model) -> tuple[Layer, ...]:
    """The layers that stages can be cut from."""
    network = model.network
    return network.layers if isinstance(network, Sequential) else (network,)


def stage_cuts(model: Model, stages: int) -> tuple[int, ...]:
    """Before which layers each stage but the first begins: the heaviest has the least FLOP.

    Raises InputError when there are fewer layers with parameters than stages.
    """
    layers = layers_of(model)
    work = _layer_flop(model)
    if sum(flop > 0.0 for flop in work) < stages:
        raise InputError(
            Fault(f"{len(layers)} layers of this network cannot be cut into {stages} stages")
        )
    ends = np.concatenate([[0.0], np.cumsum(work)])
    # least[k][j]: the heaviest of k + 1 stages over the first j layers, as light as can be.
    least = [ends]
    froms: list[Array] = []
    for _ in range(stages - 1):
        heaviest = np.maximum(least[-1][:, None], ends[None, :] - ends[:, None])
        heaviest[np.tril_indices(len(ends))] = np.inf
        froms.append(np.argmin(heaviest, axis=0))
        least.append(np.min(heaviest, axis=0))
    cuts, end = [], len(layers)
    for best in reversed(froms):
        end = int(best[end])
        cuts.append(end)
    return tuple(reversed(cuts))


def _layer_flop(model: Model) -> list[float]:
    """FLOP of one forward and backward pass of each layer over one sample."""
    layers, shapes = layers_of(model), layer_shapes(model)
    dtypes: list[Any] = [np.int64 if model.vocabulary else None] + [None] * (len(layers) - 1)
    work = []
    for layer, shape, dtype in zip(layers, shapes, dtypes, strict=False):
        kind = dtype or model.dtype.type
        calls = layer.operators((1, *shape), kind)
        work.append(float(sum(call.count * call.flop for call in calls)))
    return work


def pipeline_places(model: Model, stages: int, micro_batches: int, batch: int) -> list[Place]:
    """The places of `stages` workers that pass batches of up to `batch` samples along.

    Raises InputError when the network cannot be cut, or has dropout, which would differ from
    that of one process.
    """
    if any(isinstance(layer, Dropout) and layer.rate > 0.0 for layer in model.network.walk()):
        raise InputError(
            Fault(
                "dropout over micro-batches would not be that of one process; set dropout=0 for "
                "a pipeline"
            )
        )
    cuts, shapes = stage_cuts(model, stages), layer_shapes(model)
    rows = -(-batch // micro_batches)
    rings = make_ring(stages, model.parameter_count, model.dtype)
    after: list[Ways | None] = []
    before: list[Ways | None] = [None]
    for cut in cuts:
        values = rows * int(np.prod(shapes[cut]))
        forth, arrive = make_channel(micro_batches, values, model.dtype)
        back, returned = make_channel(micro_batches, values, model.dtype)
        after.append(Ways(forth, returned))
        before.append(Ways(back, arrive))
    after.append(None)
    return [
        Place("pipeline", ring, cuts, mine_before, mine_after)
        for ring, mine_before, mine_after in zip(rings, before, after, strict=True)
    ]


def stage_share(model: Model, cuts: tuple[int, ...], stage: int) -> Share:
    """The layers of one stage, as a copy of their own."""
    network = copy.deepcopy(model.network)
    layers = network.layers if isinstance(network, Sequential) else (network,)
    start, end = list(pairwise((0, *cuts, len(layers))))[stage]
    return share_of(Sequential(*layers[start:end]), places_of(network), frozenset(), 0)


class PipelineTrainer(SplitTrainer):
    """A Trainer that is one stage of a pipeline."""

    def __init__(
        self,
        model: Model,
        data: Dataset,
        schedule: Schedule,
        place: Place,
        micro_batches: int,
    ) -> None:
        super().__init__(model, data, schedule, place, stage_share(model, place.cuts, place.rank))
        self.micro_batches = micro_batches
        shapes = layer_shapes(model)
        edges = (0, *place.cuts, len(shapes) - 1)
        self._in_shape, self._out_shape = shapes[edges[place.rank]], shapes[edges[place.rank + 1]]
        self._sum = np.zeros_like(self.grad)
        self._waited_s = 0.0
        self._loss = 0.0

    def _learn(self, train: Part, rows: Array) -> float:
        parts = [part for part in np.array_split(rows, self.micro_batches) if len(part)]
        self._sum[...] = 0.0
        self._waited_s, self._loss = 0.0, 0.0
        self.history.exchanged = []
        kept: list[_Kept] = []
        ahead = min(self.place.ranks - 1 - self.place.rank, len(parts))
        for i in range(len(parts) + ahead):
            if i < len(parts):
                kept.append(self._forward(train, parts[i], i, len(parts[i]) / len(rows)))
            if i >= ahead:
                self._backward(kept[i - ahead], i - ahead)
        self.optimiser.step(self.value, self._sum)
        return self._finish()

    def _forward(self, train: Part, rows: Array, slot: int, share: float) -> _Kept:
        """One micro-batch through this stage, to the next one or to the loss."""
        network, loss, after = self.share.network, self.model.loss, self.place.after
        x = train.x[rows]
        if self.place.before is not None:
            x = self._receive(self.place.before.back, slot, (len(rows), *self._in_shape))
        z = network.forward(x, training=True)
        if after is None:
            self._loss += loss.forward(z, train.t[rows]) * share
            return _Kept(_memory(network), z.shape, loss.backward() * share)
        self._send(after.out, slot, z)
        return _Kept(_memory(network), z.shape, z[:0])

    def _backward(self, kept: _Kept, slot: int) -> None:
        """The backward pass of a micro-batch, its gradient added to those before."""
        after = self.place.after
        dz = kept.dz if after is None else self._receive(after.back, slot, kept.shape)
        for layer, values in kept.memory:
            vars(layer).update(values)
        dx = self.share.network.backward(dz)
        if self.place.before is not None:
            self._send(self.place.before.out, slot, dx)
        self._sum += self.grad

    def _finish(self) -> float:
        """The loss of the batch, which the last stage knows, for all; ends the step together."""
        start = perf_counter()
        loss = np.array([self._loss], self.model.dtype)
        self.ring.sum(loss)
        self.history.exchange_s.append(self._waited_s + perf_counter() - start)
        return float(loss[0])

    def _send(self, way: Sender, slot: int, array: Array) -> None:
        start = perf_counter()
        way.send(slot, array)
        self.history.exchanged.append(array.size)
        self._waited_s += perf_counter() - start

    def _receive(self, way: Receiver, slot: int, shape: tuple[int, ...]) -> Array:
        start = perf_counter()
        array = way.receive(slot, shape)
        self._waited_s += perf_counter() - start
        return array


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a backward pass needs of its forward pass: the layers' memory, the output's shape
    and, on the last stage, the gradient of the loss in `dz`, empty on the others.
    """

    memory: list[tuple[Layer, dict[str, Any]]]
    shape: tuple[int, ...]
    dz: Array


def _memory(network: Layer) -> list[tuple[Layer, dict[str, Any]]]:
    """What the layers remember of the latest forward pass, parameters aside."""
    return [
        (
            layer,
            {name: v for name, v in vars(layer).items() if not isinstance(v, Parameter | Layer)},
        )
        for layer in network.walk()
    ]

"""Training with the parameters themselves spread over workers: what every such split shares."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from dcsim.training.base import Array, Layer, Parameter
from dcsim.training.data import Dataset, Part
from dcsim.training.loop import Schedule, Trainer, generators_of
from dcsim.training.model import Model, flatten
from dcsim.training.places import Place


@dataclass(frozen=True, slots=True)
class Share:
    """A worker's part of a network: `network`, and where its parameters are in the whole.

    `index` (n,) has the place of each own value, in the order of `flatten`, in the flat
    vector of the whole model; `mine` (n,) is false for copies that an earlier rank hands in.
    """

    network: Layer
    index: Array
    mine: Array


def places_of(network: Layer) -> dict[int, Array]:
    """For each parameter, by `id`, the places of its values in the network's flat vector."""
    found, start = {}, 0
    for parameter in network.parameters():
        size = parameter.value.size
        found[id(parameter)] = np.arange(start, start + size).reshape(parameter.value.shape)
        start += size
    return found


def share_of(network: Layer, places: dict[int, Array], copied: frozenset[int], rank: int) -> Share:
    """The Share of a network whose parameters are in `places`, those in `copied` on all ranks."""
    parameters = list(network.parameters())
    index = [places[id(p)].reshape(-1) for p in parameters]
    mine = [np.full(p.value.size, rank == 0 or id(p) not in copied) for p in parameters]
    empty: list[Array] = [np.zeros(0, np.int64)]
    return Share(network, np.concatenate(empty + index), np.concatenate([*mine, np.zeros(0, bool)]))


class SplitTrainer(Trainer):
    """A Trainer whose rank holds and updates its Share of the parameters alone.

    The whole `model` is brought up to date (`gather`) only to be evaluated or saved, so that
    figures and checkpoints are those of one process, whatever the split. Every rank must take
    every step and every evaluation.
    """

    def __init__(
        self, model: Model, data: Dataset, schedule: Schedule, place: Place, share: Share
    ) -> None:
        super().__init__(model, data, schedule)
        self.place, self.ring, self.share = place, place.ring, share
        self.value, self.grad, decays = flatten(share.network)
        self.optimiser = copy.copy(model.optimiser)
        self.optimiser.attach(self.value, decays)
        self._whole = np.zeros_like(model.value)

    def agree(self, opinion: bool) -> bool:
        """What rank 0 thinks."""
        vote = np.array([float(opinion and self.place.rank == 0)], self.model.dtype)
        return bool(self.ring.sum(vote)[0] > 0.0)

    def gather(self) -> None:
        """Bring the whole model and its optimiser to the state of all shares."""
        self._collect(self.value, self.model.value)
        for name, moment in self.optimiser.state.items():
            self._collect(moment, self.model.optimiser.state[name])
        self.model.optimiser.steps = self.optimiser.steps

    def _collect(self, own: Array, whole: Array) -> None:
        mine = self.share.mine
        self._whole[...] = 0.0
        self._whole[self.share.index[mine]] = own[mine]
        whole[...] = self.ring.sum(self._whole)

    def load(self, state: dict[str, Array]) -> None:
        """Go back to a state of the whole model, taking this rank's share of it."""
        super().load(state)
        self.value[...] = self.model.value[self.share.index]
        for name, moment in self.optimiser.state.items():
            moment[...] = self.model.optimiser.state[name][self.share.index]
        self.optimiser.steps = self.model.optimiser.steps

    def _evaluate(self, part: Part) -> dict[str, float]:
        start = perf_counter()
        self.gather()
        self.history.evaluation_s += perf_counter() - start
        return super()._evaluate(part)

    def _generators(self) -> list[np.random.Generator]:
        return generators_of(self.share.network)


def parameter_part(whole: Parameter, places: dict[int, Array], key: Any) -> Parameter:
    """A part of a parameter, as one of its own; its places are noted."""
    part = Parameter(np.ascontiguousarray(whole.value[key]), decays=whole.decays)
    places[id(part)] = places[id(whole)][key]
    return part

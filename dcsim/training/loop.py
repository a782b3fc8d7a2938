"""The training loop: batches in seeded order, timed steps, evaluation, early stop, resume."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from time import perf_counter

import numpy as np

from dcsim.training import metrics
from dcsim.training.base import Array, Layer
from dcsim.training.data import Dataset, Part
from dcsim.training.model import Model

_BINARY = (
    "loss",
    "accuracy",
    "auc",
    "average_precision",
    "brier",
    "calibration_error",
    "chance_calibration_error",
)
#: The figures that each task of a data set is judged by.
FIGURES: dict[str, tuple[str, ...]] = {
    "binary": _BINARY,
    "rare": _BINARY,
    "classes": ("loss", "accuracy"),
    "soft": ("loss", "accuracy"),
    "language": ("loss", "accuracy", "perplexity"),
    "ranking": ("loss", "hit_rate", "ndcg"),
}
#: The one figure that says most about each task.
HEADLINES: dict[str, str] = {
    "binary": "accuracy",
    "rare": "average_precision",
    "classes": "accuracy",
    "soft": "accuracy",
    "language": "perplexity",
    "ranking": "ndcg",
}
#: Figures that are to fall; all others are to rise.
FALLING = frozenset(("loss", "perplexity", "brier", "calibration_error"))


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to train and on what batches.

    Training ends after `epochs`, after `max_steps` (None: no limit) or as soon as the
    validation `target_metric` has reached `target` (None: no target), whichever is first.
    """

    epochs: int
    batch_size: int
    seed: int
    max_steps: int | None = None
    target_metric: str = ""
    target: float | None = None
    shuffle: bool = True

    def reached(self, figures: dict[str, float]) -> bool:
        """Whether the target is met; losses and perplexities are to fall, others to rise."""
        if self.target is None:
            return False
        value = figures[self.target_metric]
        return value <= self.target if self.target_metric in FALLING else value >= self.target


@dataclass(slots=True)
class History:
    """What happened: one entry a step in the first three, one an epoch in `evaluations`.

    An evaluation holds `step` (steps taken so far), `epoch` and the validation figures;
    `evaluation_s` is the time that evaluating took in all; `exchange_s` has, for each step of
    a run of several workers, the time that this one spent on exchanges with the others,
    waiting for them included, and `exchanged` the values of each exchange of the latest step.
    """

    step_s: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)
    evaluation_s: float = 0.0
    exchange_s: list[float] = field(default_factory=list)
    exchanged: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands; `figures` are those of the latest validation."""

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    step_s: float
    figures: dict[str, float]


def evaluate(model: Model, part: Part, task: str) -> dict[str, float]:
    """The loss on a part of the data and the other `FIGURES` of the task."""
    loss, prediction = model.evaluate(part.x, part.t)
    ranks = cache(lambda: metrics.target_ranks(prediction, part.x, part.t))
    values: dict[str, Callable[[], float]] = {
        "loss": lambda: loss,
        "accuracy": lambda: metrics.accuracy(prediction, part.t),
        "perplexity": lambda: metrics.perplexity(loss),
        "auc": lambda: metrics.auc(prediction, part.t),
        "average_precision": lambda: metrics.average_precision(prediction, part.t),
        "brier": lambda: metrics.brier(prediction, part.t),
        "calibration_error": lambda: metrics.calibration_error(prediction, part.t),
        "chance_calibration_error": lambda: metrics.chance_calibration_error(prediction),
        "hit_rate": lambda: metrics.hit_rate(ranks()),
        "ndcg": lambda: metrics.ndcg(ranks()),
    }
    return {name: values[name]() for name in FIGURES[task]}


class Trainer:
    """Trains a model on a data set; can stop after any step and go on bit for bit."""

    def __init__(self, model: Model, data: Dataset, schedule: Schedule) -> None:
        self.model, self.data, self.schedule = model, data, schedule
        self.history = History()

    @property
    def batches(self) -> int:
        """Steps in one epoch; the last batch may be smaller."""
        return math.ceil(len(self.data.train) / self.schedule.batch_size)

    @property
    def steps(self) -> int:
        """Steps in the whole run, unless the target stops it earlier."""
        limit = self.schedule.max_steps
        total = self.schedule.epochs * self.batches
        return total if limit is None else min(total, limit)

    def order(self, epoch: int) -> Array:
        """The rows of the training part in the order of an epoch, a function of the seed."""
        n = len(self.data.train)
        if not self.schedule.shuffle:
            return np.arange(n)
        return np.random.default_rng([self.schedule.seed, 2, epoch]).permutation(n)

    def run(
        self,
        on_progress: Callable[[Progress], None] | None = None,
        on_step: Callable[[], None] | None = None,
    ) -> str:
        """Train to the end; returns `target`, `limit` or `diverged`.

        `on_progress` hears of every step; `on_step` is called after it, and after the
        evaluation that may follow it, when `state` can be taken.
        """
        history, stopped = self.history, "limit"
        if history.evaluations and self.schedule.reached(history.evaluations[-1]):
            return "target"
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for epoch, rows, last in self._remaining():
                self._step(epoch, rows)
                if on_progress:
                    on_progress(self._progress())
                if not math.isfinite(history.losses[-1]):
                    return "diverged"
                if last:
                    figures = self._evaluate(self.data.validation)
                    place = {"step": len(history.losses), "epoch": epoch}
                    history.evaluations.append(place | figures)
                    if self.schedule.reached(figures):
                        stopped = "target"
                        break
                if on_step:
                    on_step()
        return stopped

    def final_figures(self) -> dict[str, float]:
        """Figures of the trained model on the validation and on the test part, by prefix."""
        parts = {"validation": self.data.validation, "test": self.data.test}
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return {
                f"{name}_{key}": value
                for name, part in parts.items()
                for key, value in self._evaluate(part).items()
            }

    def _remaining(self) -> Iterator[tuple[int, Array, bool]]:
        """Epoch, rows and whether an evaluation is due, for each step still to be taken."""
        size, step = self.schedule.batch_size, len(self.history.losses)
        for epoch in range(step // self.batches, self.schedule.epochs):
            order = self.order(epoch)
            for batch in range(step - epoch * self.batches, self.batches):
                if step >= self.steps:
                    return
                step += 1
                last = batch == self.batches - 1 or step == self.steps
                yield epoch, order[batch * size : (batch + 1) * size], last

    def _step(self, epoch: int, rows: Array) -> None:
        train = self.data.train
        start = perf_counter()
        loss = self._learn(train, rows)
        self.history.step_s.append(perf_counter() - start)
        self.history.losses.append(loss)
        self.history.epochs.append(epoch)

    def _learn(self, train: Part, rows: Array) -> float:
        """One step on some rows of the training part; returns their mean loss."""
        return self.model.step(train.x[rows], train.t[rows])

    def _evaluate(self, part: Part) -> dict[str, float]:
        start = perf_counter()
        figures = evaluate(self.model, part, self.data.task)
        self.history.evaluation_s += perf_counter() - start
        return figures

    def _progress(self) -> Progress:
        history = self.history
        return Progress(
            step=len(history.losses),
            steps=self.steps,
            epoch=history.epochs[-1],
            epochs=self.schedule.epochs,
            loss=history.losses[-1],
            step_s=history.step_s[-1],
            figures=history.evaluations[-1] if history.evaluations else {},
        )

    def state(self) -> dict[str, Array]:
        """Everything that the rest of the run depends on, as named arrays."""
        optimiser = self.model.optimiser
        generators = [g.bit_generator.state for g in self._generators()]
        return {
            "value": self.model.value,
            "steps": np.array(optimiser.steps),
            "generators": np.array(json.dumps(generators)),
            "history": np.array(json.dumps(asdict(self.history))),
            **{f"moment_{name}": value for name, value in optimiser.state.items()},
        }

    def load(self, state: dict[str, Array]) -> None:
        """Go back to a `state`; raises KeyError or ValueError when it is of another model."""
        self.model.value[...] = state["value"]
        self.model.optimiser.steps = int(state["steps"])
        for name, value in self.model.optimiser.state.items():
            value[...] = state[f"moment_{name}"]
        stored = json.loads(str(state["generators"]))
        for generator, position in zip(self._generators(), stored, strict=True):
            generator.bit_generator.state = position
        self.history = History(**json.loads(str(state["history"])))

    def agree(self, opinion: bool) -> bool:
        """What all workers of a run take for true, where they have to act together."""
        return opinion

    def gather(self) -> None:
        """Bring `model` up to date before its state is taken; it is, in one process."""

    def _generators(self) -> list[np.random.Generator]:
        return generators_of(self.model.network)


def generators_of(network: Layer) -> list[np.random.Generator]:
    """The random generators inside a network, each once."""
    found = {id(layer.rng): layer.rng for layer in network.walk() if hasattr(layer, "rng")}
    return list(found.values())

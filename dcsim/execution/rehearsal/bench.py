"""What a node times before a rehearsal, none of it a rehearsed job; runs in its process."""

from __future__ import annotations

from time import monotonic, process_time, thread_time

import numpy as np

from dcsim.calibration.models import fit_specs
from dcsim.execution.rehearsal.gang import Gang
from dcsim.training.data import Part
from dcsim.training.jobs import build_model, job, load_data
from dcsim.training.loop import Schedule, Trainer, evaluate

#: Processor seconds for each network, and steps of it that come before.
STEPS_S, WARM_UP = 0.07, 3
ROUNDS = 40
#: Rows for which the figures of a task are timed.
FIGURE_ROWS = (100, 2500)
FIGURE_TASKS = ("binary", "rare", "classes")


def time_networks(first: int) -> tuple[list[float], list[tuple[float, float]]]:
    """Mean processor seconds of a step of each of the fitted networks, in their order.

    They are timed from number `first` on. The second list has pairs (monotonic clock,
    processor seconds of this process) from before the first network to after the last.
    """
    specs = fit_specs(quick=True)
    seconds = [0.0] * len(specs)
    marks = [(monotonic(), process_time())]
    for turn in range(len(specs)):
        place = (first + turn) % len(specs)
        model = specs[place].build()
        rng = np.random.default_rng(0)
        batches = [model.random_batch(specs[place].batch, rng) for _ in range(4)]
        for step in range(WARM_UP):
            model.step(*batches[step])
        begun, steps = thread_time(), 0
        while thread_time() - begun < STEPS_S and steps < 1500:
            model.step(*batches[steps % len(batches)])
            steps += 1
        seconds[place] = (thread_time() - begun) / steps
        marks.append((monotonic(), process_time()))
    return seconds, marks


def time_exchange(gang: Gang, rank: int) -> float:
    """Processor seconds of this rank for one sum of the gang's values, as training does it."""
    with gang.join(rank) as ring:
        own = np.zeros(gang.values - 1, gang.dtype)
        ring.all_reduce()
        begun = thread_time()
        for _ in range(ROUNDS):
            np.multiply(own, 0.5, out=ring.mine[:-1])
            ring.all_reduce()
            own[...] = ring.mine[:-1]
        return (thread_time() - begun) / ROUNDS


class _Idle(Trainer):
    """A trainer that does everything but compute."""

    def _learn(self, train: Part, rows: object) -> float:
        return 0.0

    def _evaluate(self, part: Part) -> dict[str, float]:
        return {}


def time_loop() -> float:
    """Processor seconds that the training loop itself takes a step."""
    small = job("mlp-3-5-2")
    data = load_data(small)
    trainer = _Idle(build_model(small, data), data, Schedule(epochs=2, batch_size=1, seed=0))
    begun = thread_time()
    trainer.run()
    return (thread_time() - begun) / trainer.steps


class _Known:
    """A model whose predictions are there already."""

    def __init__(self, prediction: np.ndarray) -> None:
        self._prediction = prediction

    def evaluate(self, x: object, t: object) -> tuple[float, np.ndarray]:
        """A loss and the predictions."""
        return 0.5, self._prediction


def time_figures() -> dict[str, tuple[float, ...]]:
    """Processor seconds of the figures of each task, one for each of `FIGURE_ROWS`."""
    return {task: tuple(_figures_s(task, rows) for rows in FIGURE_ROWS) for task in FIGURE_TASKS}


def _figures_s(task: str, rows: int) -> float:
    rng = np.random.default_rng(0)
    if task == "classes":
        prediction, t = rng.random((rows, 10)), rng.integers(0, 10, rows)
    else:
        prediction, t = rng.random((rows, 1)), rng.integers(0, 2, (rows, 1)).astype(float)
    part = Part(np.zeros((rows, 1)), t)
    model = _Known(prediction)
    evaluate(model, part, task)  # type: ignore[arg-type]
    begun = thread_time()
    for _ in range(5):
        evaluate(model, part, task)  # type: ignore[arg-type]
    return (thread_time() - begun) / 5

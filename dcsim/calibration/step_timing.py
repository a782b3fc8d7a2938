"""Times whole training steps of a network on random data."""

import numpy as np

from dcsim.calibration.models import StepSpec
from dcsim.calibration.timing import clock_of, undisturbed
from dcsim.training.model import Model

#: A block of steps lasts at least this long, so that the clock's own cost vanishes.
BLOCK_S = 1e-3
MOST_STEPS = 1500
LEAST_BLOCKS, MOST_BLOCKS = 3, 60
BATCHES = 4


def time_step(spec: StepSpec, budget_s: float) -> float:
    """Undisturbed seconds of one step, from blocks of steps within about `budget_s`.

    Processor seconds, or with several threads those of the wall clock.

    Blocks cycle through a few batches, and at most `MOST_STEPS` steps are taken: a network
    that has learnt its few random batches by heart has vanishing gradients, whose
    denormal numbers would slow the arithmetic down.
    """
    model, clock = spec.build(), clock_of(spec.setting)
    rng = np.random.default_rng(0)
    batches = [model.random_batch(spec.batch, rng) for _ in range(BATCHES)]
    for index in range(3):
        start = clock()
        _steps(model, batches, 1, index)
        once = clock() - start
        if once > budget_s:
            break
    per_block = min(max(round(BLOCK_S / once), 1), MOST_STEPS // LEAST_BLOCKS)
    affordable = min(budget_s / (once * per_block), MOST_STEPS / per_block, MOST_BLOCKS)
    blocks = max(int(affordable), LEAST_BLOCKS if once < budget_s else 2)
    samples = np.empty(blocks)
    for block in range(blocks):
        start = clock()
        _steps(model, batches, per_block, block)
        samples[block] = (clock() - start) / per_block
    return float(undisturbed(samples))


def _steps(model: Model, batches: list, count: int, offset: int) -> None:
    for index in range(count):
        x, t = batches[(index + offset) % len(batches)]
        model.step(x, t)

"""The golden network, small enough to differentiate by hand."""

from __future__ import annotations

import numpy as np

from dcsim.training.base import Array
from dcsim.training.model import Model

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

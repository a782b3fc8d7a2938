"""Drawing from an interval: the distribution behind `value`, `low` and `high`."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcsim.records import Interval

#: Standard normal quantile at 95 %: `low` and `high` bound 90 % of the draws.
Z90 = 1.6448536269514722


def draw(interval: Interval, z: ArrayLike) -> NDArray[np.float64]:
    """Values of `interval` at standard normal scores `z` (any shape; same shape out).

    A two-piece log-normal whose median is `value` and whose 5th and 95th percentiles
    are `low` and `high`; a two-piece normal where `low` is not positive, since a
    logarithm does not exist there. An exact interval returns its value.
    """
    scores = np.asarray(z, dtype=float) / Z90
    if interval.low > 0.0:
        below = np.log(interval.value / interval.low)
        above = np.log(interval.high / interval.value)
        return interval.value * np.exp(scores * np.where(scores < 0.0, below, above))
    below = interval.value - interval.low
    above = interval.high - interval.value
    return interval.value + scores * np.where(scores < 0.0, below, above)

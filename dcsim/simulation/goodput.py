"""Expected run time under failures and checkpoints: closed form and best interval.

Daly, A higher order estimate of the optimum checkpoint interval for restart dumps, FGCS
22(3), 2006, complete model: failures are Poisson with mean time `mtbf_s` and may strike
while computing, writing and restarting alike.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def expected_runtime(
    work_s: ArrayLike,
    interval_s: ArrayLike,
    write_s: ArrayLike,
    restart_s: ArrayLike,
    mtbf_s: ArrayLike,
) -> Floats:
    """Expected wall time of `work_s` of computing, broadcast over all arguments.

    Work is cut into work/interval equal segments, each followed by a blocking write of
    `write_s`; the last segment may be a part of one. With n whole segments of length tau,
    write d, restart R and mean time between failures M the exact expectation is
    n M e^(R/M) (e^((tau + d)/M) - 1). Infinite `mtbf_s` means no failures.
    """
    raise NotImplementedError


def best_interval(write_s: ArrayLike, mtbf_s: ArrayLike) -> Floats:
    """Computing time between checkpoints that minimises the expected run time.

    tau = M (1 + W0(-e^(-d/M - 1))), W0 the principal branch of Lambert's function:
    the root of the derivative of the closed form. Independent of the restart time.
    """
    raise NotImplementedError

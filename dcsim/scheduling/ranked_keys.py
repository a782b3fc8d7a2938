"""What jobs are ranked by where it takes more than a number of the job itself.

Least attained service has two queues (Tiresias, Gu et al., NSDI 2019); fair share is Slurm's
multi-factor priority.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.ranked_state import Jobs

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Knobs(NamedTuple):
    """Numbers of the policies: seconds, accelerator-seconds and weights of factors.

    A restarted job first spends `restart_s`; `threshold` is the attained service after which
    a job falls into the second queue; the rest are Slurm's multi-factor priority: half-life
    of usage, age that counts in full, weights of age, fair share, size and priority.
    """

    restart_s: float
    threshold: float
    half_life_s: float
    full_age_s: float
    age: float
    fair_share: float
    size: float
    priority: float


@kernel()
def level_of(attained: float, threshold: float) -> float:
    """The queue of least attained service, 0 or 1; a rounding error below counts as reached."""
    return 1.0 if attained >= threshold * (1 - 1e-9) else 0.0


@kernel()
def rank_by_factors(
    queue: Ints, count: int, now: float, usage: Floats, jobs: Jobs, knobs: Knobs, capacity: int
) -> Ints:
    """The queue by Slurm's multi-factor priority, fair-share factor 2^(-usage / share).

    `usage` is the decayed accelerator-seconds of each owner; all owners have equal shares.
    """
    part = np.sort(queue[:count])
    owner = jobs.owner[part]
    total = usage.sum()
    fair = np.ones(usage.size)
    if total > 0:
        fair = 2.0 ** (-usage / total * usage.size)
    age = np.minimum((now - jobs.submit[part]) / knobs.full_age_s, 1.0)
    priority = (
        knobs.age * age
        + knobs.fair_share * fair[owner]
        + knobs.size * jobs.procs[part] / capacity
        + knobs.priority * jobs.priority[part]
    )
    return part[np.argsort(-priority, kind="mergesort")]

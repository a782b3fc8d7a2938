"""How long redundant storage keeps its data: exact birth-death chains."""

import math

from dcsim.records import InputError


def mean_time_to_loss_s(
    devices: int, tolerated: int, failure_rate_per_s: float, repair_s: float
) -> float:
    """Mean time until more than `tolerated` of `devices` are failed at once, in seconds.

    One redundancy group (replication r: devices r, tolerated r - 1; erasure code k+m: devices
    k + m, tolerated m). Failures are independent at `failure_rate_per_s` a device, repairs run
    in parallel with mean `repair_s`: with i failed, deaths come at (devices - i) x rate and
    repairs at i / repair_s. The expected time to step from i to i + 1 failed obeys
    t_i = (1 + repair_i t_(i-1)) / death_i, and the answer is the sum from 0 to `tolerated`
    (first-passage times of a birth-death chain; Karlin and Taylor 1975, chapter 4). Raises
    `InputError` unless 0 <= tolerated < devices and both rates are positive.
    """
    if not 0 <= tolerated < devices:
        raise InputError(f"{devices} devices cannot tolerate {tolerated} failures")
    if failure_rate_per_s <= 0 or repair_s <= 0:
        raise InputError("the failure rate and the repair time must be positive")
    step_s, total_s = 0.0, 0.0
    for failed in range(tolerated + 1):
        death_per_s = (devices - failed) * failure_rate_per_s
        step_s = (1.0 + failed / repair_s * step_s) / death_per_s
        total_s += step_s
    return total_s


def annual_loss_probability(mean_time_to_loss_s: float, groups: int, year_s: float) -> float:
    """Probability that any of `groups` loses data within a year (exponential time to loss)."""
    return -math.expm1(-groups * year_s / mean_time_to_loss_s)

"""What DP-SGD spends: epsilon from noise and noise from epsilon, by Google's `dp-accounting`.

The accountant composes privacy loss distributions (Koskela et al. 2020; Doroshenko et al.
2022), for adding or removing one example, under Poisson sampling.
"""

from __future__ import annotations

import math
from functools import partial

from dcsim.records import InputError

#: A noise that is found for an epsilon overspends no privacy and is wrong by at most this.
NOISE_TOLERANCE = 1e-3
#: Steps of privacy loss in a search, ten times the library's own; coarser means more noise.
GRID = 1e-3
#: Whole orders are computed in closed form, those between by long series.
RENYI_ORDERS = (*range(2, 33), 48, 64, 128)


def epsilon(noise: float, sampling: float, steps: int, delta: float) -> float:
    """Epsilon at `delta` of `steps` steps of DP-SGD; inf without noise.

    `noise` is the deviation in units of the clipping norm, `sampling` the share of the
    examples in a step. Raises ValueError for a share or delta that is none.
    """
    _check(sampling, delta)
    if noise <= 0.0:
        return math.inf
    from dp_accounting.pld import PLDAccountant

    return float(PLDAccountant().compose(_event(noise, sampling, steps)).get_epsilon(delta))


def noise_for(target: float, sampling: float, steps: int, delta: float) -> float:
    """The least noise, to within `NOISE_TOLERANCE`, that spends at most epsilon `target`.

    Raises InputError where no noise can be found, ValueError as `epsilon` does.
    """
    _check(sampling, delta)
    import dp_accounting
    from dp_accounting.pld import PLDAccountant
    from dp_accounting.rdp import RdpAccountant

    def search(accountant: object, bracket: object) -> float:
        return dp_accounting.calibrate_dp_mechanism(
            accountant,
            lambda noise: _event(noise, sampling, steps),
            target,
            delta,
            bracket,
            tol=NOISE_TOLERANCE,
        )

    try:
        # Rényi accounting is quick and never finds too little noise; the rest is refinement.
        quick = partial(RdpAccountant, RENYI_ORDERS)
        enough = search(quick, dp_accounting.LowerEndpointAndGuess(0.0, 1.0))
        bracket = dp_accounting.ExplicitBracketInterval(0.5 * enough, enough)
        found = search(partial(PLDAccountant, value_discretization_interval=GRID), bracket)
    except (dp_accounting.NoBracketIntervalFoundError, ValueError) as error:
        raise InputError(
            f"no noise keeps {steps} steps within an epsilon of {target:g}: {error}"
        ) from None
    return float(found)


def _event(noise: float, sampling: float, steps: int) -> object:
    import dp_accounting

    step = dp_accounting.GaussianDpEvent(noise)
    if sampling < 1.0:
        step = dp_accounting.PoissonSampledDpEvent(sampling, step)
    return dp_accounting.SelfComposedDpEvent(step, steps)


def _check(sampling: float, delta: float) -> None:
    if not 0.0 < sampling <= 1.0:
        raise ValueError(f"a share of {sampling} of the examples; it is above 0 and at most 1")
    if not 0.0 < delta < 1.0:
        raise ValueError(f"a delta of {delta}; it lies between 0 and 1")

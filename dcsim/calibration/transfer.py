"""What a machine's operator curves say of an accelerator's: the dimensionless knee.

How much a short dimension costs a matrix product, counted in ridges (peak over bandwidth),
is a property of the algorithm (blocks packed, computed and written back) more than of the
chip. The cost model's accelerators have one such figure, `gemm.knee`, fitted to published
runs; what is measured here is a second, weaker witness of it.
"""

from dataclasses import replace

import numpy as np

from dcsim.records.profile import HostProfile, TrainingFit

KNEE = "gemm.knee"
#: Standard deviations of the logarithm: what published runs leave open of the knee, and
#: how far the knees of two machines, or of two layouts on one, lie apart.
PUBLISHED_SD, BETWEEN_MACHINES_SD = 0.10, 0.40


def product_knee(host: HostProfile) -> float:
    """The knee of plain matrix products: mean over m, n, k, geometric mean over layouts.

    The mean over the dimensions is what a cubic product feels. 0 without such a class.
    """
    knees = [
        np.mean(operator.shape_knee)
        for name, operator in sorted(host.operators.items())
        if name.startswith("gemm.") and min(operator.shape_knee) > 0.0
    ]
    return float(np.exp(np.mean(np.log(knees)))) if knees else 0.0


def carried_over(training: TrainingFit, before: HostProfile, after: HostProfile) -> TrainingFit:
    """`training` after observations moved the host's curves from `before` to `after`.

    A Gaussian belief about the logarithm of the accelerators' knee follows that of the
    host's with the regression coefficient published variance ÷ (published variance +
    variance between machines).
    """
    first, second = product_knee(before), product_knee(after)
    if KNEE not in training.parameters or not first or not second:
        return training
    share = PUBLISHED_SD**2 / (PUBLISHED_SD**2 + BETWEEN_MACHINES_SD**2)
    moved = training.parameters[KNEE] * (second / first) ** share
    return replace(training, parameters={**training.parameters, KNEE: moved})

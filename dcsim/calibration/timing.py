"""Timing that survives a noisy machine: interleaved visits, lower quantiles, a noise figure.

The clock is the processor time of the one thread that computes: on an idle machine it runs
with the wall clock, on a busy one it stands still while another process has the core.
"""

from collections.abc import Callable, Sequence
from functools import cache
from time import perf_counter, thread_time

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.cases import cases
from dcsim.calibration.operands import Pools, Setting, prepare

#: Bytes of each pool of operands; six pools make up the working memory.
POOL_BYTES = 64 << 20
#: A visit times one case for about this long; shorter than a scheduler's time slice, so
#: that most visits are never preempted.
VISIT_S = 2e-4
#: How long to compute to see what other work leaves of a processor.
BUSY_S = 0.4
#: Other work on the machine only ever adds time, and may do so for most of a calibration:
#: the undisturbed time lies near the minimum, which alone would be too lucky a visit.
UNDISTURBED_QUANTILE = 0.1


def time_round(quick: bool, cores: int, setting: Setting, turn: int) -> NDArray[np.float64]:
    """Seconds of one call of each of `cases(quick, cores)` of this setting, visited once.

    In the order of the cases; those of other settings are left out. Several threads are
    timed by the wall clock.

    Every `turn` visits all cases in another order, so that a disturbance of some seconds
    costs each case one visit rather than one case all of its visits.
    """
    chosen = [case for case in cases(quick, cores) if case.setting == setting]
    clock, pools = clock_of(setting), _pools()
    seconds = np.empty(len(chosen))
    for index in np.random.default_rng(turn).permutation(len(chosen)):
        seconds[index] = _visit(prepare(chosen[index], pools), clock)
    return seconds


def clock_of(setting: Setting) -> Callable[[], float]:
    """Processor time of the only thread that computes, else the wall's."""
    return thread_time if setting.threads == 1 else perf_counter


@cache
def _pools() -> Pools:
    """Operand memory, made once in the life of a timing process."""
    return Pools(POOL_BYTES)


def busy_share() -> float:
    """Processor ÷ wall time of a thread that computes for `BUSY_S`: 1 on an idle machine."""
    begun, used = perf_counter(), thread_time()
    while perf_counter() - begun < BUSY_S:
        pass
    return (thread_time() - used) / (perf_counter() - begun)


def _visit(calls: Sequence[Callable[[], object]], clock: Callable[[], float]) -> float:
    """Seconds of one call, averaged over whole passes through all sets of operands."""
    start = clock()
    for call in calls:
        call()
    passes = max(int(VISIT_S / max(clock() - start, 1e-9)), 1)
    start = clock()
    for _ in range(passes):
        for call in calls:
            call()
    return (clock() - start) / (passes * len(calls))


def undisturbed(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """The typical undisturbed time: the 10 % quantile along the last axis."""
    return np.asarray(np.quantile(samples, UNDISTURBED_QUANTILE, axis=-1))


def noise_of(samples: NDArray[np.float64]) -> float:
    """Standard deviation of the logarithm of an undisturbed time between halves of the rounds.

    `samples` is (n, rounds): the estimate from even rounds is compared with that from odd
    rounds, robustly (median absolute deviation), and scaled to one full estimate.
    """
    if samples.shape[1] < 2:
        return 0.0
    ratio = np.log(undisturbed(samples[:, ::2]) / undisturbed(samples[:, 1::2]))
    deviation = float(np.median(np.abs(ratio - np.median(ratio))))
    return 1.4826 * deviation / 2.0

"""How far a job is in a train of equal cycles of computing and saving, in closed form.

While nothing disturbs a job, its checkpoints repeat exactly; a train of them is one event,
and where it stood when it was interrupted follows from the time that passed.
"""

from dataclasses import dataclass

#: A cycle that lacks less than this share of itself is complete: rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Cycle:
    """`steps` steps in `compute_s`, and one checkpoint in `write_s`."""

    steps: int
    compute_s: float
    write_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """What a train of cycles did.

    `steps` were computed in `computing_s`, `saves` checkpoints completed, `blocked_s`
    spent waiting for them. `unwritten` is the share of the checkpoint in progress that
    is still to be written; None when none is in progress. `cycles` are whole ones.
    """

    cycles: int
    steps: float
    computing_s: float
    blocked_s: float
    saves: int
    unwritten: float | None


def blocking_train_s(cycle: Cycle, cycles: int) -> float:
    """Duration of `cycles` cycles, each computing and then writing."""
    return cycles * (cycle.compute_s + cycle.write_s)


def blocking_progress(cycle: Cycle, cycles: int, elapsed_s: float) -> Progress:
    """Progress after `elapsed_s` of such a train."""
    period = cycle.compute_s + cycle.write_s
    whole, rest = _cycles(elapsed_s, period, cycles)
    if whole == cycles:
        blocked = cycles * cycle.write_s
        return Progress(
            cycles, cycles * cycle.steps, cycles * cycle.compute_s, blocked, cycles, None
        )
    computing = min(rest, cycle.compute_s)
    writing = max(rest - cycle.compute_s, 0.0)
    in_write = rest >= cycle.compute_s
    share = 1.0 if in_write else computing / cycle.compute_s
    return Progress(
        cycles=whole,
        steps=(whole + share) * cycle.steps,
        computing_s=whole * cycle.compute_s + computing,
        blocked_s=whole * cycle.write_s + writing,
        saves=whole,
        unwritten=1.0 - writing / cycle.write_s if in_write and cycle.write_s else None,
    )


def behind_train_s(cycle: Cycle, cycles: int) -> float:
    """Duration of `cycles` cycles, each computing while the checkpoint before is written."""
    return cycles * max(cycle.compute_s, cycle.write_s)


def behind_progress(cycle: Cycle, cycles: int, elapsed_s: float) -> Progress:
    """Progress after `elapsed_s` of a train that starts with a checkpoint to write.

    Each cycle starts one write and computes the next steps beside it; it ends when both
    are done. `saves` counts the writes that ended, the first belonging to steps computed
    before the train.
    """
    period = max(cycle.compute_s, cycle.write_s)
    whole, rest = _cycles(elapsed_s, period, cycles)
    blocked = whole * (period - cycle.compute_s)
    if whole == cycles:
        computed = cycles * cycle.compute_s
        return Progress(cycles, cycles * cycle.steps, computed, blocked, cycles, None)
    computing = min(rest, cycle.compute_s)
    written = rest >= cycle.write_s * (1.0 - _ROUNDING)
    return Progress(
        cycles=whole,
        steps=(whole + computing / cycle.compute_s) * cycle.steps,
        computing_s=whole * cycle.compute_s + computing,
        blocked_s=blocked + rest - computing,
        saves=whole + written,
        unwritten=None if written else 1.0 - rest / cycle.write_s,
    )


def _cycles(elapsed_s: float, period_s: float, cycles: int) -> tuple[int, float]:
    """Whole cycles in `elapsed_s`, at most `cycles`, and the rest of the time."""
    whole = min(int(elapsed_s / period_s + _ROUNDING * cycles), cycles)
    return whole, max(elapsed_s - whole * period_s, 0.0)

"""The life cycle of a model as a state machine, and what to expect of it in closed form.

Nothing here knows of time or of machines: which stage follows which, how often each is
passed through, how much of a cluster a release takes. `lifecycle_run` walks it in SimPy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COLLECT, PREPROCESS, GATE, CLEAN, STORE = "collect", "preprocess", "gate", "clean", "store"
TRAIN, EVALUATE, DEPLOY, MONITOR = "train", "evaluate", "deploy", "monitor"

#: Stages in the order of a release that passes everything at once.
STAGES: tuple[str, ...] = (
    COLLECT,
    PREPROCESS,
    GATE,
    CLEAN,
    STORE,
    TRAIN,
    EVALUATE,
    DEPLOY,
    MONITOR,
)

#: Stages that pass or fail what came before them.
CHECKS: frozenset[str] = frozenset((GATE, EVALUATE))

#: Where a release ends that has used up its tries.
REJECTED = "rejected"

_ALWAYS: Mapping[str, str] = {
    COLLECT: PREPROCESS,
    PREPROCESS: GATE,
    CLEAN: GATE,
    STORE: TRAIN,
    TRAIN: EVALUATE,
    DEPLOY: MONITOR,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How often a release may be cleaned and trained before it is given up (inf: for ever)."""

    cleanings: float = inf
    trainings: float = inf


@dataclass(frozen=True, slots=True)
class Tries:
    """How often the present release has been cleaned and trained so far."""

    cleanings: int = 0
    trainings: int = 0

    def after(self, stage: str) -> "Tries":
        """The counts when `stage` has been passed through once more."""
        return Tries(self.cleanings + (stage == CLEAN), self.trainings + (stage == TRAIN))


def following(stage: str, passed: bool, tries: Tries, limits: Limits, retrain: str) -> str:
    """The stage after `stage`, or REJECTED.

    `passed` counts for the gate, the evaluation and monitoring (which passes as long as
    nothing asks for another model). A failed gate leads to cleaning and back, a failed
    evaluation to another training; a monitor that does not pass leads to `retrain`.
    """
    if stage in _ALWAYS:
        return _ALWAYS[stage]
    if stage == GATE:
        if passed:
            return STORE
        return CLEAN if tries.cleanings < limits.cleanings else REJECTED
    if stage == EVALUATE:
        if passed:
            return DEPLOY
        return TRAIN if tries.trainings < limits.trainings else REJECTED
    if stage == MONITOR:
        return MONITOR if passed else retrain
    raise ValueError(f"{stage} is no stage")


@dataclass(frozen=True, slots=True)
class ExpectedLoops:
    """Means over releases that begin with the data: counts, and the share that is deployed.

    `trainings` counts those of releases that got past the gate, `per_release` those of all.
    """

    cleanings: float
    trainings: float
    trainings_per_release: float
    accepted: float


def expected_loops(gate_passes: float, evaluation_passes: float, limits: Limits) -> ExpectedLoops:
    """Expected cleanings and trainings when every check passes with a fixed probability.

    With p the gate's and q the evaluation's probability the tries are geometric: without
    limits E[cleanings] = (1 − p)/p and E[trainings] = 1/q. After at most C cleanings and
    T trainings the sums end: (1 − p)·(1 − (1 − p)^C)/p and (1 − (1 − q)^T)/q.
    """
    p, q = gate_passes, evaluation_passes
    cleanings = _geometric(1.0 - p, limits.cleanings)
    trainings = 1.0 + _geometric(1.0 - q, limits.trainings - 1.0)
    through = 1.0 - (1.0 - p) ** (limits.cleanings + 1.0)
    good = 1.0 - (1.0 - q) ** limits.trainings
    return ExpectedLoops(cleanings, trainings, through * trainings, through * good)


def _geometric(fails: float, most: float) -> float:
    """fails + fails² + … up to the power `most`."""
    if fails == 1.0:
        return most
    return fails * (1.0 - fails**most) / (1.0 - fails)


def expected_visits(
    gate_passes: float, evaluation_passes: float, limits: Limits, entry: str = COLLECT
) -> dict[str, float]:
    """Mean visits of every stage by a release that begins at `entry` and is let run to
    deployment or rejection."""
    loops = expected_loops(gate_passes, evaluation_passes, limits)
    through = 1.0 - (1.0 - gate_passes) ** (limits.cleanings + 1.0)
    first = STAGES.index(entry)
    trained = first >= STAGES.index(TRAIN)
    reached = 1.0 if trained or entry == STORE else through
    good = 1.0 - (1.0 - evaluation_passes) ** limits.trainings
    visits = dict.fromkeys(STAGES, 0.0)
    for stage in (COLLECT, PREPROCESS):
        visits[stage] = float(STAGES.index(stage) >= first)
    if first <= STAGES.index(GATE):
        visits[GATE] = 1.0 + loops.cleanings
        visits[CLEAN] = loops.cleanings
    if not trained:
        visits[STORE] = reached
    visits[TRAIN] = visits[EVALUATE] = reached * loops.trainings
    visits[DEPLOY] = visits[MONITOR] = reached * good
    return visits


@dataclass(frozen=True, slots=True)
class Kept:
    """Something written at `time_s` and kept until `until_s` (inf: for ever)."""

    kind: str
    time_s: float
    size_bytes: float
    until_s: float = inf


def held_bytes(kept: Sequence[Kept], kind: str, times_s: Floats) -> Floats:
    """Bytes of `kind` on the storage at each of `times_s`, shape (n,): written, not yet
    due for deletion."""
    held = np.zeros(len(times_s))
    for item in kept:
        if item.kind == kind:
            held += item.size_bytes * ((times_s >= item.time_s) & (times_s < item.until_s))
    return held


def peak_bytes(kept: Sequence[Kept]) -> float:
    """The most bytes that were ever on the storage at one time."""
    change = [(item.time_s, item.size_bytes) for item in kept]
    change += [(item.until_s, -item.size_bytes) for item in kept if np.isfinite(item.until_s)]
    # What is deleted goes before what is written at the same time.
    order = sorted(change, key=lambda entry: (entry[0], entry[1]))
    return float(np.max(np.cumsum([size for _, size in order]), initial=0.0))


def byte_seconds(kept: Sequence[Kept], end_s: float) -> float:
    """Bytes times the seconds for which they were kept, up to `end_s`."""
    return sum(item.size_bytes * max(min(item.until_s, end_s) - item.time_s, 0.0) for item in kept)


def sustained_per_s(demand: Mapping[str, float], capacity: Mapping[str, float]) -> dict[str, float]:
    """Releases a second that each resource allows, by resource.

    `demand` is what a release takes (accelerator-seconds, bytes), `capacity` what there is
    in a second. The least of them bounds the throughput whatever the order of work: the
    bottleneck law X ≤ 1/max D of Denning and Buzen (1978, Computing Surveys 10(3)).
    """
    return {name: capacity[name] / taken if taken > 0.0 else inf for name, taken in demand.items()}

"""Why one job waited: who held what until when, and what kept the job from the rest."""

from dataclasses import dataclass

import numpy as np

from dcsim.records import InputError
from dcsim.simulation.replay.outcome import Replay
from dcsim.simulation.replay.sweep import WAIT_REASONS, sweep

MOST_HOLDERS = 8


@dataclass(frozen=True, slots=True)
class Holder:
    """A job that held accelerators while another waited; times on the trace's clock."""

    job_id: str
    user: str
    gpus: int
    from_s: float
    until_s: float
    share: float


@dataclass(frozen=True, slots=True)
class Why:
    """The wait of one job: seconds by reason, the largest holders, its place in the queue.

    `waited_s` covers the first wait and every later one. `ahead` jobs waited when it came,
    `overtaken_by` came later and started earlier, `freed_by` ended at the moment it started.
    """

    job_id: str
    gpus: int
    submit_s: float
    start_s: float
    waited_s: dict[str, float]
    ahead: int
    overtaken_by: int
    holders: tuple[Holder, ...]
    freed_by: tuple[str, ...]


def why(done: Replay, job_id: str) -> Why:
    """Explain the wait of the first job called `job_id`; InputError when none ran."""
    trace = done.trace
    found = np.flatnonzero(trace.job_id == job_id)
    if not found.size:
        raise InputError(f"no job called {job_id!r} ran in this replay")
    job = int(found[0])
    begin, end = float(trace.submit_s[job]), float(done.start_s[job])
    reasons = dict(zip(WAIT_REASONS, sweep(done).waited_s[job].tolist(), strict=True))
    earlier = (trace.submit_s <= begin) & (done.start_s > begin)
    earlier[job] = False
    overtaking = (trace.submit_s > begin) & (done.start_s < end)
    return Why(
        job_id,
        int(trace.accelerators[job]),
        begin,
        end,
        reasons,
        int(earlier.sum()),
        int(overtaking.sum()),
        _holders(done, job, begin, end),
        tuple(str(x) for x in trace.job_id[done.end_s == end][:MOST_HOLDERS])
        if end > begin
        else (),
    )


def _holders(done: Replay, job: int, begin: float, end: float) -> tuple[Holder, ...]:
    """Jobs by the accelerator-seconds that they held while `job` waited, the largest first."""
    held = done.stretches()
    overlap = np.minimum(held.end_s, end) - np.maximum(held.start_s, begin)
    taken = np.where((overlap > 0) & (held.job != job), overlap * held.gpus, 0.0)
    total = (end - begin) * done.capacity
    if total <= 0:
        return ()
    largest = np.argsort(-taken, kind="stable")[:MOST_HOLDERS]
    trace = done.trace
    return tuple(
        Holder(
            str(trace.job_id[held.job[i]]),
            str(trace.user[held.job[i]] or trace.group[held.job[i]]),
            int(held.gpus[i]),
            float(held.start_s[i]),
            float(held.end_s[i]),
            float(taken[i] / total),
        )
        for i in largest
        if taken[i] > 0
    )

"""Job traces drawn from the shape of another trace, or from published statistics.

A shape has a stream of arrivals and classes of jobs: a size and a way of ending with its run
times, and with the estimates and owners of those same jobs, so that who runs long also asks
for long and fails as often as such jobs do. Draws are stratified, so that means and medians of
a generated trace keep to the shape's even where run times have heavy tails.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.records import InputError
from dcsim.workload.traces.arrivals import (
    Arrivals,
    draw_arrivals,
    fit_arrivals,
    stratified,
    with_mean,
)
from dcsim.workload.traces.trace import Trace, prepared

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class JobClass:
    """Jobs of one size that ended one way: their share of all jobs and sorted run times.

    `est_s` has the estimates of the same jobs in that order, or None where there are none;
    `owner` their places in `Shape.owners`.
    """

    accelerators: int
    share: float
    run_s: Floats
    est_s: Floats | None
    owner: Ints


@dataclass(frozen=True, slots=True)
class Shape:
    """What a generated trace looks like; `owners` are triples (user, group, status).

    `whole_seconds` rounds all times.
    """

    arrivals: Arrivals
    classes: tuple[JobClass, ...]
    owners: tuple[tuple[str, str, str], ...]
    whole_seconds: bool = False


def fit(trace: Trace) -> Shape:
    """The shape of the jobs of `trace` that can run; InputError when there are fewer than two."""
    jobs = prepared(trace, np.iinfo(np.int64).max)
    if len(jobs) < 2:
        raise InputError("a shape needs at least two jobs that can run")
    submit = np.sort(jobs.submit_s)
    if submit[-1] <= submit[0]:
        raise InputError("a shape needs jobs submitted at different times")
    triples = np.stack([jobs.user.astype(str), jobs.group.astype(str), jobs.status.astype(str)], 1)
    owners, owner = np.unique(triples, axis=0, return_inverse=True)
    has_estimates = bool((jobs.est_s > jobs.run_s).any())
    _, ending = np.unique(triples[:, 2], return_inverse=True)
    kinds, kind = np.unique(
        np.stack([jobs.accelerators, ending.ravel()], 1), axis=0, return_inverse=True
    )
    classes = []
    for number, (size, _) in enumerate(kinds.tolist()):
        mine = np.flatnonzero(kind.ravel() == number)
        mine = mine[np.argsort(jobs.run_s[mine], kind="stable")]
        est = jobs.est_s[mine] if has_estimates else None
        share = mine.size / len(jobs)
        classes.append(JobClass(size, share, jobs.run_s[mine], est, owner.ravel()[mine]))
    times = np.concatenate([jobs.submit_s, jobs.run_s])
    return Shape(
        fit_arrivals(submit),
        tuple(classes),
        tuple((str(user), str(group), str(status)) for user, group, status in owners),
        bool((times == np.floor(times)).all()),
    )


def generate(shape: Shape, jobs: int, rng: np.random.Generator) -> Trace:
    """A trace of `jobs` jobs of that shape, sorted by submission."""
    if jobs < 1:
        raise InputError("a generated trace needs at least one job")
    submit = draw_arrivals(shape.arrivals, jobs, rng)
    chosen = _allotted(np.array([kind.share for kind in shape.classes]), jobs, rng)
    run, est = np.empty(jobs), np.full(jobs, np.nan)
    owner = np.zeros(jobs, np.int64)
    for i, kind in enumerate(shape.classes):
        here = np.flatnonzero(chosen == i)
        if here.size:
            run[here], est[here], owner[here] = _members(kind, here.size, rng)
    if shape.whole_seconds:
        submit, run, est = np.rint(submit), np.maximum(np.rint(run), 1.0), np.rint(est)
    user, group, status = (
        np.array([triple[part] for triple in shape.owners], dtype=object)[owner]
        for part in range(3)
    )
    return Trace(
        job_id=np.array([f"g{i}" for i in range(jobs)], dtype=object),
        submit_s=submit,
        run_s=run,
        accelerators=np.array([kind.accelerators for kind in shape.classes], np.int64)[chosen],
        est_s=np.maximum(est, run),
        user=user,
        group=group,
        status=status,
        wait_s=np.full(jobs, np.nan),
        source_format="generated",
    )


def _members(kind: JobClass, count: int, rng: np.random.Generator) -> tuple[Floats, Floats, Ints]:
    """Run times, estimates (NaN where there are none) and owners of `count` jobs, shuffled.

    Each is a member of the sample, but that the longer half is stretched to the class's means.
    """
    size = kind.run_s.size
    member = np.clip(np.rint(stratified(size, count, rng)), 0, size - 1).astype(np.int64)
    run = with_mean(kind.run_s[member], float(kind.run_s.mean()))
    est = np.full(count, np.nan)
    if kind.est_s is not None:
        beyond = kind.est_s - kind.run_s
        est = run + with_mean(beyond[member], float(beyond.mean()))
    shuffled = rng.permutation(count)
    return run[shuffled], est[shuffled], kind.owner[member][shuffled]


def _allotted(share: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Which class each of `count` jobs belongs to, in numbers as near to `share` as can be."""
    bounds = np.cumsum(share) / share.sum()
    at = (np.arange(count) + rng.random()) / count
    return rng.permutation(np.minimum(np.searchsorted(bounds, at, side="right"), share.size - 1))

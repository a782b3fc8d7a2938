"""What workers that train together spend on each other: measured, and by the cost model.

The link between two workers is timed with buffers of sizes that no job is asked about; the
collective's form, the pipeline's schedule and the operators' curves do the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.steps import host_step_time
from dcsim.cost.collectives import CollectiveParameters, collective_time
from dcsim.cost.schedules import one_f_one_b
from dcsim.records import RealRun
from dcsim.records.operators import OperatorCall
from dcsim.records.profile import Profile
from dcsim.training.jobs import Job, build_model, load_data
from dcsim.training.parallel import stage_operators
from dcsim.training.pipeline import stage_cuts
from dcsim.workers import Worker
from dcsim.workers.ring import Ring, close_ring, make_ring

_SIZES = (1, 300, 3_000, 30_000, 300_000)
_REPEATS = 60


@dataclass(frozen=True, slots=True)
class Link:
    """Between neighbours in a ring of workers: seconds a turn, and bytes a second."""

    latency_s: float
    rate_bytes_per_s: float

    def all_reduce_s(self, size_bytes: float, ranks: int) -> float:
        """Seconds to sum a buffer over `ranks` workers: the ring of the cost model."""
        tier = np.array([[float(ranks)]])
        found = collective_time(
            "all_reduce",
            size_bytes,
            ranks,
            1.0,
            tier,
            np.array([[self.rate_bytes_per_s]]),
            np.array([[self.latency_s]]),
            np.array([[False]]),
            CollectiveParameters(efficiency=(1.0, 1.0), step_s=0.0),
        )
        return float(found.reshape(-1)[0])

    def hand_over_s(self, size_bytes: float) -> float:
        """Seconds from one stage of a pipeline to the next."""
        return self.latency_s + size_bytes / self.rate_bytes_per_s


@dataclass(frozen=True, slots=True)
class ExchangeReport:
    """Medians over steps: a step and the part of it that went to exchanges and waiting.

    `measured_share` and `predicted_share` are that part over the whole step: for a pipeline,
    its bubble.
    """

    parallel: str
    workers: int
    measured_step_s: float
    predicted_step_s: float
    measured_exchange_s: float
    predicted_exchange_s: float

    @property
    def measured_share(self) -> float:
        """Exchanges and waiting over the measured step."""
        return self.measured_exchange_s / self.measured_step_s

    @property
    def predicted_share(self) -> float:
        """The same of the prediction."""
        return self.predicted_exchange_s / self.predicted_step_s


def measure_link(ranks: int) -> Link:
    """Time a ring of `ranks` workers and fit its latency and rate."""
    rings = make_ring(ranks, max(_SIZES))
    with ExitStack() as stack:
        try:
            workers = [stack.enter_context(Worker(inherit=ring.descriptors)) for ring in rings]
        finally:
            close_ring(rings)
        for worker, ring in zip(workers, rings, strict=True):
            worker.send(_time_ring, ring)
        answers = [worker.receive()[1] for worker in workers]
    return fit_link(np.array(_SIZES) * 8.0, np.max(answers, axis=0), ranks)


def fit_link(sizes_bytes: NDArray[np.float64], seconds: NDArray[np.float64], ranks: int) -> Link:
    """Latency and rate of t = 2(p−1) latency + 2(p−1)/p · bytes / rate, in relative error."""
    from scipy.optimize import nnls

    turns = 2.0 * (ranks - 1.0)
    columns = np.stack([np.full_like(seconds, turns), turns / ranks * sizes_bytes], axis=1)
    (latency_s, s_per_byte), _ = nnls(columns / seconds[:, None], np.ones_like(seconds))
    return Link(float(latency_s), 1.0 / max(float(s_per_byte), 1e-15))


def _time_ring(ring: Ring) -> list[float]:
    """In a worker: median seconds of an all-reduce of each of `_SIZES` values."""
    medians = []
    for size in _SIZES:
        times = []
        for _ in range(_REPEATS):
            start = perf_counter()
            ring.all_reduce(size)
            times.append(perf_counter() - start)
        medians.append(float(np.median(times)))
    return medians


def report_exchange(job: Job, run: RealRun, profile: Profile) -> ExchangeReport:
    """A run of several workers beside its prediction; times the link of such workers."""
    link = measure_link(job.workers)
    itemsize = np.dtype(job.dtype).itemsize
    sizes = [values * itemsize for values in run.exchanged]
    if job.parallel == "pipeline":
        step_s, exchange_s = _pipeline_s(job, sizes, link, profile)
    else:
        exchange_s = sum(link.all_reduce_s(size, job.workers) for size in sizes)
        step_s = host_step_time(run.operators, profile.host).value + exchange_s
    return ExchangeReport(
        parallel=job.parallel,
        workers=job.workers,
        measured_step_s=float(np.median(run.step_s)),
        predicted_step_s=step_s,
        measured_exchange_s=float(np.median(run.exchange_s)),
        predicted_exchange_s=exchange_s,
    )


def _pipeline_s(
    job: Job, sizes: Sequence[float], link: Link, profile: Profile
) -> tuple[float, float]:
    """Predicted step and mean waiting of a stage: stages by their operators, then 1F1B."""
    data = load_data(job)
    model = build_model(job, data)
    cuts, batch = stage_cuts(model, job.workers), min(job.batch_size, len(data.train))
    passes = min(job.micro_batches, batch)
    stages = [
        _stage_s(stage_operators(model, cuts, stage, job.micro_batches, batch), profile)
        for stage in range(job.workers)
    ]
    forward, backward, update = np.array(stages).T
    hand_over_s = link.hand_over_s(float(np.mean(sizes)))
    whole_s = one_f_one_b(forward / passes, backward / passes, passes, hand_over_s)
    step_s = whole_s + update.max() + link.all_reduce_s(np.dtype(job.dtype).itemsize, job.workers)
    return step_s, step_s - float(np.mean(forward + backward + update))


def _stage_s(calls: Sequence[OperatorCall], profile: Profile) -> tuple[float, float, float]:
    """Predicted seconds of a stage's forward passes, backward passes and update."""
    phases = (("forward", "loss"), ("backward",), ("update",))
    groups = ([call for call in calls if call.phase in names] for names in phases)
    return tuple(host_step_time(group, profile.host).value for group in groups)  # type: ignore[return-value]

"""What a candidate is expected to deliver, in closed form: the basis of screening.

Expected run time under failures is Daly's (2006), to which come the time without a
replacement node (Erlang's loss formula for the spares) and waiting for data. Jobs of one
pool queue in the order of priority and submission, none passing the head.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.economics import activity, bill, draw
from dcsim.planner.build import (
    Recovery,
    failure_classes,
    pool_spec,
    recovery,
    storage_spec,
    training_job,
)
from dcsim.planner.build_policies import traces
from dcsim.planner.outcomes import Outcome
from dcsim.planner.sampling import Scores
from dcsim.planner.screen import Step
from dcsim.planner.space import ClusterOption
from dcsim.records.real_run import RealRun
from dcsim.scenario.resolved import RealWork, Scenario
from dcsim.simulation.feed import feeds
from dcsim.simulation.goodput import expected_runtime
from dcsim.simulation.spec import TrainingJobSpec

Floats = NDArray[np.float64]

#: A job that is expected to take longer than this never ends for our purposes.
LONGEST_S = 100 * 365 * 86400.0


@dataclass(frozen=True, slots=True)
class JobTime:
    """Expected wall time of one job by ledger class, arrays of shape (runs,)."""

    seconds: Mapping[str, Floats]
    queued_s: Floats
    failures: Floats

    @property
    def total_s(self) -> Floats:
        """From getting the nodes to the end, waiting for replacement nodes included."""
        return np.asarray(sum(self.seconds.values())) + self.queued_s


def job_time(step: Step, scenario: Scenario, factor: Floats) -> JobTime:
    """Expected time of `step`'s job when its steps take `factor` times their median."""
    saved = recovery(step, scenario)
    rates = scenario.policies.failures
    compute = step.iteration.value * factor
    work = step.steps * compute
    job = training_job(step, scenario, saved)
    data = _data_wait_s(step, scenario, compute, job)
    local = work / job.local_interval_s * job.local_save_s if job.local_interval_s else 0.0 * work
    blocking = saved.write_s if job.checkpoint_blocking else job.checkpoint_snapshot_s
    restart = (rates.detect_s + rates.restart_s if rates else 0.0) + saved.restore_s
    interval = saved.interval_s if saved.interval_s is not None else work + data + local
    with np.errstate(over="ignore"):
        wall = expected_runtime(work + data + local, interval, blocking, restart, saved.mtbf_s)
    wall = np.minimum(wall, LONGEST_S)
    failures = wall / saved.mtbf_s
    saves = np.ceil((work + data + local) / interval) * blocking + local
    down = failures * restart
    recomputing = np.maximum(wall - work - data - saves - down, 0.0)
    exposed = sum(step.parts_s[p] for p in ("tp", "dp", "ep", "cp")) / step.iteration.value
    bubble = step.parts_s["pp_bubble"] / step.iteration.value
    start = np.full_like(work, rates.restart_s if rates else 0.0)
    return JobTime(
        seconds={
            "useful_training": work * (1.0 - exposed - bubble),
            "exposed_communication": work * exposed,
            "pipeline_bubble": work * bubble,
            "data_wait": data,
            "checkpoint": saves,
            "restarting": down,
            "recomputing": recomputing,
            "starting": start,
        },
        queued_s=failures * _replacement_wait_s(step, scenario, saved),
        failures=failures,
    )


def _data_wait_s(step: Step, scenario: Scenario, compute: Floats, job: TrainingJobSpec) -> Floats:
    """Time of the whole run that is spent waiting for data, alone on the storage.

    The first epoch comes from the origin and fills the caches, later ones come from there.
    """
    spec = storage_spec(scenario.cluster)
    found = feeds(job, pool_spec(step.group, scenario), spec)
    first = min(found.epoch_steps, float(step.steps))
    shared = spec.servers * spec.read_bytes_per_s
    origin = min(spec.origin.read_bytes_per_s, shared) if spec.origin else shared
    waiting = np.zeros_like(compute)
    for feed, steps in ((found.first, first), (found.later, step.steps - first)):
        rate = origin if feed.from_origin else shared
        needed = max(feed.remote_bytes / rate, feed.local_s)
        waiting += steps * np.maximum(needed - compute, 0.0)
    return waiting


def _replacement_wait_s(step: Step, scenario: Scenario, saved: Recovery) -> float:
    """Mean wait for a node after a failure: until the first repair, if no spare is left.

    Spares run out with the probability of Erlang's loss formula at an offered load of
    failures that take a node times the repair time.
    """
    classes = failure_classes(scenario.policies.failures)
    rates = scenario.policies.failures
    if rates is None or not np.isfinite(saved.mtbf_s):
        return 0.0
    free = step.group.count - -(-step.accelerators // step.group.node.accelerators)
    taking = sum(c.per_accelerator_s for c in classes if c.takes_node) * step.accelerators
    share = taking * saved.mtbf_s
    load = taking * rates.repair_s
    return share * erlang_loss(free, load) * rates.repair_s / (free + 1)


def erlang_loss(servers: int, load: float) -> float:
    """Probability that all of `servers` are taken (Erlang B), by its stable recursion."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def expected_outcome(
    steps: Sequence[Step],
    real: Sequence[tuple[RealWork, RealRun]],
    option: ClusterOption,
    scenario: Scenario,
    scores: Scores,
    correction: float = 1.0,
) -> Outcome:
    """The expected outcome of jobs on a cluster over the draws in `scores`.

    `correction` multiplies every job's time: what simulation found for a neighbour,
    relative to this expectation.
    """
    times = [_drawn_time(step, scenario, scores, correction) for step in steps]
    starts = _starts(steps, times)
    finish = {
        step.work.name: start + time.total_s
        for step, time, start in zip(steps, times, starts, strict=True)
    }
    finish |= {name: np.full_like(scores.power, end) for name, end in _real_ends(real).items()}
    finish |= {
        work.name: np.full_like(
            scores.power,
            float((work.trace.submit_s + work.trace.run_s).max() - work.trace.submit_s.min()),
        )
        for work in traces(scenario)
    }
    makespan = np.max(list(finish.values()), axis=0)
    seconds = _accelerator_seconds(steps, times, makespan * option.accelerators)
    queued = sum(
        step.accelerators * (time.queued_s + start - step.work.submit_s)
        for step, time, start in zip(steps, times, starts, strict=True)
    )
    productive = sum(seconds[name] for name in _PRODUCTIVE)
    allocated = sum(s for name, s in seconds.items() if name not in _UNALLOCATED)
    return Outcome(
        simulated=False,
        finish_s=finish,
        makespan_s=makespan,
        seconds=seconds,
        bill=bill(
            option.rates,
            makespan,
            activity(seconds),
            scores.price[option.price_key],
            scores.power,
        ),
        failures=sum((time.failures for time in times), start=np.zeros_like(makespan)),
        ettr=productive / np.maximum(allocated + queued, 1.0),
        goodput=productive / np.maximum(allocated, 1.0),
    )


_PRODUCTIVE = ("useful_training", "exposed_communication", "pipeline_bubble")
_UNALLOCATED = ("repair", "unallocated_no_demand")


def _drawn_time(step: Step, scenario: Scenario, scores: Scores, correction: float) -> JobTime:
    drawn = draw(step.iteration, scores.step[step.group.node.accelerator])
    return job_time(step, scenario, correction * drawn / step.iteration.value)


def _accelerator_seconds(
    steps: Sequence[Step], times: Sequence[JobTime], capacity_s: Floats
) -> dict[str, Floats]:
    """The jobs' time as accelerator-seconds; what is left of the capacity is idle."""
    seconds = {
        name: np.asarray(
            sum(
                step.accelerators * time.seconds[name]
                for step, time in zip(steps, times, strict=True)
            )
        )
        for name in (times[0].seconds if times else ())
    }
    for name in _PRODUCTIVE:
        seconds.setdefault(name, np.zeros_like(capacity_s))
    held = np.asarray(sum(seconds.values()))
    # While a job waits for a node its other nodes are free but of no use to anybody else.
    seconds["unallocated_no_demand"] = np.maximum(capacity_s - held, 0.0)
    return seconds


def _real_ends(real: Sequence[tuple[RealWork, RealRun]]) -> dict[str, float]:
    """Ends of the real jobs, one at a time on this machine."""
    free, ends = 0.0, {}
    for work, run in sorted(real, key=lambda pair: (pair[0].submit_s, -pair[0].priority)):
        free = max(free, work.submit_s) + work.repeats * (run.total_s + run.checkpoint_s)
        ends[work.name] = free
    return ends


def _starts(steps: Sequence[Step], times: Sequence[JobTime]) -> list[Floats]:
    """When each job gets its nodes, shape (runs,) each."""
    starts = [np.zeros_like(time.total_s) for time in times]
    for pool in {step.group.name for step in steps}:
        members = [i for i, step in enumerate(steps) if step.group.name == pool]
        for run in range(len(starts[members[0]])):
            durations = {i: float(times[i].total_s[run]) for i in members}
            for i, start in _queue(steps, durations).items():
                starts[i][run] = start
    return starts


def _queue(steps: Sequence[Step], durations: Mapping[int, float]) -> dict[int, float]:
    """Starts of the jobs of one pool, by index: the head of the queue blocks the rest."""
    capacity = max(steps[i].group.count * steps[i].group.node.accelerators for i in durations)
    waiting = sorted(durations, key=lambda i: (steps[i].work.submit_s, i))
    running: list[tuple[float, int]] = []
    starts: dict[int, float] = {}
    now = 0.0
    while waiting:
        running = [(end, held) for end, held in running if end > now]
        ready = [i for i in waiting if steps[i].work.submit_s <= now]
        head = min(ready, key=lambda i: -steps[i].work.priority, default=None)
        free = capacity - sum(held for _, held in running)
        if head is not None and steps[head].accelerators <= free:
            starts[head] = now
            running.append((now + durations[head], steps[head].accelerators))
            waiting.remove(head)
            continue
        later = [steps[i].work.submit_s for i in waiting if steps[i].work.submit_s > now]
        now = min(later + [end for end, _ in running])
    return starts

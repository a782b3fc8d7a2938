"""Why jobs wait and accelerators idle: one pass over the events of a finished replay.

Between two events the cluster does not change. Each second of a wait belongs to the first
reason that holds: the job's account is at its quota; fewer accelerators are free than it asks
for; they are free but cannot hold it together (fragmented or in a closed window); it could
run, but the policy's order or somebody's reservation holds it back.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel
from dcsim.scheduling.node_modes import can_place
from dcsim.simulation.replay.outcome import Replay, Segments

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

WAIT_REASONS = ("quota", "capacity", "fragmentation", "policy")
IDLE_REASONS = ("no_demand", "fragmented", "held_back", "closed")

_RELEASE, _QUEUE, _START, _NOTHING = range(4)


@dataclass(frozen=True, slots=True)
class Sweep:
    """What the sweep found.

    `waited_s` (n, 4) splits each job's waits (first and after interruptions) by
    `WAIT_REASONS`. The rest has one entry for each distinct event time, valid until the next:
    accelerators `busy`, `queued` jobs and the accelerators they ask for, and `idle` (t, 4)
    accelerators by `IDLE_REASONS`; busy + idle = capacity.
    """

    waited_s: Floats
    time_s: Floats
    busy: Ints
    queued: Ints
    queued_gpus: Ints
    idle: Ints

    def mean_idle(self) -> dict[str, float]:
        """Accelerator-seconds idle by reason."""
        lasted = np.diff(self.time_s, append=self.time_s[-1])
        return {
            name: float((self.idle[:, i] * lasted).sum()) for i, name in enumerate(IDLE_REASONS)
        }


class _Events(NamedTuple):
    time: Floats
    kind: Ints
    segment: Ints


class _Held(NamedTuple):
    """By segment: class of the job, its account, and its placement."""

    of_class: Ints
    account: Ints
    gpus: Ints
    nodes: Ints
    counts: Ints
    offsets: Ints


class _Classes(NamedTuple):
    """Jobs that ask for the same number on the same account; and each account's quota."""

    need: Ints
    account: Ints
    quota: Ints


class _Closed(NamedTuple):
    start: Floats
    end: Floats
    first: Ints
    last: Ints
    units: Ints


@kernel()
def _open_now(free: Ints, level: Ints, now: float, closed: _Closed) -> tuple[Ints, Ints]:
    """Free accelerators outside the windows that are closed now."""
    any_shut = False
    for w in range(closed.start.size):
        any_shut = any_shut or closed.start[w] <= now < closed.end[w]
    if not any_shut:
        return free, level
    left = free.copy()
    for w in range(closed.start.size):
        if not closed.start[w] <= now < closed.end[w]:
            continue
        if free.size > 1:
            for node in range(closed.first[w], closed.last[w]):
                left[node] = 0
        else:
            left[0] = max(0, left[0] - closed.units[w])
    seen = np.zeros(level.size, np.int64)
    for units in left:
        seen[units] += 1
    return left, seen


@kernel()
def _sweep(
    events: _Events,
    held: _Held,
    classes: _Classes,
    closed: _Closed,
    n_nodes: int,
    per_node: int,
    mode: int,
) -> tuple[Floats, Floats, Ints]:
    """Waits of segments by reason (m, 4), event times (t,) and states (t, 7)."""
    free = np.zeros(n_nodes, np.int64)
    for node in range(n_nodes):
        free[node] = per_node
    level = np.zeros(per_node + 1, np.int64)
    level[per_node] = n_nodes
    idle = n_nodes * per_node
    waited = np.zeros((held.gpus.size, 4))
    lasted = np.zeros((classes.need.size, 4))
    waiting = np.zeros(classes.need.size, np.int64)
    used = np.zeros(classes.quota.size, np.int64)
    times = np.empty(events.time.size)
    states = np.zeros((events.time.size, 7), np.int64)
    steps = 0
    i = 0
    while i < events.time.size:
        now = events.time[i]
        while i < events.time.size and events.time[i] == now:
            segment = events.segment[i]
            kind = events.kind[i]
            i += 1
            if kind == _NOTHING:
                continue
            one = held.of_class[segment]
            if kind == _QUEUE:
                for reason in range(4):
                    waited[segment, reason] -= lasted[one, reason]
                waiting[one] += 1
                continue
            sign = 1 if kind == _START else -1
            if kind == _START:
                for reason in range(4):
                    waited[segment, reason] += lasted[one, reason]
                waiting[one] -= 1
            for k in range(held.offsets[segment], held.offsets[segment + 1]):
                node = held.nodes[k]
                level[free[node]] -= 1
                free[node] -= sign * held.counts[k]
                level[free[node]] += 1
            idle -= sign * held.gpus[segment]
            used[held.account[segment]] += sign * held.gpus[segment]
        after = events.time[i] if i < events.time.size else now
        left, seen = _open_now(free, level, now, closed)
        room = 0
        for units in range(seen.size):
            room += units * seen[units]
        could_start = False
        for k in range(waiting.size):
            need, account = classes.need[k], classes.account[k]
            if used[account] + need > classes.quota[account]:
                reason = 0
                could_start = could_start or (waiting[k] > 0 and need <= room)
            elif need > idle:
                reason = 1
            elif not can_place(left, seen, need, mode):
                reason = 2
            else:
                reason = 3
                could_start = could_start or waiting[k] > 0
            lasted[k, reason] += after - now
            states[steps, 1] += waiting[k]
            states[steps, 2] += waiting[k] * need
        times[steps] = now
        states[steps, 0] = n_nodes * per_node - idle
        kind_of_idle = 0 if states[steps, 1] == 0 else (2 if could_start else 1)
        states[steps, 3 + kind_of_idle] = room
        states[steps, 6] = idle - room
        steps += 1
    return waited, times[:steps], states[:steps]


def sweep(done: Replay) -> Sweep:
    """Go through all events of `done`; memory and time grow with jobs x distinct sizes."""
    held = done.stretches()
    pool = done.nodes is None
    n_nodes, per_node = (1, done.capacity) if pool else (done.n_nodes, done.per_node)
    classes, of_class, account = _classes(done)
    windows = done.options.windows if done.options else ()
    closed = _Closed(
        np.array([w.start_s for w in windows], float),
        np.array([w.end_s for w in windows], float),
        np.array([0 if pool else w.first for w in windows], np.int64),
        np.array([1 if pool else w.last for w in windows], np.int64),
        np.array([w.last - w.first for w in windows], np.int64),
    )
    from dcsim.simulation.replay.options import PLACEMENT_MODES

    mode = PLACEMENT_MODES[done.options.placement if done.options else "best-fit"]
    by_segment = _Held(
        of_class[held.job], account[held.job], held.gpus, held.nodes, held.counts, held.offsets
    )
    events = _events(done, held, closed)
    waited, times, states = _sweep(events, by_segment, classes, closed, n_nodes, per_node, mode)
    by_job = np.stack([np.bincount(held.job, waited[:, r], len(done.trace)) for r in range(4)], 1)
    # differences of sums over the whole trace leave rounding errors of both signs
    return Sweep(
        np.maximum(by_job, 0.0), times, states[:, 0], states[:, 1], states[:, 2], states[:, 3:]
    )


def _classes(done: Replay) -> tuple[_Classes, Ints, Ints]:
    """Classes of jobs, the class of each job and its account."""
    trace, options = done.trace, done.options
    account = np.zeros(len(trace), np.int64)
    quota = np.array([2**62])
    if options is not None and options.quota:
        names, account = np.unique(
            getattr(trace, options.quota_by).astype(str), return_inverse=True
        )
        rest = options.quota.get("", 2**62)
        quota = np.array([options.quota.get(str(name), rest) for name in names], np.int64)
    elastic = done.policy == "elastic" and trace.least is not None
    need = np.maximum(trace.least, 1) if elastic and trace.least is not None else trace.accelerators
    width = int(need.max()) + 1
    codes, of_class = np.unique(account * width + need, return_inverse=True)
    return _Classes(codes % width, codes // width, quota), of_class, account.astype(np.int64)


def _events(done: Replay, held: Segments, closed: _Closed) -> _Events:
    """Releases, arrivals in the queue and starts by time, in that order within one time."""
    again = np.zeros(held.job.size, bool)
    again[1:] = held.job[1:] == held.job[:-1]
    since = done.trace.submit_s[held.job].copy()
    since[again] = held.end_s[:-1][again[1:]]
    edges = np.concatenate([closed.start, closed.end])
    edges = edges[(edges > since.min()) & (edges < held.end_s.max())]
    numbers = np.arange(held.job.size)
    time = np.concatenate([held.end_s, since, held.start_s, edges])
    kind = np.repeat([_RELEASE, _QUEUE, _START, _NOTHING], [numbers.size] * 3 + [edges.size])
    segment = np.concatenate([numbers, numbers, numbers, np.zeros(edges.size, np.int64)])
    order = np.lexsort((kind, time))
    return _Events(time[order], kind[order].astype(np.int64), segment[order])

"""Re-checking a finished replay, rule by rule, at every event."""

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.replay.outcome import Replay, Segments

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def audit(done: Replay) -> list[str]:
    """Re-check the whole schedule at every event; one sentence for each rule broken.

    Rules: no job starts before it is submitted, runs in two places at once or shorter than its
    work; no accelerator is held twice; a placement holds exactly what the job asked for, on
    distinct nodes; no quota is exceeded and no closed window is used.
    """
    faults = []
    held = done.stretches()
    early = np.flatnonzero(done.start_s < done.trace.submit_s)
    if early.size:
        faults.append(f"{early.size} jobs start before they are submitted")
    faults += _audit_work(done, held)
    most = _most_held(held.start_s, held.end_s, held.gpus)
    if most > done.capacity:
        faults.append(f"{most} accelerators held at once of {done.capacity}")
    if done.nodes is not None:
        faults += _audit_nodes(done, held)
    if done.options is not None:
        faults += _audit_quotas(done, held) + _audit_windows(done, held)
    return faults


def _audit_work(done: Replay, held: Segments) -> list[str]:
    """Segments of one job follow each other and hold at least the accelerator-time it needs."""
    faults = []
    same = held.job[1:] == held.job[:-1]
    if (same & (held.start_s[1:] < held.end_s[:-1])).any():
        faults.append("a job runs in two places at once")
    spent = (held.end_s - held.start_s) * held.gpus
    work = done.trace.run_s * done.trace.accelerators
    # a start date of 1e9 seconds rounds a duration to about 1e-7
    slack = 1e-9 * (np.abs(done.end_s) * held.gpus.max() + work)
    if (np.bincount(held.job, spent, len(done.trace)) < work - slack).any():
        faults.append("a job ends before its work is done")
    return faults


def _audit_nodes(done: Replay, held: Segments) -> list[str]:
    owner = np.repeat(np.arange(held.job.size), np.diff(held.offsets))
    faults = []
    if (np.bincount(owner, held.counts, held.job.size) != held.gpus).any():
        faults.append("a placement differs from what its job asked for")
    if np.unique(owner * done.n_nodes + held.nodes).size != owner.size:
        faults.append("a placement names one node twice")
    order = np.argsort(held.nodes, kind="stable")
    bounds = np.searchsorted(held.nodes[order], np.arange(done.n_nodes + 1))
    for node in range(done.n_nodes):
        here = order[bounds[node] : bounds[node + 1]]
        most = _most_held(held.start_s[owner[here]], held.end_s[owner[here]], held.counts[here])
        if most > done.per_node:
            faults.append(f"node {node} has {most} of {done.per_node} accelerators held at once")
    return faults


def _audit_quotas(done: Replay, held: Segments) -> list[str]:
    faults: list[str] = []
    if done.options is None or not done.options.quota:
        return faults
    quota = done.options.quota
    accounts = getattr(done.trace, done.options.quota_by).astype(str)
    for name in np.unique(accounts):
        limit = quota.get(str(name), quota.get(""))
        here = accounts[held.job] == name
        most = _most_held(held.start_s[here], held.end_s[here], held.gpus[here])
        if limit is not None and most > limit:
            faults.append(f"{name} holds {most} accelerators of a quota of {limit}")
    return faults


def _audit_windows(done: Replay, held: Segments) -> list[str]:
    faults = []
    trace = done.trace
    owner = np.repeat(np.arange(held.job.size), np.diff(held.offsets))
    for window in done.options.windows if done.options else ():
        barred = (held.start_s < window.end_s) & (held.end_s > window.start_s)
        if window.owner is not None:
            inside = (trace.user == window.owner) | (trace.group == window.owner)
            barred &= ~inside[held.job]
        if done.nodes is not None:
            closed = (held.nodes >= window.first) & (held.nodes < window.last)
            used = bool((closed & barred[owner]).any())
        else:
            start = np.maximum(held.start_s[barred], window.start_s)
            end = np.minimum(held.end_s[barred], window.end_s)
            room = done.capacity - (window.last - window.first)
            used = _most_held(start, end, held.gpus[barred]) > room
        if used:
            faults.append(f"a window from {window.start_s:g} to {window.end_s:g} s is not kept")
    return faults


def _most_held(start_s: Floats, end_s: Floats, units: Ints) -> int:
    """Most units held at one time; an end frees before a start of the same time takes."""
    times = np.concatenate([end_s, start_s])
    change = np.concatenate([-units, units])
    order = np.argsort(times, kind="stable")  # ends come first in `times`
    return int(np.cumsum(change[order]).max(initial=0))

"""Replaying a trace: choose the compiled loop, run it, check what it did."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.records import InputError
from dcsim.workload.traces import Trace, prepared

POLICIES = ("fcfs", "sjf", "firstfit", "easy", "conservative")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Replay:
    """What a policy did with a trace, in the trace's order.

    `trace` holds the jobs that ran (n of them, the rest counted in its `dropped`);
    `start_s` and `end_s` have shape (n,). On nodes, job j holds `counts[i]` accelerators of
    `nodes[i]` for i from `offsets[j]` to `offsets[j + 1]`; on a pool these are None.
    """

    trace: Trace
    policy: str
    n_nodes: int
    per_node: int
    start_s: Floats
    end_s: Floats
    nodes: Ints | None = None
    counts: Ints | None = None
    offsets: Ints | None = None

    @property
    def wait_s(self) -> Floats:
        """Start minus submit, shape (n,)."""
        return self.start_s - self.trace.submit_s


def replay(trace: Trace, policy: str, n_nodes: int, per_node: int, *, pool: bool) -> Replay:
    """Run every job of `trace` under `policy`.

    A pool has `n_nodes * per_node` interchangeable accelerators; otherwise jobs are placed on
    `n_nodes` nodes of `per_node` by the `fcfs_nodes` rule. Ties follow three rules: at one
    timestamp completions, then arrivals, then one pass; queue order is (submit, position) or,
    for SJF, (est, submit, position); nothing starts outside a pass. Raises `InputError` for an
    unknown policy or when no job is left to run.
    """
    if policy not in POLICIES:
        raise InputError(f"unknown policy {policy!r}; known are {', '.join(POLICIES)}")
    if n_nodes < 1 or per_node < 1:
        raise InputError("a cluster needs at least one node and one accelerator a node")
    jobs = prepared(trace, n_nodes * per_node)
    if not len(jobs):
        reasons = "; ".join(f"{n} dropped: {why}" for why, n in jobs.dropped.items())
        raise InputError(f"no job of the trace can run here ({reasons})")
    order = np.argsort(jobs.submit_s, kind="stable")
    arrays = (
        jobs.submit_s[order],
        jobs.run_s[order],
        jobs.accelerators[order],
        jobs.est_s[order],
    )
    position = np.empty_like(order)
    position[order] = np.arange(order.size)
    if pool:
        start = _start_on_pool(arrays, policy, n_nodes * per_node)[position]
        return Replay(jobs, policy, n_nodes, per_node, start, start + jobs.run_s)
    start, nodes, counts, offsets = _start_on_nodes(arrays, policy, n_nodes, per_node)
    nodes, counts, offsets = _in_trace_order(nodes, counts, offsets, position)
    start = start[position]
    return Replay(
        jobs, policy, n_nodes, per_node, start, start + jobs.run_s, nodes, counts, offsets
    )


def _start_on_pool(
    arrays: tuple[Floats, Floats, Ints, Floats], policy: str, capacity: int
) -> Floats:
    if policy == "conservative":
        from dcsim.simulation.replay.conservative import replay_conservative

        return replay_conservative(*arrays, capacity)
    from dcsim.simulation.replay.pool import replay_pool

    return replay_pool(*arrays, capacity, POLICIES.index(policy))


def _start_on_nodes(
    arrays: tuple[Floats, Floats, Ints, Floats], policy: str, n_nodes: int, per_node: int
) -> tuple[Floats, Ints, Ints, Ints]:
    if policy == "conservative":
        from dcsim.simulation.replay.conservative_nodes import replay_conservative_nodes

        return replay_conservative_nodes(*arrays, n_nodes, per_node)
    from dcsim.simulation.replay.nodes import replay_nodes

    return replay_nodes(*arrays, n_nodes, per_node, POLICIES.index(policy))


def _in_trace_order(
    nodes: Ints, counts: Ints, offsets: Ints, position: Ints
) -> tuple[Ints, Ints, Ints]:
    lengths = np.diff(offsets)[position]
    new_offsets = np.concatenate(([0], np.cumsum(lengths)))
    within = np.arange(new_offsets[-1]) - np.repeat(new_offsets[:-1], lengths)
    source = np.repeat(offsets[:-1][position], lengths) + within
    return nodes[source], counts[source], new_offsets


def audit(done: Replay) -> list[str]:
    """Re-check the whole schedule at every event; one sentence for each rule broken.

    Rules: no job starts before it is submitted; no accelerator is held twice; a placement
    holds exactly what the job asked for, on distinct nodes.
    """
    faults = []
    early = np.flatnonzero(done.start_s < done.trace.submit_s)
    if early.size:
        faults.append(f"{early.size} jobs start before they are submitted")
    units = done.trace.accelerators
    most = _most_held(done.start_s, done.end_s, units)
    if most > done.n_nodes * done.per_node:
        faults.append(f"{most} accelerators held at once of {done.n_nodes * done.per_node}")
    if done.nodes is not None and done.counts is not None and done.offsets is not None:
        faults += _audit_nodes(done, done.nodes, done.counts, done.offsets)
    return faults


def _audit_nodes(done: Replay, nodes: Ints, counts: Ints, offsets: Ints) -> list[str]:
    owner = np.repeat(np.arange(len(done.trace)), np.diff(offsets))
    faults = []
    if (np.bincount(owner, counts, len(done.trace)) != done.trace.accelerators).any():
        faults.append("a placement differs from what its job asked for")
    if np.unique(np.stack([owner, nodes]), axis=1).shape[1] != owner.size:
        faults.append("a placement names one node twice")
    for node in np.unique(nodes):
        here = nodes == node
        held = _most_held(done.start_s[owner[here]], done.end_s[owner[here]], counts[here])
        if held > done.per_node:
            faults.append(f"node {node} has {held} of {done.per_node} accelerators held at once")
    return faults


def _most_held(start_s: Floats, end_s: Floats, units: Ints) -> int:
    """Most units held at one time; an end frees before a start of the same time takes."""
    times = np.concatenate([end_s, start_s])
    change = np.concatenate([-units, units])
    order = np.argsort(times, kind="stable")  # ends come first in `times`
    return int(np.cumsum(change[order]).max(initial=0))

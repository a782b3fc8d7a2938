"""Replaying a trace: choose the compiled loop and run it."""

import numpy as np
from numpy.typing import NDArray

from dcsim.records import InputError
from dcsim.simulation.replay.options import PLAIN_POLICIES, Options, ranking
from dcsim.simulation.replay.outcome import Replay, take_rows
from dcsim.workload.traces import Trace, prepared

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def replay(
    trace: Trace,
    policy: str,
    n_nodes: int,
    per_node: int,
    *,
    pool: bool,
    options: Options | None = None,
) -> Replay:
    """Run every job of `trace` under `policy`, one of `POLICIES` or a combination of them.

    A pool has `n_nodes * per_node` interchangeable accelerators; otherwise jobs are placed on
    `n_nodes` nodes of `per_node` by the `fcfs_nodes` rule (or `options.placement`). Ties follow
    three rules: at one timestamp completions, then arrivals, then one pass; queue order is
    (submit, position) or, for SJF, (est, submit, position); nothing starts outside a pass.
    Raises `InputError` for an unknown policy, options that it does not take, or when no job is
    left to run.
    """
    options = options or Options()
    if policy not in ("conservative", "elastic"):
        ranking(policy)
    elif not options.is_plain():
        raise InputError(f"{policy} takes no placement, quota or window; use easy with them")
    if policy == "elastic" and not pool:
        raise InputError("elastic jobs grow and shrink on a pool; use --gpus N")
    if n_nodes < 1 or per_node < 1:
        raise InputError("a cluster needs at least one node and one accelerator a node")
    jobs = prepared(trace, n_nodes * per_node)
    if not len(jobs):
        reasons = "; ".join(f"{n} dropped: {why}" for why, n in jobs.dropped.items())
        raise InputError(f"no job of the trace can run here ({reasons})")
    if policy == "elastic":
        from dcsim.simulation.replay.general import replay_resizing

        return replay_resizing(jobs, n_nodes * per_node, options)
    if policy not in PLAIN_POLICIES or not options.is_plain():
        from dcsim.simulation.replay.general import replay_general

        return replay_general(jobs, policy, n_nodes, per_node, options, pool=pool)
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
    counts, _ = take_rows(counts, offsets, position)
    nodes, offsets = take_rows(nodes, offsets, position)
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

    return replay_pool(*arrays, capacity, PLAIN_POLICIES.index(policy))


def _start_on_nodes(
    arrays: tuple[Floats, Floats, Ints, Floats], policy: str, n_nodes: int, per_node: int
) -> tuple[Floats, Ints, Ints, Ints]:
    if policy == "conservative":
        from dcsim.simulation.replay.conservative_nodes import (
            MOST_PER_NODE,
            replay_conservative_nodes,
        )

        if per_node > MOST_PER_NODE:
            raise InputError(
                f"conservative backfilling takes nodes of at most {MOST_PER_NODE:,} accelerators; "
                f"replay these {per_node:,} as a pool with --gpus"
            )

        return replay_conservative_nodes(*arrays, n_nodes, per_node)
    from dcsim.simulation.replay.nodes import replay_nodes

    return replay_nodes(*arrays, n_nodes, per_node, PLAIN_POLICIES.index(policy))

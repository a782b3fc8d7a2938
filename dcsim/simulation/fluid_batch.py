"""Many flows on given links, from their starts to their ends, in one call."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.fluid_compiled import WORTH_COMPILING, kernels, note_visits
from dcsim.simulation.fluid_state import WORK, State, hops_of, new_state

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def simulate_flows(
    capacity_bytes_per_s: Floats,
    latency_s: Floats,
    routes: Sequence[Sequence[int] | Ints],
    size_bytes: Floats,
    start_s: Floats,
    weight: Floats | None = None,
    usage: Sequence[Sequence[float] | Floats] | None = None,
) -> Floats:
    """Completion time of every flow under weighted max-min fairness, shape (n_flows,).

    Links are arrays of shape (n_links,), `routes` a list of link indices for each flow;
    the other flow arrays have shape (n_flows,). `usage`, shaped like `routes`, says how
    much of each link a unit of the flow's rate takes (1 when left out); a flow that stands
    for many by symmetry uses it to load the links as the many would. A flow waits the sum
    of its links' latencies, then drains; its model is that of `FluidNetwork`. Raises
    ValueError for an empty route or one that names no link.
    """
    links, uses, hops = route_matrix(routes, usage)
    capacity = np.asarray(capacity_bytes_per_s, dtype=np.float64)
    if len(routes) == 0:
        return np.zeros(0)
    if hops.min() < 1 or links.min() < 0 or links.max() >= len(capacity):
        raise ValueError("every route must name at least one link, and only links that exist")
    sizes = np.asarray(size_bytes, dtype=np.float64)
    weights = np.ones(len(routes)) if weight is None else np.asarray(weight, dtype=np.float64)
    used = np.arange(links.shape[1]) < hops[:, None]
    latency = np.where(used, np.asarray(latency_s, dtype=np.float64)[links], 0.0).sum(axis=1)
    enter = np.asarray(start_s, dtype=np.float64) + latency
    first, group, copies = merge_equal(links, uses, sizes, enter, weights)
    state = _loaded_state(capacity, links[first], uses[first], hops[first])
    state.flows["weight"] = weights[first] * copies
    state.flows["remaining"] = sizes[first] * copies
    return _run(state, enter[first])[group]


def _run(state: State, enter: Floats) -> Floats:
    order = np.argsort(enter, kind="stable").astype(np.int64)
    completion = np.full(len(enter), np.inf)
    finished = np.empty_like(order)
    position, visits = 0, 0
    while position >= 0:
        position = kernels().run_all(
            state, order, enter, finished, completion, position, WORTH_COMPILING
        )
        note_visits(int(state.sizes[WORK]) - visits)
        visits = int(state.sizes[WORK])
    return completion


def route_matrix(
    routes: Sequence[Sequence[int] | Ints], usage: Sequence[Sequence[float] | Floats] | None
) -> tuple[Ints, Floats, Ints]:
    """Routes as rows of one matrix, padded with link 0: links, usage and number of hops."""
    hops = np.fromiter(map(len, routes), dtype=np.int64, count=len(routes))
    used = np.arange(hops.max(initial=1)) < hops[:, None]
    links = np.zeros(used.shape, dtype=np.int64)
    uses = np.zeros(used.shape, dtype=np.float64)
    links[used] = np.fromiter(chain.from_iterable(routes), dtype=np.int64, count=hops.sum())
    uses[used] = (
        1.0
        if usage is None
        else np.fromiter(chain.from_iterable(usage), dtype=np.float64, count=hops.sum())
    )
    return links, uses, hops


def merge_equal(
    links: Ints, uses: Floats, sizes: Floats, enter: Floats, weights: Floats
) -> tuple[Ints, Ints, Ints]:
    """Flows alike in everything, once: first of each kind, kind of each flow, flows of a kind."""
    columns = [sizes, enter, weights, *uses.T]
    keys = np.ascontiguousarray(
        np.column_stack([links, *(np.ascontiguousarray(c).view(np.int64) for c in columns)])
    )
    # A hash tells fast whether any two can be alike; equal hashes are then compared in full.
    mixed = np.zeros(len(keys), dtype=np.uint64)
    for column in keys.T.astype(np.uint64):
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    _, first, group, copies = np.unique(
        mixed, return_index=True, return_inverse=True, return_counts=True
    )
    if not (keys[first[group]] == keys).all():
        rows = keys.view([("", np.int64)] * keys.shape[1]).ravel()
        _, first, group, copies = np.unique(
            rows, return_index=True, return_inverse=True, return_counts=True
        )
    return first, group, copies


def _loaded_state(capacity: Floats, links: Ints, uses: Floats, hops: Ints) -> State:
    """A network with room for all these routes, each in a slot of its own."""
    ordered = np.where(
        np.arange(links.shape[1]) < hops[:, None], links, -1 - np.arange(links.shape[1])
    )
    ordered = np.sort(ordered, axis=1)
    for flow in np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1)).tolist():
        once, times = hops_of(links[flow, : hops[flow]], uses[flow, : hops[flow]])
        links[flow, : len(once)], uses[flow, : len(once)], hops[flow] = once, times, len(once)
    used = np.arange(links.shape[1]) < hops[:, None]
    room = np.bincount(links[used], minlength=len(capacity)).astype(np.int64)
    state = new_state(capacity, room, len(links), links.shape[1])
    state.hops["link"] = links
    state.hops["usage"] = uses
    state.flows["hops"] = hops
    return state

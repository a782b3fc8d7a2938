"""Placing jobs that ask for a part of an accelerator, in thousandths of one.

`room[node, gpu]` is what is left of each accelerator. A job of several accelerators takes
wholly free ones, as few nodes as possible; a part lies on one accelerator. Fragmentation
gradient descent (FGD; Weng et al., USENIX ATC 2023) puts a job where the expected
fragmentation grows least: what the accelerators of a node have left that an average job of
the workload could not use. Only accelerators are counted here, not processors or memory.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dcsim._jit import kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

WHOLE = 1000
BEST_FIT, PACK, SPREAD, FGD = range(4)


class Mix(NamedTuple):
    """What an average job asks for: accelerators, thousandths of each, share of jobs; (k,)."""

    procs: Ints
    milli: Ints
    share: Floats


@kernel()
def fragmentation(room: Ints, mix: Mix) -> float:
    """Expected thousandths of one node, `room` (g,), that a job of the mix could not use.

    All that is left if the job does not fit on the node (its remainder, where it is larger
    than a node), else what is left on accelerators with too little room for it.
    """
    total = 0.0
    for k in range(mix.procs.size):
        need = min(mix.procs[k], room.size)
        able, left, unusable = 0, 0, 0
        for gpu in range(room.size):
            left += room[gpu]
            if room[gpu] >= mix.milli[k]:
                able += 1
            else:
                unusable += room[gpu]
        total += mix.share[k] * (unusable if able >= need else left)
    return total


@kernel()
def whole_ones(room: Ints) -> int:
    """Wholly free accelerators of one node."""
    free = 0
    for gpu in range(room.size):
        if room[gpu] == WHOLE:
            free += 1
    return free


@kernel()
def choose_node(
    room: Ints, procs: int, milli: int, mode: int, mix: Mix, frag: Floats
) -> tuple[int, int]:
    """Node and (for a part) accelerator for at most a node's worth; -1 where none fits.

    Best fit takes the node with the least left (ties: lowest index) and on it the fullest
    accelerator that fits, spread the node with most left, pack the first that fits.
    """
    best_node, best_gpu, best = -1, -1, np.inf
    trial = np.empty(room.shape[1], np.int64)
    for node in range(room.shape[0]):
        here = room[node]
        if milli == WHOLE:
            if whole_ones(here) < procs:
                continue
            gpu = -1
        else:
            gpu = -1
            for i in range(here.size):
                if here[i] >= milli and (gpu < 0 or here[i] < here[gpu]):
                    gpu = i
            if gpu < 0:
                continue
        if mode == PACK:
            return node, gpu
        if mode == FGD:
            # the accelerator matters too: try each one that fits
            for i in range(here.size if milli < WHOLE else 1):
                if milli < WHOLE and here[i] < milli:
                    continue
                trial[:] = here
                occupy(trial, procs, milli, i)
                score = fragmentation(trial, mix) - frag[node]
                if score < best:
                    best_node, best_gpu, best = node, i, score
            continue
        score = float(here.sum()) if mode == BEST_FIT else -float(here.sum())
        if score < best:
            best_node, best_gpu, best = node, gpu, score
    return best_node, best_gpu


@kernel()
def occupy(room: Ints, procs: int, milli: int, gpu: int) -> None:
    """Take from one node's `room`: a part of `gpu`, or the first `procs` wholly free ones."""
    if milli < WHOLE:
        room[gpu] -= milli
        return
    for i in range(room.size):
        if procs > 0 and room[i] == WHOLE:
            room[i] = 0
            procs -= 1


@kernel()
def place_shared(
    room: Ints, procs: int, milli: int, mode: int, mix: Mix, frag: Floats, taken: Ints, first: int
) -> int:
    """Place a job if it fits; writes `node * g + gpu` of each accelerator to `taken` from `first`.

    Returns the end of what was written, `first` when the job does not fit now.
    """
    size = room.shape[1]
    empty = 0
    if procs > size:
        for node in range(room.shape[0]):
            if whole_ones(room[node]) == size:
                empty += 1
        if empty < procs // size:
            return first
    end = first
    left = procs
    node = 0
    while left > size or (left == size and procs > size):
        while whole_ones(room[node]) < size:
            node += 1
        for gpu in range(size):
            room[node, gpu] = 0
            taken[end] = node * size + gpu
            end += 1
        frag[node] = 0.0
        left -= size
    if left == 0:
        return end
    node, gpu = choose_node(room, left, milli, mode, mix, frag)
    if node < 0:
        for i in range(first, end):
            room[taken[i] // size, taken[i] % size] = WHOLE
            frag[taken[i] // size] = fragmentation(room[taken[i] // size], mix)
        return first
    before = room[node].copy()
    occupy(room[node], left, milli, gpu)
    frag[node] = fragmentation(room[node], mix)
    for i in range(size):
        if room[node, i] != before[i]:
            taken[end] = node * size + i
            end += 1
    return end

"""The arrays that ranked passes work on, grouped by what they describe."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Orders of the queue.
SUBMITTED, ESTIMATE, PRIORITY, FAIR_SHARE, DOMINANT, REMAINING, ATTAINED = range(7)
#: What a job that does not fit means for those behind it.
BLOCK, SKIP, RESERVE = range(3)


class Jobs(NamedTuple):
    """Jobs sorted by submission; shape (n,). `owner` and `account` number users or groups.

    Usage is shared fairly among owners, a quota belongs to an account.
    """

    submit: Floats
    work: Floats
    procs: Ints
    est: Floats
    owner: Ints
    account: Ints
    priority: Floats


class Cluster(NamedTuple):
    """Free accelerators by node, nodes by free count, and placements.

    Job j holds `counts[i]` on `nodes[i]` for i from `begin[j]` to `finish[j]`.
    """

    free: Ints
    level: Ints
    nodes: Ints
    counts: Ints
    begin: Ints
    finish: Ints


class Windows(NamedTuple):
    """Times at which accelerators are kept free, known from the beginning; shape (w,).

    From `start` to `end`, nodes from `first` up to `last` (of a pool: `units`
    accelerators) are closed to every job but those with `exempt[w, job]`.
    """

    start: Floats
    end: Floats
    first: Ints
    last: Ints
    units: Ints
    exempt: Bools


class Running(NamedTuple):
    """Running jobs sorted by estimated end: the list, and that end of every job (n,)."""

    jobs: Ints
    est_end: Floats


class Shares(NamedTuple):
    """Accelerators held by owner and by account, and each account's quota."""

    by_owner: Ints
    by_account: Ints
    quota: Ints

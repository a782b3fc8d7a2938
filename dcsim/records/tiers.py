"""The communication tiers of a cluster as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The command line reads the records before it knows whether it will compute.
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tiers:
    """Nested groups of accelerators, innermost first; arrays of shape (n_tiers,).

    A tier joins `size` accelerators; each of them can send `bandwidth_bytes_per_s` in
    each direction within the tier (its share of NICs and of any oversubscribed uplink
    already taken), after `latency_s`. `reduces` marks tiers whose switches reduce in
    the network. The last tier's size is the whole cluster.
    """

    names: tuple[str, ...]
    size: NDArray[np.int64]
    bandwidth_bytes_per_s: NDArray[np.float64]
    latency_s: NDArray[np.float64]
    reduces: NDArray[np.bool_]

"""Where the training data of a step comes from: origin, shared storage, caches of the nodes."""

from dataclasses import dataclass
from math import inf, isfinite

from dcsim.simulation.spec import CacheSpec, PoolSpec, StorageSpec, TrainingJobSpec


@dataclass(frozen=True, slots=True)
class Feed:
    """Data of one step: what is read from shared storage, and how long the caches take.

    `latency_s` passes before the first byte from shared storage, and from its origin where
    the data comes from there.
    """

    remote_bytes: float
    local_s: float = 0.0
    from_origin: bool = False
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Feeds:
    """Feeds of the first epoch, of one that fills caches again on other nodes, and of later
    ones; `epoch_steps` is how long the first lasts (0: nothing changes with time)."""

    first: Feed
    again: Feed
    later: Feed
    epoch_steps: float


def feeds(spec: TrainingJobSpec, pool: PoolSpec, storage: StorageSpec | None) -> Feeds:
    """How the data of `spec` arrives on nodes of `pool`.

    Caches hold what fits, the first one first. Read in a new order every epoch, data is
    found in them as often as they hold it. Read in the same order, data that does not fit
    is always gone when its turn comes (the least recently used is what is dropped).
    """
    size = spec.data_bytes_per_step
    if storage is None or size <= 0.0:
        return Feeds(Feed(0.0), Feed(0.0), Feed(0.0), 0.0)
    nodes = spec.accelerators / pool.accelerators_per_node
    shares = _held_shares(spec, pool.caches, nodes)
    latency, origin = storage.latency_s, storage.origin
    filling_s = max((size * share / cache.write_bytes_per_s for cache, share in shares), default=0)
    reading_s = max((size * share / cache.read_bytes_per_s for cache, share in shares), default=0)
    held = min(sum(share for _, share in shares), 1.0)
    again = Feed(size, filling_s / nodes, latency_s=latency)
    first = again
    if origin is not None:
        first = Feed(size, filling_s / nodes, True, latency + origin.latency_s)
    later = Feed(size * (1.0 - held), reading_s / nodes, latency_s=latency)
    changes = (origin is not None or held > 0.0) and isfinite(spec.dataset_bytes)
    if not changes:
        epoch = inf if origin is not None else 0.0
        return Feeds(first, again, again, epoch)
    return Feeds(first, again, later, spec.dataset_bytes / size)


def _held_shares(
    spec: TrainingJobSpec, caches: tuple[CacheSpec, ...], nodes: float
) -> list[tuple[CacheSpec, float]]:
    """The share of the data set that each cache holds on so many nodes."""
    if not isfinite(spec.dataset_bytes):
        return []
    left = spec.dataset_bytes
    shares = []
    for cache in caches:
        held = min(cache.bytes_per_node * nodes, left)
        left -= held
        if held > 0.0:
            shares.append((cache, held / spec.dataset_bytes))
    return shares if spec.shuffle or left <= 0.0 else []

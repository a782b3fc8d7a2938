"""How a model is spread over accelerators, as arrays, and every valid way to do so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dcsim.catalogue.records import ModelCard
from dcsim.records import InputError

#: Activation recomputation, in the order of the codes in `Layouts.recompute`.
RECOMPUTES: tuple[str, ...] = ("none", "selective", "full")

#: A context-parallel rank keeps at least so many tokens; below, its passes are overhead.
LEAST_TOKENS_PER_CONTEXT_RANK = 2048

#: Most pipeline chunks on one rank: beyond, each holds less work than its hand-over costs.
MOST_VIRTUAL_STAGES = 12


class PinnedLayout(Protocol):
    """What a scenario may pin; None leaves a part open (`scenario.resolved.FixedLayout`)."""

    @property
    def tp(self) -> int | None: ...  # noqa: D102
    @property
    def pp(self) -> int | None: ...  # noqa: D102
    @property
    def vp(self) -> int | None: ...  # noqa: D102
    @property
    def dp(self) -> int | None: ...  # noqa: D102
    @property
    def cp(self) -> int | None: ...  # noqa: D102
    @property
    def ep(self) -> int | None: ...  # noqa: D102
    @property
    def micro_batch(self) -> int | None: ...  # noqa: D102
    @property
    def recompute(self) -> str | None: ...  # noqa: D102
    @property
    def zero_stage(self) -> int | None: ...  # noqa: D102
    @property
    def sequence_parallel(self) -> bool | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Layouts:
    """One layout a row; every array has shape (n,).

    Degrees of tensor, pipeline, data, context and expert parallelism (`dp` counts
    replicas of the model and contains the expert-parallel groups), `vp` pipeline chunks
    on one rank, `micro_batch` sequences per replica and pipeline step, `recompute` an
    index into `RECOMPUTES`, `zero_stage` 0–3 (FSDP is 3).
    """

    tp: NDArray[np.int64]
    pp: NDArray[np.int64]
    vp: NDArray[np.int64]
    dp: NDArray[np.int64]
    cp: NDArray[np.int64]
    ep: NDArray[np.int64]
    micro_batch: NDArray[np.int64]
    recompute: NDArray[np.int64]
    zero_stage: NDArray[np.int64]
    sequence_parallel: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.tp)

    def take(self, rows: NDArray) -> "Layouts":
        """The layouts at `rows` (indices or a mask of shape (n,))."""
        return Layouts(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def chunks(self, size: int) -> Iterator["Layouts"]:
        """The same layouts in consecutive pieces of at most `size` rows."""
        for start in range(0, len(self), size):
            yield self.take(np.arange(start, min(start + size, len(self))))

    @classmethod
    def concatenate(cls, parts: Sequence["Layouts"]) -> "Layouts":
        """All rows of `parts`, in order."""
        return cls(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        )


def enumerate_layouts(
    model: ModelCard,
    accelerators: int,
    fast_domain: int,
    global_batch: int,
    fixed: PinnedLayout | None = None,
    micro_batches: Sequence[int] = (1, 2, 4, 8),
    recomputes: Sequence[str] = RECOMPUTES,
    seq_len: int | None = None,
    zero_stages: Sequence[int] = (1, 3),
) -> Layouts:
    """Every valid layout of `model` on exactly `accelerators` accelerators.

    Rules: tp·pp·dp·cp = accelerators; tp divides the attention heads and fits the fast
    domain of `fast_domain` accelerators (a pinned tp may exceed it); key-value heads and
    tp divide one another; pp·vp divides the layers, or the layers plus two where
    embedding and head count as layers; vp > 1 needs pp > 1 and micro-batches in multiples
    of pp; dp·micro_batch divides `global_batch`; ep divides the experts and dp·cp; cp
    leaves each rank at least 2,048 tokens; ZeRO stages 2 and 3 have one pipeline stage;
    sequence parallelism is on exactly where tp > 1, unless pinned. A pinned part
    (`fixed`) takes the place of its choices. Rows are in a fixed order.

    Raises InputError when `accelerators` or `global_batch` is below one, or a name of
    recomputation is unknown.
    """
    _check(accelerators, global_batch, recomputes)
    tokens = seq_len or model.seq_len
    grids = _degrees(model, accelerators, fast_domain, tokens, fixed)
    grids = grids | {
        "micro_batch": _choice(fixed, "micro_batch", micro_batches),
        "recompute": _recompute_codes(fixed, recomputes),
        "zero_stage": _choice(fixed, "zero_stage", zero_stages),
    }
    columns = _product(grids, accelerators)
    columns = _keep(columns, _divides_cluster(columns, accelerators, fixed))
    columns = _keep(columns, _valid(columns, model, global_batch))
    pinned = getattr(fixed, "sequence_parallel", None)
    spread = columns["tp"] > 1
    parallel = spread if pinned is None else spread & bool(pinned)
    return Layouts(sequence_parallel=parallel, **columns)


def _check(accelerators: int, global_batch: int, recomputes: Sequence[str]) -> None:
    if accelerators < 1 or global_batch < 1:
        raise InputError("accelerators and global batch must both be at least 1")
    for name in recomputes:
        if name not in RECOMPUTES:
            raise InputError(f"recompute must be one of {', '.join(RECOMPUTES)}, not {name!r}")


def divisors(number: int) -> tuple[int, ...]:
    """All divisors of `number` >= 1, in rising order."""
    return tuple(d for d in range(1, number + 1) if number % d == 0)


def _choice(fixed: PinnedLayout | None, name: str, free: Sequence[int]) -> NDArray[np.int64]:
    pinned = getattr(fixed, name, None)
    return np.asarray([pinned] if pinned is not None else list(free), dtype=np.int64)


def _recompute_codes(fixed: PinnedLayout | None, free: Sequence[str]) -> NDArray[np.int64]:
    pinned = getattr(fixed, "recompute", None)
    names = [pinned] if pinned is not None else list(free)
    return np.asarray([RECOMPUTES.index(name) for name in names], dtype=np.int64)


def _degrees(
    model: ModelCard,
    accelerators: int,
    fast_domain: int,
    tokens: int,
    fixed: PinnedLayout | None,
) -> dict[str, NDArray]:
    """The values that each degree of parallelism may take by itself."""
    of_cluster = divisors(accelerators)
    stages = [p for p in of_cluster if p <= model.layers]
    chunks = [v for v in range(1, MOST_VIRTUAL_STAGES + 1) if v <= model.layers]
    contexts = [
        c
        for c in of_cluster
        if c == 1 or (tokens % (2 * c) == 0 and tokens // c >= LEAST_TOKENS_PER_CONTEXT_RANK)
    ]
    experts = [e for e in divisors(model.experts) if e <= accelerators] if model.experts else [1]
    return {
        "tp": _choice(fixed, "tp", [t for t in of_cluster if t <= max(fast_domain, 1)]),
        "pp": _choice(fixed, "pp", stages),
        "vp": _choice(fixed, "vp", chunks),
        "cp": _choice(fixed, "cp", contexts),
        "ep": _choice(fixed, "ep", experts),
    }


def _product(grids: dict[str, NDArray], accelerators: int) -> dict[str, NDArray]:
    """Columns of the Cartesian product, dp being what is left of the cluster."""
    mesh = np.meshgrid(*grids.values(), indexing="ij")
    columns = {name: m.ravel() for name, m in zip(grids, mesh, strict=True)}
    columns["dp"] = accelerators // (columns["tp"] * columns["pp"] * columns["cp"])
    return columns


def _keep(columns: dict[str, NDArray], mask: NDArray[np.bool_]) -> dict[str, NDArray]:
    return {name: column[mask] for name, column in columns.items()}


def _divides_cluster(
    c: dict[str, NDArray], accelerators: int, fixed: PinnedLayout | None
) -> NDArray[np.bool_]:
    pinned = getattr(fixed, "dp", None)
    whole = c["tp"] * c["pp"] * c["cp"] * c["dp"] == accelerators
    return whole if pinned is None else whole & (c["dp"] == pinned)


def _valid(c: dict[str, NDArray], model: ModelCard, global_batch: int) -> NDArray[np.bool_]:
    tp, pp, vp, dp = c["tp"], c["pp"], c["vp"], c["dp"]
    samples = dp * c["micro_batch"]
    micro_batches = global_batch // np.maximum(samples, 1)
    even = (model.layers % (pp * vp) == 0) | ((model.layers + 2) % (pp * vp) == 0)
    kv = max(model.kv_heads, 1)
    return (
        (model.heads % tp == 0)
        & ((kv % tp == 0) | (tp % kv == 0))
        & even
        & ((vp == 1) | ((pp > 1) & (micro_batches % pp == 0)))
        & (global_batch % samples == 0)
        & ((dp * c["cp"]) % c["ep"] == 0)
        & ((c["zero_stage"] < 2) | (pp == 1))
    )

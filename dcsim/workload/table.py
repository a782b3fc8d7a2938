"""What is trained where and how, as arrays: one row a configuration."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.catalogue.records import Accelerator, ModelCard
from dcsim.records import InputError, Tiers
from dcsim.workload.layouts import Layouts
from dcsim.workload.software import Software, software

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Kinds of attention, in the order of the codes in `TrainingTable.attention`.
ATTENTIONS: tuple[str, ...] = ("mha", "gqa", "mqa", "mla")

#: Pipeline schedules, in the order of the codes in `TrainingTable.schedule`: one forward, one
#: backward (interleaved where vp > 1), and the two zero-bubble schedules of Qi et al. 2023
#: (arXiv 2401.10241): with the memory of 1F1B, and with up to twice its activations.
SCHEDULES: tuple[str, ...] = ("1f1b", "zb-h1", "zb-h2")

#: Number formats of the matrix products, in the order of `TrainingTable.precision`.
PRECISIONS: tuple[str, ...] = ("fp32", "tf32", "fp16", "bf16", "fp8", "mxfp8", "nvfp4")

#: Bits of a matrix product's operands in each of `PRECISIONS`.
PRECISION_BITS: tuple[int, ...] = (32, 32, 16, 16, 8, 8, 4)

#: The data types of a data sheet that serve a precision, best first.
_SHEET_TYPES: dict[str, tuple[str, ...]] = {
    "fp32": ("fp32",),
    "tf32": ("tf32", "fp32"),
    "fp16": ("fp16", "bf16"),
    "bf16": ("bf16", "fp16"),
    "fp8": ("fp8", "bf16", "fp16"),
    "mxfp8": ("fp8", "bf16", "fp16"),
    "nvfp4": ("fp4", "fp8", "bf16", "fp16"),
}


@dataclass(frozen=True, slots=True)
class TrainingTable:
    """Configurations as a struct of arrays.

    Every array has shape (n,), or (1,) where all rows agree; arrays of the network have
    shape (tiers, n) or (tiers, 1). `accelerator` and `software` index the tuples of
    names; `attention`, `precision`, `schedule` and `layouts.recompute` index `ATTENTIONS`,
    `PRECISIONS`, `SCHEDULES` and `RECOMPUTES`. `peak_flops` is the dense data-sheet peak of
    the row's precision, `peak_16bit_flops` that of bf16 (or fp16), both in FLOP/s. `experts` 0 is a
    dense model. `offload` marks optimiser state kept in host memory, `pure` weights and
    optimiser state in 16 bit without a 32-bit copy.
    """

    count: int
    layers: Ints
    hidden: Ints
    ffn_hidden: Ints
    heads: Ints
    kv_heads: Ints
    head_dim: Ints
    vocab: Ints
    seq_len: Ints
    mlp_matrices: Ints
    tied: Bools
    attention: Ints
    window: Ints
    experts: Ints
    experts_per_token: Ints
    moe_ffn_hidden: Ints
    shared_experts: Ints
    dense_layers: Ints
    learned_positions: Ints
    accelerator: Ints
    accelerator_names: tuple[str, ...]
    peak_flops: Floats
    peak_16bit_flops: Floats
    memory_bytes: Floats
    memory_bytes_per_s: Floats
    accelerators: Ints
    tier_size: Floats
    tier_bytes_per_s: Floats
    tier_latency_s: Floats
    tier_reduces: Bools
    global_batch: Ints
    precision: Ints
    software: Ints
    software_names: tuple[str, ...]
    offload: Bools
    pure: Bools
    layouts: Layouts
    schedule: Ints = field(default_factory=lambda: np.zeros(1, dtype=np.int64))

    def __len__(self) -> int:
        return self.count

    @classmethod
    def from_layouts(
        cls,
        model: ModelCard,
        accelerator: Accelerator,
        tiers: Tiers,
        layouts: Layouts,
        global_batch: int,
        seq_len: int,
        precision: str,
        software_name: str = "",
        schedule: str = "1f1b",
    ) -> "TrainingTable":
        """The rows of `layouts` for one model on one kind of accelerator and network.

        `software_name` empty takes the default generation. Raises InputError for a
        precision, software, schedule or kind of attention that is not known, and for a chip whose
        data sheet has no peak for the precision.
        """
        generation: Software = software(software_name)
        return cls(
            count=len(layouts),
            **_model_columns(model, seq_len),
            **_accelerator_columns(accelerator, precision),
            accelerators=layouts.tp * layouts.pp * layouts.dp * layouts.cp,
            tier_size=np.asarray(tiers.size, dtype=float)[:, None],
            tier_bytes_per_s=np.asarray(tiers.bandwidth_bytes_per_s, dtype=float)[:, None],
            tier_latency_s=np.asarray(tiers.latency_s, dtype=float)[:, None],
            tier_reduces=np.asarray(tiers.reduces, dtype=bool)[:, None],
            global_batch=np.array([global_batch], dtype=np.int64),
            precision=np.array([precision_code(precision)]),
            software=np.zeros(1, dtype=np.int64),
            software_names=(generation.name,),
            offload=np.zeros(1, dtype=bool),
            pure=np.zeros(1, dtype=bool),
            layouts=layouts,
            schedule=np.array([schedule_code(schedule)]),
        )

    def take(self, rows: NDArray) -> "TrainingTable":
        """The configurations at `rows` (indices or a mask of shape (n,))."""
        picked = np.arange(self.count)[rows]
        changed: dict[str, object] = {"count": len(picked)}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Layouts):
                changed[f.name] = value.take(picked)
            elif isinstance(value, np.ndarray) and value.shape[-1] != 1:
                changed[f.name] = value[..., picked]
        return replace(self, **changed)  # type: ignore[arg-type]

    def compact(self) -> "TrainingTable":
        """The same rows with only those names that some row refers to."""
        chips, accelerator = np.unique(self.accelerator, return_inverse=True)
        tools, generation = np.unique(self.software, return_inverse=True)
        return replace(
            self,
            accelerator=accelerator,
            accelerator_names=tuple(self.accelerator_names[i] for i in chips),
            software=generation,
            software_names=tuple(self.software_names[i] for i in tools),
        )

    def chunks(self, size: int) -> Iterator["TrainingTable"]:
        """The same rows in consecutive tables of at most `size` rows."""
        for start in range(0, self.count, size):
            yield self.take(np.arange(start, min(start + size, self.count)))


def precision_code(name: str) -> int:
    """The index of `name` in `PRECISIONS`; InputError when it is none of them."""
    if name not in PRECISIONS:
        raise InputError(f"precision must be one of {', '.join(PRECISIONS)}, not {name!r}")
    return PRECISIONS.index(name)


def schedule_code(name: str) -> int:
    """The index of `name` in `SCHEDULES`; InputError when it is none of them."""
    if name not in SCHEDULES:
        raise InputError(f"schedule must be one of {', '.join(SCHEDULES)}, not {name!r}")
    return SCHEDULES.index(name)


def attention_code(name: str) -> int:
    """The index of `name` in `ATTENTIONS`; InputError when it is none of them."""
    if name not in ATTENTIONS:
        raise InputError(f"attention must be one of {', '.join(ATTENTIONS)}, not {name!r}")
    return ATTENTIONS.index(name)


def peak_of(accelerator: Accelerator, precision: str) -> float:
    """Dense data-sheet peak for `precision` in FLOP/s; wider types stand in for missing ones."""
    for name in _SHEET_TYPES[PRECISIONS[precision_code(precision)]]:
        peak = accelerator.peak_flops.get(name)
        if peak:
            return float(peak)
    raise InputError(f"the data sheet of {accelerator.name} has no peak for {precision}")


def _model_columns(model: ModelCard, seq_len: int) -> dict[str, Any]:
    attention = model.attention or "mha"
    if attention not in ATTENTIONS:
        attention = "mha" if model.kv_heads in (0, model.heads) else "gqa"
    integers = {
        "layers": model.layers,
        "hidden": model.hidden,
        "ffn_hidden": model.ffn_hidden,
        "heads": model.heads,
        "kv_heads": model.kv_heads or model.heads,
        "head_dim": model.head_dim or model.hidden // model.heads,
        "vocab": model.vocab,
        "seq_len": seq_len,
        "mlp_matrices": model.mlp_matrices,
        "attention": attention_code(attention),
        "window": model.window,
        "experts": model.experts,
        "experts_per_token": model.experts_per_token,
        "moe_ffn_hidden": model.moe_ffn_hidden,
        "shared_experts": model.shared_experts,
        "dense_layers": model.dense_layers,
        "learned_positions": model.learned_positions,
    }
    columns: dict[str, Any] = {n: np.array([v], dtype=np.int64) for n, v in integers.items()}
    return columns | {"tied": np.array([model.tied_embeddings], dtype=bool)}


def _accelerator_columns(accelerator: Accelerator, precision: str) -> dict[str, Any]:
    return {
        "accelerator": np.zeros(1, dtype=np.int64),
        "accelerator_names": (accelerator.name,),
        "peak_flops": np.array([peak_of(accelerator, precision)]),
        "peak_16bit_flops": np.array([peak_of(accelerator, "bf16")]),
        "memory_bytes": np.array([accelerator.memory_bytes], dtype=float),
        "memory_bytes_per_s": np.array([accelerator.memory_bytes_per_s], dtype=float),
    }

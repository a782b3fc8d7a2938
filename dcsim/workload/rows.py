"""Rows of published or own training runs, read into a table of configurations.

A field that is empty is unknown: the row becomes several configurations, one for each
plausible value, and the caller combines their predictions. Columns with measured values
are not read.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.catalogue import accelerator as find_accelerator
from dcsim.catalogue import could_also_be
from dcsim.catalogue.records import Accelerator
from dcsim.records import InputError
from dcsim.workload.layouts import RECOMPUTES, Layouts, divisors
from dcsim.workload.row_fields import (
    TRUE,
    Row,
    number_of,
    positive_of,
    precision_of,
    recompute_code,
    text_of,
    whole_of,
    zero_stage,
)
from dcsim.workload.software import DEFAULT_SOFTWARE, software, software_of_source
from dcsim.workload.table import (
    TrainingTable,
    attention_code,
    peak_of,
    precision_code,
    schedule_code,
)

#: Most configurations that one row may stand for.
MOST_VARIANTS = 96

#: Width of the vocabulary where a row does not give it: GPT-2's for plain MLPs, that of
#: Llama 1 and 2 or of Llama 3 for gated ones.
_VOCABULARIES = {2: (50304,), 3: (32000, 128256)}

#: Software latency inside the fast domain and across the network, in seconds.
INNER_LATENCY_S = 2e-6
OUTER_LATENCY_S = 6e-6

#: Network rate for each accelerator where a row spans nodes and does not give one.
DEFAULT_NETWORK_BYTES_PER_S = 25e9


#: Accelerators, bytes/s and seconds of a tier, and whether its switches reduce.
Tier = tuple[float, float, float, bool]

_SHAPE = ("layers", "hidden", "heads", "seq_len")
_DEGREES = ("tp", "pp", "vp", "cp", "ep")
_COLUMNS = (
    "layers", "hidden", "ffn_hidden", "heads", "kv_heads", "head_dim", "vocab", "seq_len",
    "mlp_matrices", "tied", "attention", "window", "experts", "experts_per_token",
    "moe_ffn_hidden", "shared_experts", "dense_layers", "learned_positions", "accelerator",
    "peak_flops",
    "peak_16bit_flops", "memory_bytes", "memory_bytes_per_s", "accelerators", "global_batch",
    "precision", "software", "offload", "pure", "schedule",
)  # fmt: skip
_FLOATS = {"peak_flops", "peak_16bit_flops", "memory_bytes", "memory_bytes_per_s"}
_FLAGS = {"tied", "offload", "pure"}
_LAYOUT = (
    "tp", "pp", "vp", "dp", "cp", "ep", "micro_batch", "recompute", "zero_stage",
    "sequence_parallel",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """What a file of runs says.

    `table` holds the configurations, `owner` (shape (n,)) the input row of each, counted
    from 0. `row_ids`, `software`, `assumptions` and `reasons` have one entry for each
    input row; a reason that is not empty says why the row has no configuration.
    """

    table: TrainingTable | None
    owner: NDArray[np.int64]
    row_ids: tuple[str, ...]
    software: tuple[str, ...]
    assumptions: tuple[tuple[str, ...], ...]
    reasons: tuple[str, ...]


def read_rows(rows: Sequence[Row]) -> TrainingRows:
    """Read `rows` (dictionaries of text or numbers, columns as in `training_runs.csv`).

    Required are layers, hidden, heads, seq_len and an accelerator that the catalogue
    knows; a row without them gets a reason instead of configurations.
    """
    names = _Names()
    configurations: list[dict[str, Any]] = []
    owner: list[int] = []
    ids, tools, notes, reasons = [], [], [], []
    for number, row in enumerate(rows):
        reader = _RowReader(row, names)
        ids.append(text_of(row, "row_id") or str(number + 1))
        try:
            variants = reader.variants()
            reasons.append("")
        except InputError as error:
            variants = []
            reasons.append(error.faults[0].message)
        configurations += variants
        owner += [number] * len(variants)
        tools.append(reader.software)
        notes.append(tuple(reader.assumptions))
    table = _table(configurations, names) if configurations else None
    return TrainingRows(
        table, np.asarray(owner, dtype=np.int64), tuple(ids), tuple(tools), tuple(notes),
        tuple(reasons),
    )  # fmt: skip


class _Names:
    """Accelerator and software names in the order in which rows bring them up."""

    def __init__(self) -> None:
        self.accelerators: dict[str, int] = {}
        self.software: dict[str, int] = {}

    def accelerator(self, name: str) -> int:
        return self.accelerators.setdefault(name, len(self.accelerators))

    def generation(self, name: str) -> int:
        return self.software.setdefault(name, len(self.software))


def network_tiers(row: Row, chip: Accelerator, count: int) -> tuple[Tier, ...]:
    """(size, bytes/s, latency, reduces) of a row's fast domain and of its network."""
    return _RowReader(row, _Names()).tiers(chip, count)


class _RowReader:
    """One row, turned into its plausible configurations."""

    def __init__(self, row: Row, names: _Names) -> None:
        self._row = row
        self._names = names
        self.assumptions: list[str] = []
        self.software = DEFAULT_SOFTWARE

    def variants(self) -> list[dict[str, Any]]:
        """Configurations of the row; InputError when none can be made."""
        shape = self._shape()
        self.software = self._software()
        precision, pure = precision_of(text_of(self._row, "precision"))
        if not text_of(self._row, "precision"):
            self._assume("precision", "bf16")
        chips = self._accelerators()
        stage, offload = self._zero()
        fixed = shape | {
            "precision": precision_code(precision),
            "pure": pure,
            "offload": offload,
            "schedule": schedule_code(text_of(self._row, "schedule").lower() or "1f1b"),
            "software": self._names.generation(self.software),
        }
        out: list[dict[str, Any]] = []
        for vocab in self._vocabularies(shape["mlp_matrices"]):
            base = fixed | {"vocab": vocab, "tied": self._tied(shape, vocab)}
            for layout in self._layouts(shape, stage):
                for chip in chips:
                    out.append(base | layout | self._machine(chip, precision, layout))
        if not out:
            raise InputError("no layout of this model and batch fits the accelerators given")
        return out[:: -(-len(out) // MOST_VARIANTS)]

    def _assume(self, field: str, values: object) -> None:
        self.assumptions.append(f"{field}={values}")

    def _shape(self) -> dict[str, Any]:
        given = {name: positive_of(self._row, name) for name in _SHAPE}
        missing = [name for name, value in given.items() if value is None]
        if missing:
            raise InputError(f"{', '.join(missing)} must be given to predict a row")
        hidden, heads = given["hidden"] or 1, given["heads"] or 1
        kv = positive_of(self._row, "kv_heads") or heads
        ffn = whole_of(self._row, "ffn_hidden")
        experts = whole_of(self._row, "moe_experts") or 0
        if ffn is None:
            ffn = 4 * hidden
            self._assume("ffn_hidden", ffn)
        matrices = positive_of(self._row, "mlp_matrices")
        if matrices is None:
            matrices = 2 if ffn == 4 * hidden and kv == heads else 3
            self._assume("mlp_matrices", matrices)
        attention = text_of(self._row, "attention") or ("mha" if kv == heads else "gqa")
        return {
            **given,
            "ffn_hidden": ffn,
            "kv_heads": kv,
            "head_dim": positive_of(self._row, "head_dim") or max(hidden // heads, 1),
            "mlp_matrices": matrices,
            "attention": attention_code(attention.lower()),
            "window": whole_of(self._row, "window") or 0,
            "experts": experts,
            "experts_per_token": (positive_of(self._row, "moe_topk") or 1) if experts else 0,
            "moe_ffn_hidden": (whole_of(self._row, "moe_ffn") or ffn) if experts else 0,
            "shared_experts": whole_of(self._row, "n_shared_experts") or 0,
            "learned_positions": 0,
            "dense_layers": self._dense_layers(given["layers"] or 1, experts, attention),
        }

    def _dense_layers(self, layers: int, experts: int, attention: str) -> int:
        """Leading layers without experts: three in models with latent attention
        (DeepSeek-V3, arXiv 2412.19437, section 4.2), none elsewhere.
        """
        given = whole_of(self._row, "dense_layers")
        if given is not None:
            return min(given, layers)
        return min(3, layers - 1) if experts and attention == "mla" else 0

    def _tied(self, shape: Mapping[str, Any], vocab: int) -> bool:
        """Whether the head shares the embedding's weights.

        The published size decides, with and without learned positions; failing that,
        plain MLPs mark the GPT line, which ties them, gated ones the Llama line, which
        does not.
        """
        text = text_of(self._row, "tied_embeddings")
        if text:
            return text.lower() in TRUE
        published = number_of(self._row, "params_b")
        if not published or shape["experts"] or shape["attention"] == attention_code("mla"):
            return shape["mlp_matrices"] == 2
        h, layers = shape["hidden"], shape["layers"]
        heads, kv, d = shape["heads"], shape["kv_heads"], shape["head_dim"]
        layer = h * d * (2 * heads + 2 * kv) + shape["mlp_matrices"] * h * shape["ffn_hidden"]
        positions = (0, shape["seq_len"] * h)
        misses = {
            matrices == 1: min(
                abs(layers * layer + matrices * vocab * h + extra - published * 1e9)
                for extra in positions
            )
            for matrices in (1, 2)
        }
        return misses[True] <= misses[False]

    def _vocabularies(self, matrices: int) -> Sequence[int]:
        vocab = positive_of(self._row, "vocab")
        if vocab is not None:
            return (vocab,)
        choices = _VOCABULARIES.get(matrices, _VOCABULARIES[3])
        self._assume("vocab", "|".join(map(str, choices)))
        return choices

    def _software(self) -> str:
        name = text_of(self._row, "software")
        if name:
            try:
                return software(name).name
            except InputError:
                self._assume("software", f"{DEFAULT_SOFTWARE} ({name} is not known)")
                return DEFAULT_SOFTWARE
        derived = software_of_source(text_of(self._row, "source"))
        if not derived:
            self._assume("software", DEFAULT_SOFTWARE)
        return derived or DEFAULT_SOFTWARE

    def _accelerators(self) -> tuple[Accelerator, ...]:
        name = text_of(self._row, "accelerator")
        if not name:
            raise InputError("accelerator must be given to predict a row")
        chip, others = find_accelerator(name), could_also_be(name)
        if others:
            self._assume("accelerator", f"{chip.name} or {others[0].name}")
        return (chip, *others)

    def _zero(self) -> tuple[tuple[int, ...], bool]:
        text = text_of(self._row, "zero_stage_or_fsdp").lower()
        offload = "offload" in text
        if not text:
            self._assume("zero_stage", "1 or 3")
            return (1, 3), offload
        return (zero_stage(text),), offload

    def _layouts(self, shape: Mapping[str, Any], stages: Iterable[int]) -> list[dict[str, Any]]:
        gpus = self._gpus()
        out = []
        for count, degrees in product(gpus, self._degrees(shape, max(gpus))):
            dp = count // (degrees["tp"] * degrees["pp"] * degrees["cp"])
            if dp < 1:
                continue
            for batch, stage in product(self._batches(shape, dp), stages):
                for micro in self._micro_batches(batch, dp):
                    for recompute in self._recompute():
                        for parallel in self._sequence_parallel(degrees["tp"]):
                            out.append(
                                degrees
                                | {
                                    "dp": dp, "accelerators": count, "global_batch": batch,
                                    "zero_stage": stage, "micro_batch": micro,
                                    "recompute": recompute, "sequence_parallel": parallel,
                                }
                            )  # fmt: skip
        return out

    def _gpus(self) -> Sequence[int]:
        count = positive_of(self._row, "n_gpus")
        if count is not None:
            return (count,)
        degrees = [positive_of(self._row, name) for name in ("tp", "pp", "dp", "cp")]
        if all(degree is not None for degree in degrees):
            return (int(np.prod([degree or 1 for degree in degrees])),)
        self._once("n_gpus", "256..1024")
        return (256, 1024)

    def _once(self, field: str, values: object) -> None:
        if not any(note.startswith(f"{field}=") for note in self.assumptions):
            self._assume(field, values)

    def _degrees(self, shape: Mapping[str, Any], gpus: int) -> list[dict[str, int]]:
        heads, layers = shape["heads"], shape["layers"]
        free = {
            "tp": [d for d in (1, 2, 4, 8) if heads % d == 0 and d <= gpus],
            "pp": [d for d in (1, 2, 4, 8) if d <= layers and d <= gpus],
            "vp": [1],
            "cp": [1],
            "ep": [1],
        }
        choices = {}
        for name in _DEGREES:
            given = positive_of(self._row, name)
            if given is None:
                given_pp = positive_of(self._row, "pp")
                if name == "vp" and given_pp and given_pp > 1:
                    free["vp"] = [v for v in divisors(max(layers // given_pp, 1)) if v <= 4]
                values = free[name]
                if len(values) > 1 or name in ("cp", "ep"):
                    self._once(name, "|".join(map(str, values)))
            else:
                values = [given]
            choices[name] = values
        known_dp = positive_of(self._row, "dp")
        out = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
        if known_dp is not None and len(out) > 1 and positive_of(self._row, "n_gpus"):
            whole = [d for d in out if d["tp"] * d["pp"] * d["cp"] * known_dp == gpus]
            out = whole or out
        return [d for d in out if d["pp"] > 1 or d["vp"] == 1]

    def _batches(self, shape: Mapping[str, Any], dp: int) -> Sequence[int]:
        batch = positive_of(self._row, "global_batch")
        if batch is not None:
            return (batch,)
        # About four million tokens, as large runs of the time used.
        self._once("global_batch", "4M tokens")
        return (max(dp, round(2**22 / shape["seq_len"] / dp) * dp),)

    def _micro_batches(self, batch: int, dp: int) -> Sequence[int]:
        micro = positive_of(self._row, "micro_batch")
        if micro is not None:
            return (micro,)
        each = max(batch // dp, 1)
        values = [b for b in (1, 2, 4, 8, 16) if each % b == 0]
        if len(values) > 1:
            self._once("micro_batch", "|".join(map(str, values)))
        return values

    def _recompute(self) -> Sequence[int]:
        text = text_of(self._row, "recompute").lower()
        if text:
            return (recompute_code(text),)
        self._once("recompute", "|".join(RECOMPUTES))
        return (0, 1, 2)

    def _sequence_parallel(self, tp: int) -> Sequence[bool]:
        text = text_of(self._row, "sequence_parallel").lower()
        if text:
            return (text in TRUE and tp > 1,)
        if tp == 1:
            return (False,)
        self._once("sequence_parallel", "no|yes")
        return (False, True)

    def _machine(
        self, chip: Accelerator, precision: str, layout: Mapping[str, Any]
    ) -> dict[str, Any]:
        wide = "bf16" if chip.peak_flops.get("bf16") or chip.peak_flops.get("fp16") else "fp32"
        return {
            "accelerator": self._names.accelerator(chip.name),
            "peak_flops": peak_of(chip, precision),
            "peak_16bit_flops": peak_of(chip, wide),
            "memory_bytes": chip.memory_bytes,
            "memory_bytes_per_s": chip.memory_bytes_per_s,
            "tiers": self.tiers(chip, layout["accelerators"]),
        }

    def tiers(self, chip: Accelerator, gpus: int) -> tuple[Tier, ...]:
        """(size, bytes/s, latency, reduces) of the fast domain and of the network."""
        text = text_of(self._row, "intra_link")
        rate = re.search(r"([\d.]+)\s*GB/s", text)
        inner = float(rate[1]) * 1e9 if rate else chip.link_bytes_per_s
        domain = re.search(r"(\d+)-GPU domain", text)
        node = positive_of(self._row, "gpus_per_node") or 8
        size = int(domain[1]) if domain else node
        if "whole slice" in text:
            size = gpus
        gbps = number_of(self._row, "inter_link_Gbps_per_gpu")
        outer = gbps * 1e9 / 8.0 if gbps else DEFAULT_NETWORK_BYTES_PER_S
        if not gbps and gpus > size:
            self._once("inter_link", "200 Gb/s")
        reduces = inner >= 400e9
        return (
            (float(min(size, gpus)), inner, INNER_LATENCY_S, reduces),
            (float(gpus), outer, OUTER_LATENCY_S, False),
        )


def _table(configurations: list[dict[str, Any]], names: _Names) -> TrainingTable:
    columns: dict[str, Any] = {}
    for name in _COLUMNS:
        kind = float if name in _FLOATS else bool if name in _FLAGS else np.int64
        columns[name] = np.array([c[name] for c in configurations], dtype=kind)
    layout: dict[str, Any] = {
        name: np.array([c[name] for c in configurations], dtype=np.int64) for name in _LAYOUT
    }
    layout["sequence_parallel"] = layout["sequence_parallel"].astype(bool)
    tiers = np.array([c["tiers"] for c in configurations], dtype=float)
    size, rate, latency, reduces = (tiers[:, :, field].T for field in range(4))
    return TrainingTable(
        count=len(configurations),
        accelerator_names=tuple(names.accelerators),
        software_names=tuple(names.software),
        tier_size=size,
        tier_bytes_per_s=rate,
        tier_latency_s=latency,
        tier_reduces=reduces.astype(bool),
        layouts=Layouts(**layout),
        **columns,
    )

"""Generations of training software: physical facts about each, and which one a source used."""

import csv
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files

from dcsim.records import InputError

#: Kinds of attention kernel, in the order of the codes that the cost model uses.
#: `unfused` writes the score matrix to memory; `vendor` is the chip maker's own library.
ATTENTION_KERNELS: tuple[str, ...] = (
    "unfused",
    "flash1",
    "triton",
    "flash2",
    "vendor",
    "splash",
)

#: Ways to compute the loss: kernel by kernel in 32 bit over a split vocabulary (`eager`),
#: with the framework's cross-entropy on 32-bit logits (`torch`), or in one kernel (`fused`).
LOSSES: tuple[str, ...] = ("eager", "torch", "fused")

DEFAULT_SOFTWARE = "default"


@dataclass(frozen=True, slots=True)
class Software:
    """One generation of a training framework.

    `family` groups generations that share code; `year` is its release (2025.75 is
    September 2025). `overlap_dp` says whether gradient reduction runs behind the
    backward pass, `interleaves_embedding` whether embedding and head count as layers in
    uneven pipelines, `gradient_bytes` the width of reduced and `held_gradient_bytes` that
    of stored gradients, `accumulate_bytes` what adding a weight's gradient to the sum over
    micro-batches moves beyond writing it, `state_bytes` what the optimiser keeps for a
    weight, `dropout` whether layers store dropout masks, `loss` one of `LOSSES`,
    `logit_bytes` what a logit takes with its gradient and copies, `bucket_bytes` the
    buffers through which gradients and weights travel.
    """

    name: str
    family: str
    year: float
    attention: str
    overlap_dp: bool
    interleaves_embedding: bool
    gradient_bytes: int
    held_gradient_bytes: int
    accumulate_bytes: float
    state_bytes: int
    loss: str
    dropout: bool
    logit_bytes: float
    bucket_bytes: float
    reference: str


def _rows(name: str) -> list[dict[str, str]]:
    text = files("dcsim.workload").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@lru_cache(maxsize=1)
def generations() -> dict[str, Software]:
    """All known generations by name."""
    return {
        row["name"]: Software(
            name=row["name"],
            family=row["family"],
            year=float(row["year"]),
            attention=row["attention"],
            overlap_dp=row["overlap_dp"] == "yes",
            interleaves_embedding=row["interleaves_embedding"] == "yes",
            gradient_bytes=int(row["gradient_bytes"]),
            held_gradient_bytes=int(row["held_gradient_bytes"]),
            accumulate_bytes=float(row["accumulate_bytes"]),
            state_bytes=int(row["state_bytes"]),
            loss=row["loss"],
            dropout=row["dropout"] == "yes",
            logit_bytes=float(row["logit_bytes"]),
            bucket_bytes=float(row["bucket_gb"]) * 1e9,
            reference=row["reference"],
        )
        for row in _rows("software.csv")
    }


def software(name: str) -> Software:
    """The generation `name`; a family's name means its newest, '' the default.

    Raises InputError, with the nearest name, when there is none.
    """
    known = generations()
    if not name:
        return known[DEFAULT_SOFTWARE]
    if name in known:
        return known[name]
    relatives = [g for g in known.values() if g.family == name]
    if relatives:
        return max(relatives, key=lambda g: g.year)
    near = get_close_matches(name, [*known, *{g.family for g in known.values()}], n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known))}"
    raise InputError(f"there is no training software {name!r}{hint}")


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, str], ...]:
    return tuple((row["pattern"], row["software"]) for row in _rows("software_sources.csv"))


def software_of_source(source: str) -> str:
    """The generation that a published `source` used, '' when the table has none."""
    for pattern, name in _patterns():
        if fnmatchcase(source.lower(), f"*{pattern.lower().replace('[', '[[]')}*"):
            return name
    return ""

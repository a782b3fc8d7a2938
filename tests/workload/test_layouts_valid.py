"""Layouts: every valid one, once, against brute force."""

from dataclasses import dataclass
from itertools import product

import pytest

from dcsim import catalogue
from dcsim.records import InputError
from dcsim.workload.layouts import RECOMPUTES, divisors, enumerate_layouts


@dataclass(frozen=True)
class Pinned:
    tp: int | None = None
    pp: int | None = None
    vp: int | None = None
    dp: int | None = None
    cp: int | None = None
    ep: int | None = None
    micro_batch: int | None = None
    recompute: str | None = None
    zero_stage: int | None = None
    sequence_parallel: bool | None = None


def brute_force(name: str, count: int, domain: int, batch: int) -> set[tuple[int, ...]]:
    model = catalogue.model(name)
    found = set()
    for tp, pp, cp, vp, micro, zero in product(
        range(1, domain + 1), divisors(count), divisors(count), range(1, 13), (1, 2), (1, 3)
    ):
        if count % (tp * pp * cp) or pp > model.layers or model.heads % tp:
            continue
        dp, kv = count // (tp * pp * cp), model.kv_heads
        if (kv % tp and tp % kv) or batch % (dp * micro):
            continue
        if cp > 1 and (model.seq_len % (2 * cp) or model.seq_len // cp < 2048):
            continue
        if model.layers % (pp * vp) and (model.layers + 2) % (pp * vp):
            continue
        if vp > 1 and (pp == 1 or (batch // (dp * micro)) % pp):
            continue
        if zero == 3 and pp > 1:
            continue
        found.add((tp, pp, vp, dp, cp, micro, zero))
    return found


@pytest.mark.parametrize(
    ("name", "count", "batch"), [("llama3-8b", 16, 32), ("llama3-405b", 128, 64)]
)
def test_the_enumeration_is_complete_and_has_no_duplicates(
    name: str, count: int, batch: int
) -> None:
    layouts = enumerate_layouts(
        catalogue.model(name), count, 8, batch, micro_batches=(1, 2), recomputes=("full",)
    )
    rows = list(
        zip(layouts.tp, layouts.pp, layouts.vp, layouts.dp, layouts.cp, layouts.micro_batch,
            layouts.zero_stage, strict=True)
    )  # fmt: skip
    assert len(rows) == len(set(rows))
    assert {tuple(int(v) for v in row) for row in rows} == brute_force(name, count, 8, batch)


def test_pinned_parts_take_the_place_of_choices() -> None:
    fixed = Pinned(tp=16, pp=4, micro_batch=3, recompute="selective", sequence_parallel=False)
    layouts = enumerate_layouts(catalogue.model("llama3-405b"), 256, 8, 192, fixed)
    assert len(layouts) > 0
    assert set(layouts.tp) == {16}
    assert set(layouts.pp) == {4}
    assert set(layouts.micro_batch) == {3}
    assert set(layouts.recompute) == {RECOMPUTES.index("selective")}
    assert not layouts.sequence_parallel.any()


def test_a_pinned_dp_that_does_not_fit_leaves_nothing() -> None:
    assert len(enumerate_layouts(catalogue.model("llama3-8b"), 16, 8, 32, Pinned(dp=5))) == 0


def test_chunks_join_to_the_whole() -> None:
    layouts = enumerate_layouts(catalogue.model("llama3-8b"), 64, 8, 64)
    joined = type(layouts).concatenate(list(layouts.chunks(100)))
    assert (joined.tp == layouts.tp).all()
    assert len(joined) == len(layouts)


def test_wrong_input_is_refused() -> None:
    model = catalogue.model("llama3-8b")
    with pytest.raises(InputError, match="at least 1"):
        enumerate_layouts(model, 0, 8, 32)
    with pytest.raises(InputError, match="recompute must be one of"):
        enumerate_layouts(model, 8, 8, 32, recomputes=("some",))

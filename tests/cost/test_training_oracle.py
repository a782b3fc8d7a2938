"""The vectorised model agrees with the scalar one, row by row, and chunk by chunk."""

import numpy as np
import pytest
from scalar_oracle import Row, predict

from dcsim import catalogue
from dcsim.cost.training import PARTS, estimate_with
from dcsim.records.profile import TrainingFit
from dcsim.workload.layouts import RECOMPUTES, Layouts
from dcsim.workload.table import PRECISIONS, TrainingTable, attention_code, peak_of

CHIPS = ("A100-SXM-80", "H100-SXM", "B200-SXM")
SOFTWARE = ("default", "megatron-2021", "megatron-bridge-25.11", "fsdp2", "megatron-deepspeed-2022")


def _random_rows(count: int, seed: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        tp, pp, cp = (int(rng.choice([1, 2, 4])) for _ in range(3))
        dp, micro = int(rng.choice([1, 2, 8, 16])), int(rng.choice([1, 2, 4]))
        heads, dim = int(rng.choice([16, 32, 64])), int(rng.choice([64, 100, 128]))
        moe = bool(rng.random() < 0.3)
        chip = catalogue.accelerator(str(rng.choice(CHIPS)))
        precision = str(rng.choice(["fp16", "bf16", "fp8", "mxfp8", "nvfp4"]))
        if chip.name == "A100-SXM-80":
            precision = "bf16"
        vp = int(rng.choice([1, 2])) if pp > 1 else 1
        count_of_chips = tp * pp * cp * dp
        rows.append(
            Row(
                layers=int(rng.choice([24, 30, 32, 61])),
                hidden=heads * 96,
                ffn=int(rng.choice([4, 3])) * heads * 96,
                heads=heads,
                kv=heads // int(rng.choice([1, 4])),
                head_dim=dim,
                vocab=int(rng.choice([32000, 128256])),
                seq=int(rng.choice([1024, 4096, 8192])),
                mats=int(rng.choice([2, 3])),
                tied=bool(rng.random() < 0.5),
                experts=16 if moe else 0,
                topk=2 if moe else 0,
                moe_ffn=1536 if moe else 0,
                shared=0,
                chip=chip.name,
                peak=peak_of(chip, precision),
                peak16=peak_of(chip, "bf16"),
                bandwidth=chip.memory_bytes_per_s,
                tiers=[
                    (min(8.0, count_of_chips), 450e9, 2e-6, bool(rng.random() < 0.5)),
                    (float(count_of_chips), float(rng.choice([6.25e9, 25e9])), 6e-6, False),
                ],
                batch=dp * micro * int(rng.choice([1, 4, 16])),
                precision=precision,
                software=str(rng.choice(SOFTWARE)),
                tp=tp,
                pp=pp,
                vp=vp,
                dp=dp,
                cp=cp,
                ep=int(rng.choice([1, 2, 4])) if moe else 1,
                micro=micro,
                recompute=str(rng.choice(RECOMPUTES)),
                zero=3 if pp == 1 and rng.random() < 0.4 else int(rng.choice([0, 1])),
                sp=bool(tp > 1 and rng.random() < 0.5),
            )
        )
    return rows


def _table(rows: list[Row]) -> TrainingTable:
    def ints(name: str) -> np.ndarray:
        return np.array([getattr(row, name) for row in rows], dtype=np.int64)

    chips = sorted({row.chip for row in rows})
    software = sorted({row.software for row in rows})
    layouts = Layouts(
        **{name: ints(name) for name in ("tp", "pp", "vp", "dp", "cp", "ep")},
        micro_batch=ints("micro"),
        recompute=np.array([RECOMPUTES.index(row.recompute) for row in rows]),
        zero_stage=ints("zero"),
        sequence_parallel=np.array([row.sp for row in rows]),
    )
    tiers = np.array([row.tiers for row in rows], dtype=float)
    zeros = np.zeros(len(rows), dtype=np.int64)
    return TrainingTable(
        count=len(rows),
        layers=ints("layers"),
        hidden=ints("hidden"),
        ffn_hidden=ints("ffn"),
        heads=ints("heads"),
        kv_heads=ints("kv"),
        head_dim=ints("head_dim"),
        vocab=ints("vocab"),
        seq_len=ints("seq"),
        mlp_matrices=ints("mats"),
        tied=np.array([row.tied for row in rows]),
        attention=np.full(len(rows), attention_code("gqa")),
        window=zeros,
        experts=ints("experts"),
        experts_per_token=ints("topk"),
        moe_ffn_hidden=ints("moe_ffn"),
        shared_experts=zeros,
        dense_layers=zeros,
        learned_positions=zeros,
        accelerator=np.array([chips.index(row.chip) for row in rows]),
        accelerator_names=tuple(chips),
        peak_flops=np.array([row.peak for row in rows]),
        peak_16bit_flops=np.array([row.peak16 for row in rows]),
        memory_bytes=np.full(len(rows), 80e9),
        memory_bytes_per_s=np.array([row.bandwidth for row in rows]),
        accelerators=np.array([row.tp * row.pp * row.dp * row.cp for row in rows]),
        tier_size=tiers[:, :, 0].T,
        tier_bytes_per_s=tiers[:, :, 1].T,
        tier_latency_s=tiers[:, :, 2].T,
        tier_reduces=tiers[:, :, 3].T.astype(bool),
        global_batch=ints("batch"),
        precision=np.array([PRECISIONS.index(row.precision) for row in rows]),
        software=np.array([software.index(row.software) for row in rows]),
        software_names=tuple(software),
        offload=np.zeros(len(rows), dtype=bool),
        pure=np.zeros(len(rows), dtype=bool),
        layouts=layouts,
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_part_agrees_with_the_scalar_oracle(seed: int) -> None:
    rows = _random_rows(80, seed)
    estimates = estimate_with(_table(rows), TrainingFit())
    for i, row in enumerate(rows):
        for name, expected in predict(row).items():
            assert getattr(estimates, name)[i] == pytest.approx(expected, rel=1e-9, abs=1e-15), (
                name,
                row,
            )


def test_parts_sum_to_the_iteration() -> None:
    estimates = estimate_with(_table(_random_rows(200, 4)), TrainingFit())
    total = sum(getattr(estimates, name) for name in PARTS)
    assert total == pytest.approx(estimates.iteration_s, rel=1e-12)
    assert all((getattr(estimates, name) >= 0.0).all() for name in PARTS)
    assert (estimates.low_s < estimates.iteration_s).all()
    assert (estimates.iteration_s < estimates.high_s).all()


@pytest.mark.parametrize("size", [1, 7, 64])
def test_chunks_give_the_same_bytes(size: int) -> None:
    table = _table(_random_rows(130, 5))
    whole = estimate_with(table, TrainingFit())
    pieces = [estimate_with(chunk, TrainingFit()) for chunk in table.chunks(size)]
    for name in ("iteration_s", "low_s", "memory_device_bytes", "mfu", "bottleneck", *PARTS):
        joined = np.concatenate([getattr(piece, name) for piece in pieces])
        assert joined.tobytes() == getattr(whole, name).tobytes()

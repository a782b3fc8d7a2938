"""Parameter and FLOP counts against published figures and closed forms."""

from dataclasses import replace

import numpy as np
import pytest

from dcsim import catalogue
from dcsim.catalogue.records import ModelCard
from dcsim.cost.flops import attention_span, parameters, step_flops
from dcsim.records import Source, Tiers
from dcsim.workload.layouts import Layouts, enumerate_layouts
from dcsim.workload.table import TrainingTable

ONE = Tiers(("one",), np.array([1]), np.array([1e11]), np.array([1e-6]), np.array([False]))


def one_row(model: ModelCard, recompute: int = 0) -> TrainingTable:
    layouts = enumerate_layouts(model, 1, 1, 8, micro_batches=(1,)).take(np.array([0]))
    layouts = replace(layouts, recompute=np.array([recompute]))
    chip = catalogue.accelerator("H100-SXM")
    return TrainingTable.from_layouts(model, chip, ONE, layouts, 8, model.seq_len, "bf16")


def transformers() -> list[str]:
    cards = [catalogue.model(name) for name in catalogue.names("models")]
    return [card.name for card in cards if card.kind == "transformer"]


@pytest.mark.parametrize("name", transformers())
def test_parameters_are_within_half_a_percent_of_the_published(name: str) -> None:
    card = catalogue.model(name)
    total = float(parameters(one_row(card)).total[0])
    assert total == pytest.approx(card.published_parameters, rel=0.005)


def deepseek_v3() -> ModelCard:
    source = Source(text="arXiv 2412.19437, section 4.2", date="2024-12", status="sourced")
    return ModelCard(
        name="deepseek-v3", kind="transformer", layers=61, hidden=7168, ffn_hidden=18432,
        heads=128, kv_heads=128, vocab=129280, seq_len=4096, source=source, head_dim=192,
        mlp_matrices=3, attention="mla", experts=256, experts_per_token=8,
        moe_ffn_hidden=2048, shared_experts=1, dense_layers=3,
    )  # fmt: skip


def test_latent_attention_and_experts_are_counted() -> None:
    weights = parameters(one_row(deepseek_v3()))
    assert float(weights.total[0]) == pytest.approx(671e9, rel=0.005)
    assert float(weights.active[0]) == pytest.approx(37.6e9, rel=0.02)


def test_model_flops_follow_six_times_the_weights() -> None:
    card = catalogue.model("gpt3-175b")
    table = one_row(card)
    flops = step_flops(table, parameters(table))
    tokens = 8 * card.seq_len
    # Narayanan et al. 2021, equation 2, without its recomputation (4/3) and full s².
    n, h, s, v = card.layers, card.hidden, card.seq_len, card.vocab
    published = 72.0 * tokens * n * h * h * (1 + s / (6 * h) + v / (12 * n * h))
    assert float(flops.full[0]) == pytest.approx(published, rel=0.002)
    assert float(flops.causal[0]) < float(flops.full[0])
    assert float(flops.hardware[0]) == float(flops.causal[0])


def test_full_recomputation_adds_a_forward_pass_of_the_layers() -> None:
    table = one_row(catalogue.model("gpt-22b"), recompute=2)
    flops = step_flops(table, parameters(table))
    head = 6.0 * 8 * 2048 * float(table.vocab[0] * table.hidden[0])
    layers = float(flops.causal[0]) - head
    assert float(flops.hardware[0] - flops.causal[0]) == pytest.approx(layers / 3.0, rel=1e-3)


def test_a_window_shortens_the_span() -> None:
    table = one_row(catalogue.model("llama3-8b"))
    s = float(table.seq_len[0])
    assert float(attention_span(table)[0]) == s / 2
    windowed = replace(table, window=np.array([1024]))
    by_hand = sum(min(i + 1, 1024) for i in range(int(s))) / s
    assert float(attention_span(windowed)[0]) == pytest.approx(by_hand, rel=1e-2)


def test_layouts_hold_one_row() -> None:
    assert isinstance(one_row(catalogue.model("llama3-8b")).layouts, Layouts)

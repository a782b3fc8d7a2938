"""config.json files become models whose size agrees with the published one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcsim import catalogue
from dcsim.cost.flops import parameters
from dcsim.records import InputError, Tiers
from dcsim.workload.layouts import Layouts
from dcsim.workload.model_files import model_from_config
from dcsim.workload.table import TrainingTable

LLAMA3 = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
    "vocab_size": 128256, "max_position_embeddings": 8192, "tie_word_embeddings": False,
}  # fmt: skip
MIXTRAL = {
    "model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336,
    "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
    "vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2,
    "max_position_embeddings": 32768, "sliding_window": None, "tie_word_embeddings": False,
}  # fmt: skip
GPT2 = {
    "model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024,
    "vocab_size": 50257,
}  # fmt: skip
NEOX = {
    "model_type": "gpt_neox", "hidden_size": 6144, "intermediate_size": 24576,
    "num_attention_heads": 64, "num_hidden_layers": 44, "vocab_size": 50432,
    "max_position_embeddings": 2048, "tie_word_embeddings": False,
}  # fmt: skip
GEMMA = {
    "model_type": "gemma", "hidden_size": 2048, "intermediate_size": 16384,
    "num_attention_heads": 8, "num_hidden_layers": 18, "num_key_value_heads": 1,
    "head_dim": 256, "vocab_size": 256000, "max_position_embeddings": 8192,
}  # fmt: skip
DEEPSEEK = {
    "model_type": "deepseek_v3", "hidden_size": 7168, "intermediate_size": 18432,
    "moe_intermediate_size": 2048, "num_attention_heads": 128, "num_hidden_layers": 61,
    "num_key_value_heads": 128, "vocab_size": 129280, "n_routed_experts": 256,
    "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3,
    "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
    "v_head_dim": 128, "max_position_embeddings": 163840, "tie_word_embeddings": False,
}  # fmt: skip
PUBLISHED = [
    (LLAMA3, 8.030e9), (MIXTRAL, 46.70e9), (GPT2, 124.44e6), (NEOX, 20.55e9), (GEMMA, 2.506e9),
    (DEEPSEEK, 671.0e9),
]  # fmt: skip


def _write(folder: Path, content: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(("config", "published"), PUBLISHED)
def test_sizes_agree_with_the_published(
    config: dict[str, Any], published: float, tmp_path: Path
) -> None:
    card = model_from_config(_write(tmp_path, config))
    one = np.array([1])
    layouts = Layouts(one, one, one, one, one, one, one, one, one, np.array([False]))
    tiers = Tiers(("one",), one, np.array([1e11]), np.array([1e-6]), np.array([False]))
    chip = catalogue.accelerator("H100-SXM")
    table = TrainingTable.from_layouts(card, chip, tiers, layouts, 1, 2048, "bf16")
    assert float(parameters(table).total[0]) == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "lacks num_hidden_layers"),
        ([], "JSON object"),
        (LLAMA3 | {"hidden_size": "big"}, "hidden_size must be a whole number"),
        (LLAMA3 | {"num_hidden_layers": -1}, "num_hidden_layers must be"),
        (LLAMA3 | {"vocab_size": 0}, "at least 1"),
        (DEEPSEEK | {"kv_lora_rank": 256}, "kv_lora_rank 256 is not known"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        model_from_config(_write(tmp_path, content))
    assert caught.value.faults[0].file.endswith("config.json")


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        model_from_config(tmp_path / "none.json")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        model_from_config(tmp_path / "config.json")

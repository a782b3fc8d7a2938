"""A model from its published `config.json` (Hugging Face), without that package."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dcsim.catalogue.records import ModelCard
from dcsim.records import Fault, InputError, Source

#: Families whose MLP has two matrices; all others that we know are gated and have three.
_PLAIN = {"gpt2", "gpt_neox", "gptj", "opt", "bloom", "falcon", "mpt", "starcoder2", "phi"}

#: Families that learn a table of positions.
_LEARNED_POSITIONS = {"gpt2", "opt"}

#: Families that share embedding and head unless their file says otherwise.
_TIED = {"gpt2", "opt", "bloom", "gemma", "gemma2", "mpt"}

#: Other names of a field, first come first served.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model"),
    "heads": ("num_attention_heads", "n_head", "n_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads"),
    "ffn_hidden": ("intermediate_size", "n_inner", "ffn_dim"),
    "vocab": ("vocab_size",),
    "seq_len": ("max_position_embeddings", "n_positions", "max_seq_len"),
    "experts": ("num_local_experts", "num_experts", "n_routed_experts"),
    "experts_per_token": ("num_experts_per_tok",),
    "moe_ffn_hidden": ("moe_intermediate_size",),
    "shared_experts": ("n_shared_experts",),
    "dense_layers": ("first_k_dense_replace",),
}

#: Ranks of latent attention that the cost model knows (DeepSeek-V2 and V3).
_LATENT = {"q_lora_rank": 1536, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "v_head_dim": 128}

_LARGEST = 10**9


def model_from_config(path: str | Path) -> ModelCard:
    """The card of the transformer that `path`, a `config.json`, describes.

    Llama, Mistral, Mixtral, Qwen, DeepSeek, Gemma, GPT-2, GPT-NeoX and files with the same
    fields. The name is the file's `_name_or_path`, else the folder's. InputError when the
    file cannot be read, is no such description, or lacks a field.
    """
    path = Path(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot read the model ({error.strerror or 'not a file'})"
        raise InputError(Fault(message, str(path))) from error
    except ValueError as error:
        raise InputError(Fault(f"the model is not JSON ({error})", str(path))) from error
    if not isinstance(document, dict):
        raise InputError(Fault("the model must be a JSON object, as in config.json", str(path)))
    text = document.get("text_config")
    config = document | text if isinstance(text, dict) else document
    try:
        return _card(config, str(config.get("_name_or_path") or path.parent.name or path.stem))
    except InputError as error:
        raise InputError(Fault(error.faults[0].message, str(path))) from None


def _number(config: Mapping[str, Any], field: str, default: int | None = None) -> int:
    for name in _NAMES.get(field, (field,)):
        value = config.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
            raise InputError(f"{name} must be a whole number of at least 0, not {value!r}")
        return value
    if default is None:
        raise InputError(f"the model lacks {' or '.join(_NAMES.get(field, (field,)))}")
    return default


def _card(config: Mapping[str, Any], name: str) -> ModelCard:
    family = str(config.get("model_type", "")).lower()
    layers, hidden = _number(config, "layers"), _number(config, "hidden")
    heads, vocab = _number(config, "heads"), _number(config, "vocab")
    if not (layers and hidden and heads and vocab):
        raise InputError("layers, hidden size, heads and vocabulary must all be at least 1")
    plain = family in _PLAIN
    latent = "kv_lora_rank" in config
    kv = heads if latent else _number(config, "kv_heads", heads) or heads
    seq = _number(config, "seq_len", 2048)
    ffn = _number(config, "ffn_hidden", 4 * hidden) or 4 * hidden
    experts = _number(config, "experts", 0)
    window = _number(config, "sliding_window", 0) if config.get("use_sliding_window", True) else 0
    tied = config.get("tie_word_embeddings", family in _TIED)
    return ModelCard(
        name=name,
        kind="transformer",
        layers=layers,
        hidden=hidden,
        ffn_hidden=ffn,
        heads=heads,
        kv_heads=kv,
        vocab=vocab,
        seq_len=seq,
        source=Source(text="the user's config.json", status="sourced"),
        head_dim=_head_dim(config, hidden, heads, latent),
        mlp_matrices=2 if plain else 3,
        tied_embeddings=bool(tied),
        attention="mla" if latent else _attention(heads, kv),
        experts=experts,
        experts_per_token=_number(config, "experts_per_token", 1) if experts else 0,
        moe_ffn_hidden=_number(config, "moe_ffn_hidden", ffn) if experts else 0,
        shared_experts=_number(config, "shared_experts", 0) if experts else 0,
        dense_layers=min(_number(config, "dense_layers", 0), layers) if experts else 0,
        window=window if window < seq else 0,
        learned_positions=seq if family in _LEARNED_POSITIONS else 0,
    )


def _attention(heads: int, kv: int) -> str:
    return "mha" if kv == heads else "mqa" if kv == 1 else "gqa"


def _head_dim(config: Mapping[str, Any], hidden: int, heads: int, latent: bool) -> int:
    if not latent:
        return _number(config, "head_dim", hidden // heads) or hidden // heads
    for field, known in _LATENT.items():
        if config.get(field) != known:
            raise InputError(
                f"latent attention with {field} {config.get(field)!r} is not known; "
                f"it is {known} in DeepSeek-V2 and V3"
            )
    return _number(config, "qk_nope_head_dim") + _number(config, "qk_rope_head_dim")

"""Rows that name a model instead of spelling out its shape."""

from pathlib import Path
from typing import Any

from dcsim import catalogue
from dcsim.catalogue.records import ModelCard
from dcsim.records import InputError
from dcsim.workload.keras_files import model_from_keras
from dcsim.workload.model_files import model_from_config
from dcsim.workload.row_fields import Row, text_of

_SHAPE = ("layers", "hidden", "heads")


def named_model(row: Row) -> ModelCard | None:
    """The model that `row` names where it gives no shape: of the catalogue or a file.

    A name that ends in `.json` is a `config.json` or what Keras writes with `to_json`; an
    InputError says what is wrong with it. None for rows with a shape and for other names.
    """
    name = text_of(row, "model")
    if not name or any(text_of(row, column) for column in _SHAPE):
        return None
    if name.endswith(".json"):
        return model_from_file(name)
    try:
        return catalogue.model(name)
    except InputError:
        return None


def model_from_file(path: str | Path) -> ModelCard:
    """The card of a Hugging Face `config.json` or of a Keras `to_json` file."""
    try:
        return model_from_keras(path)
    except InputError as error:
        if "to_json" not in error.faults[0].message:
            raise
    return model_from_config(path)


def with_shape(row: Row, card: ModelCard) -> dict[str, Any]:
    """`row` with the shape of the transformer `card` in its empty fields."""
    shape: dict[str, Any] = {
        "layers": card.layers,
        "hidden": card.hidden,
        "ffn_hidden": card.ffn_hidden,
        "heads": card.heads,
        "kv_heads": card.kv_heads or card.heads,
        "head_dim": card.head_dim or card.hidden // card.heads,
        "vocab": card.vocab,
        "seq_len": card.seq_len,
        "attention": card.attention,
        "mlp_matrices": card.mlp_matrices,
        "tied_embeddings": "yes" if card.tied_embeddings else "no",
        "window": card.window,
        "moe_experts": card.experts or "",
        "moe_topk": card.experts_per_token or "",
        "moe_ffn": card.moe_ffn_hidden or "",
        "n_shared_experts": card.shared_experts or "",
        "dense_layers": card.dense_layers if card.experts else "",
    }
    return dict(row) | {k: v for k, v in shape.items() if not text_of(row, k)}

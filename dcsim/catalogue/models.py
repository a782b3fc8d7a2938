"""Architectures of models, large and small."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from dcsim.catalogue.data_files import read_yaml, source_of
from dcsim.catalogue.lookup import find
from dcsim.catalogue.records import ModelCard


@cache
def models() -> Mapping[str, ModelCard]:
    """Every model by name."""
    return MappingProxyType({entry["name"]: _model(entry) for entry in read_yaml("models.yaml")})


def model(name: str) -> ModelCard:
    """The model called `name`; raises InputError with a suggestion."""
    aliases = {alias: key for key, card in models().items() for alias in card.aliases}
    return find("model", name, models(), aliases)


def _model(entry: Mapping[str, Any]) -> ModelCard:
    widths = tuple(entry.get("widths", ()))
    return ModelCard(
        name=entry["name"],
        kind=entry["kind"],
        layers=entry.get("layers", max(len(widths) - 1, 0)),
        hidden=entry.get("hidden", max(widths[1:-1], default=0)),
        ffn_hidden=entry.get("ffn_hidden", 0),
        heads=entry.get("heads", 0),
        kv_heads=entry.get("kv_heads", 0),
        vocab=entry.get("vocab", 0),
        seq_len=entry.get("seq_len", 0),
        source=source_of(entry),
        head_dim=entry.get("head_dim", 0),
        mlp_matrices=entry.get("mlp_matrices", 2),
        tied_embeddings=entry.get("tied_embeddings", False),
        attention=entry.get("attention", "mha" if entry.get("heads") else ""),
        published_parameters=float(entry.get("published_parameters", 0.0)),
        aliases=tuple(entry.get("aliases", ())),
        positions=entry.get("positions", ""),
        widths=widths,
        operators=tuple(entry.get("operators", ())),
        published_flop=float(entry.get("published_flop", 0.0)),
    )

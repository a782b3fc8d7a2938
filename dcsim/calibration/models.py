"""The networks whose whole training steps are measured: some to fit, others held out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dcsim.training.model import Model
from dcsim.training.models import build_mlp, build_transformer


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One training step: a network with `arguments` for its builder, and a batch size."""

    kind: str
    arguments: Mapping[str, Any] = field(hash=False)
    batch: int

    @property
    def name(self) -> str:
        """A short description that tells all specs apart."""
        a = self.arguments
        if self.kind == "mlp":
            shape = "-".join(str(size) for size in a["sizes"])
            norm = " norm" if a.get("layer_norm") else ""
            extra = f" {a.get('activation', 'relu')}{norm} {a.get('optimiser', 'adam')}"
        else:
            shape = f"d{a['depth']} w{a['width']} h{a['heads']} t{a['context']} v{a['vocabulary']}"
            extra = ""
        precision = "f8" if a.get("dtype", _DEFAULT_TYPE[self.kind]) == "float64" else "f4"
        return f"{self.kind} {shape}{extra} {precision} batch {self.batch}"

    def build(self) -> Model:
        """The network with its loss and optimiser, always from the same seed."""
        arguments = dict(self.arguments)
        if self.kind == "mlp":
            return build_mlp(arguments.pop("sizes"), **arguments)
        return build_transformer(arguments.pop("vocabulary"), **arguments)


_DEFAULT_TYPE = {"mlp": "float64", "transformer": "float32"}


def _mlp(batch: int, *sizes: int, **arguments: Any) -> StepSpec:
    return StepSpec("mlp", {"sizes": sizes, **arguments}, batch)


def _transformer(
    batch: int, depth: int, width: int, heads: int, context: int, vocabulary: int, **more: Any
) -> StepSpec:
    shape = {"depth": depth, "width": width, "heads": heads, "context": context}
    return StepSpec("transformer", {"vocabulary": vocabulary, **shape, **more}, batch)


def fit_specs(quick: bool) -> tuple[StepSpec, ...]:
    """Networks whose steps carry the operator curves into the context of a step."""
    few = (
        _mlp(1, 6, 4, 3, activation="tanh"),
        _mlp(64, 24, 40, 5, dtype="float32"),
        _mlp(128, 100, 150, 1, loss="binary", activation="sigmoid"),
        _mlp(24, 600, 400, 200, 20, dtype="float32"),
        _mlp(300, 48, 200, 100, 12, activation="gelu", layer_norm=True),
        _mlp(200, 1000, 700, 30, dtype="float32", optimiser="sgd"),
        _transformer(2, 1, 24, 2, 20, 30),
        _transformer(12, 2, 48, 4, 40, 80),
        _transformer(4, 2, 160, 4, 96, 120),
    )
    if quick:
        return few
    return (
        *few,
        _mlp(1, 300, 200, 100, 10, dtype="float32"),
        _mlp(8, 20, 20, 20, 20, 2, activation="sigmoid", optimiser="momentum"),
        _mlp(400, 30, 60, 3, loss="mse", activation="tanh", dtype="float32"),
        _mlp(96, 350, 350, 350, 40, activation="gelu", dropout=0.1),
        _mlp(50, 1500, 1200, 900, 100, dtype="float32", optimiser="momentum"),
        _mlp(450, 900, 900, 10, layer_norm=True, dtype="float32"),
        _transformer(1, 4, 40, 4, 24, 50),
        _transformer(40, 1, 56, 4, 28, 60, dropout=0.1),
        _transformer(20, 3, 72, 6, 72, 90, optimiser="sgd"),
        _transformer(6, 1, 320, 8, 144, 700),
        _transformer(3, 2, 40, 2, 160, 70, dtype="float64"),
    )


def held_out_specs(quick: bool) -> tuple[StepSpec, ...]:
    """Networks that no fit sees; none shares its sizes with one of `fit_specs`."""
    few = (
        _mlp(1, 3, 5, 2, activation="tanh"),
        _mlp(16, 13, 16, 8, 3, dtype="float32"),
        _mlp(32, 128, 64, 1, loss="binary"),
        _mlp(256, 64, 128, 64, 10, dtype="float32"),
        _mlp(32, 784, 512, 256, 10, dtype="float32"),
        _mlp(512, 128, 256, 256, 16, activation="gelu", layer_norm=True, dtype="float32"),
        _mlp(128, 784, 800, 800, 10, dtype="float32"),
        _transformer(1, 2, 32, 2, 32, 64),
        _transformer(8, 2, 64, 4, 48, 100),
        _transformer(32, 1, 32, 4, 16, 40),
        _transformer(8, 2, 128, 4, 64, 64),
        _transformer(8, 1, 192, 8, 80, 200),
    )
    if quick:
        return few
    return (
        *few,
        _mlp(1, 2, 1, loss="mse", optimiser="sgd"),
        _mlp(1, 10, 32, 32, 4, optimiser="sgd", dtype="float32"),
        _mlp(4, 30, 16, 1, loss="binary", activation="sigmoid"),
        _mlp(8, 128, 64, 1, loss="binary"),
        _mlp(512, 128, 64, 1, loss="binary"),
        _mlp(64, 64, 128, 10, dropout=0.2),
        _mlp(128, 40, 80, 80, 80, 80, 80, 5, activation="tanh", dtype="float32"),
        _mlp(2, 256, 512, 256, 32, activation="gelu"),
        _mlp(64, 500, 250, 125, 60, 10, activation="sigmoid", optimiser="momentum"),
        _mlp(16, 2048, 1024, 512, 10, dtype="float32"),
        _mlp(256, 2048, 1024, 10, dtype="float32", optimiser="sgd"),
        _mlp(512, 784, 512, 256, 10),
        _mlp(48, 1024, 2048, 1024, 100, layer_norm=True, activation="gelu"),
        _mlp(512, 4096, 2048, 1000, dtype="float32"),
        _mlp(1, 3000, 3000, 10, dtype="float32", optimiser="momentum"),
        _mlp(512, 3072, 3072, 3072, 100),
        _transformer(1, 1, 16, 2, 8, 16),
        _transformer(16, 1, 256, 8, 128, 256),
        _transformer(4, 6, 32, 4, 32, 64),
        _transformer(64, 2, 64, 2, 32, 128),
        _transformer(2, 4, 128, 8, 128, 64, dropout=0.1),
        _transformer(16, 2, 96, 6, 80, 200, optimiser="momentum"),
        _transformer(1, 2, 512, 8, 64, 1000),
        _transformer(4, 1, 64, 2, 256, 90),
        _transformer(128, 1, 48, 2, 24, 60),
        _transformer(8, 4, 192, 6, 96, 500),
        _transformer(4, 2, 128, 4, 64, 64, dtype="float64"),
        _transformer(32, 2, 256, 8, 128, 512),
        _transformer(24, 3, 384, 6, 128, 800),
        _transformer(512, 1, 32, 2, 32, 50),
    )

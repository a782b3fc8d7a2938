"""The networks whose whole training steps are measured: some to fit, others held out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dcsim.calibration.context import in_setting
from dcsim.calibration.operands import PLAIN, Setting
from dcsim.records.operators import OperatorCall
from dcsim.training.model import Model
from dcsim.training.models import (
    build_cnn,
    build_encoder,
    build_mlp,
    build_recommender,
    build_transformer,
)

_BUILDERS: Mapping[str, Callable[..., Model]] = {
    "mlp": build_mlp,
    "transformer": build_transformer,
    "encoder": build_encoder,
    "cnn": build_cnn,
    "recommender": build_recommender,
}


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One training step: a network of `kind`, its builder's arguments, a batch size.

    `setting` is the kind of process that takes it.
    """

    kind: str
    arguments: Mapping[str, Any] = field(hash=False)
    batch: int
    setting: Setting = PLAIN

    @property
    def name(self) -> str:
        """A short description that tells all specs apart."""
        dtype = self.arguments.get("dtype", "float64" if self.kind == "mlp" else "float32")
        size = f"{'f8' if dtype == 'float64' else 'f4'} batch {self.batch}"
        threads = f" {self.setting.threads} threads" if self.setting.threads > 1 else ""
        pages = "" if self.setting.keeps_memory else " fresh pages"
        return f"{self.kind} {_shape(self.kind, self.arguments)} {size}{threads}{pages}"

    def build(self) -> Model:
        """The network with its loss and optimiser, always from the same seed."""
        return _BUILDERS[self.kind](**self.arguments)

    def calls(self) -> list[OperatorCall]:
        """What one step calls, in this setting."""
        return in_setting(self.build().operators(self.batch), self.setting)


def _shape(kind: str, a: Mapping[str, Any]) -> str:
    if kind == "mlp":
        norm = " norm" if a.get("layer_norm") else ""
        extra = f" {a.get('activation', 'relu')}{norm} {a.get('optimiser', 'adam')}"
        return _dashed(a["sizes"]) + extra
    if kind == "cnn":
        image = "×".join(str(side) for side in a["shape"])
        return f"{image} c{_dashed(a['channels'])} h{_dashed(a['hidden'])}"
    if kind == "recommender":
        return f"i{a['items']} t{a['history']} w{a['width']} h{_dashed(a['hidden'])}"
    return f"d{a['depth']} w{a['width']} h{a['heads']} t{a['context']} v{a['vocabulary']}"


def _dashed(sizes: tuple[int, ...]) -> str:
    return "-".join(str(size) for size in sizes)


def _mlp(batch: int, *sizes: int, **more: Any) -> StepSpec:
    return StepSpec("mlp", {"sizes": sizes, **more}, batch)


def _transformer(
    batch: int, depth: int, width: int, heads: int, context: int, vocabulary: int, **more: Any
) -> StepSpec:
    shape = {"depth": depth, "width": width, "heads": heads, "context": context}
    kind = "encoder" if "classes" in more else "transformer"
    return StepSpec(kind, {"vocabulary": vocabulary, **shape, **more}, batch)


def _cnn(
    batch: int,
    side: int,
    depth: int,
    channels: tuple[int, ...],
    hidden: tuple[int, ...],
    **more: Any,
) -> StepSpec:
    shape = {"shape": (side, side, depth), "channels": channels, "hidden": hidden}
    return StepSpec("cnn", {**shape, "classes": 10, **more}, batch)


def _recommender(
    batch: int, items: int, history: int, width: int, hidden: tuple[int, ...], **more: Any
) -> StepSpec:
    shape = {"items": items, "history": history, "width": width, "hidden": hidden}
    return StepSpec("recommender", {**shape, **more}, batch)


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
        _cnn(20, 12, 1, (10, 20), (40,)),
        _cnn(6, 20, 3, (24, 40), (90,), dtype="float64"),
        _recommender(24, 500, 18, 20, (40,)),
        _recommender(100, 3000, 36, 40, (100, 50)),
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
        _transformer(10, 2, 80, 4, 56, 300, classes=6, dropout=0.1),
        _cnn(1, 8, 1, (6,), (12,)),
        _cnn(150, 8, 1, (12, 24), (50,), optimiser="momentum"),
        _cnn(40, 24, 2, (20, 28, 36), (100,), dropout=0.1),
        _cnn(200, 16, 4, (10,), (30,), dtype="float64", optimiser="sgd"),
        _recommender(1, 200, 8, 12, (24,)),
        _recommender(300, 1000, 12, 24, (60,), dtype="float64"),
        _recommender(40, 9000, 60, 56, (150,), optimiser="sgd", dropout=0.1),
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
        _transformer(8, 1, 192, 8, 80, 200),
        _cnn(32, 8, 1, (16, 32), (64,)),
        _cnn(16, 16, 3, (16, 32), (48,)),
        _recommender(32, 800, 20, 32, (64,)),
        _recommender(128, 2000, 30, 48, (128,)),
    )
    return few if quick else (*few, *_more_perceptrons(), *_more_others())


def _more_perceptrons() -> tuple[StepSpec, ...]:
    return (
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
        _mlp(512, 4608, 4608, 4608, 4608, 100, optimiser="sgd"),
    )


def _more_others() -> tuple[StepSpec, ...]:
    return (
        _transformer(1, 1, 16, 2, 8, 16),
        _transformer(16, 1, 256, 8, 128, 256),
        _transformer(4, 6, 32, 4, 32, 64),
        _transformer(64, 2, 64, 2, 32, 128),
        _transformer(2, 4, 128, 8, 128, 64, dropout=0.1),
        _transformer(16, 2, 96, 6, 80, 200, optimiser="momentum"),
        _transformer(1, 2, 512, 8, 64, 1000),
        _transformer(4, 1, 64, 2, 256, 90),
        _transformer(8, 4, 192, 6, 96, 500),
        _transformer(4, 2, 128, 4, 64, 64, dtype="float64"),
        _transformer(24, 3, 384, 6, 128, 800),
        _transformer(512, 1, 32, 2, 32, 50),
        _transformer(16, 1, 32, 4, 64, 120, classes=8, dropout=0.2),
        _transformer(64, 2, 96, 4, 48, 400, classes=20),
        _cnn(1, 8, 1, (8,), (16,)),
        _cnn(128, 8, 1, (16, 32), (64,)),
        _cnn(64, 28, 1, (16, 32), (128,)),
        _cnn(8, 32, 3, (32, 64, 128), (256,)),
        _cnn(64, 8, 1, (24,), (32,), dtype="float64", optimiser="sgd"),
        _cnn(256, 32, 3, (32, 64), (128,), optimiser="momentum"),
        _recommender(1, 300, 10, 16, (32,)),
        _recommender(8, 12000, 25, 64, (256, 128)),
        _recommender(512, 1500, 50, 32, (64,), dropout=0.2),
        _recommender(256, 6000, 15, 96, (200,), dtype="float64", optimiser="sgd"),
    )


def all_fit_specs(quick: bool, cores: int) -> tuple[StepSpec, ...]:
    """Every step of a calibration's fit, the others after those of `fit_specs`."""
    return fit_specs(quick) + other_fit_specs(quick, cores)


def all_held_out_specs(quick: bool, cores: int) -> tuple[StepSpec, ...]:
    """Every step that a calibration predicts without having seen it."""
    return held_out_specs(quick) + other_held_out_specs(quick, cores)


def other_fit_specs(quick: bool, cores: int) -> tuple[StepSpec, ...]:
    """Networks to fit whose steps run with all `cores`, or on memory that is fresh."""
    few = (
        _mlp(96, 350, 350, 350, 40, activation="gelu", dropout=0.1),
        _mlp(200, 1000, 700, 30, dtype="float32", optimiser="sgd"),
        _transformer(4, 2, 160, 4, 96, 120),
        _cnn(20, 20, 3, (24, 40), (90,)),
    )
    more = (
        _mlp(450, 900, 900, 10, layer_norm=True, dtype="float32"),
        _transformer(6, 1, 320, 8, 144, 700),
        _cnn(40, 24, 2, (20, 28, 36), (100,), dropout=0.1),
    )
    return _in_other_settings(few if quick else few + more, cores)


def other_held_out_specs(quick: bool, cores: int) -> tuple[StepSpec, ...]:
    """Networks that no fit sees, run with all `cores`, or on memory that is fresh."""
    few = (_mlp(128, 784, 800, 800, 10, dtype="float32"),)
    more = (
        _mlp(512, 784, 512, 256, 10),
        _mlp(256, 2048, 1024, 10, dtype="float32", optimiser="sgd"),
        _transformer(16, 1, 256, 8, 128, 256),
        _transformer(64, 2, 64, 2, 32, 128),
        _cnn(64, 28, 1, (16, 32), (128,)),
        _recommender(256, 6000, 15, 96, (200,), dtype="float64", optimiser="sgd"),
    )
    return _in_other_settings(few if quick else few + more, cores)


def _in_other_settings(specs: tuple[StepSpec, ...], cores: int) -> tuple[StepSpec, ...]:
    settings = [Setting(keeps_memory=False), *([Setting(cores)] if cores > 1 else [])]
    return tuple(replace(spec, setting=setting) for setting in settings for spec in specs)

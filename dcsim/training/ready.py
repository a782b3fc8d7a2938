"""What a training job is, and those that are ready to run, described by plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from dcsim.training.loop import Schedule

_SEQUENCE = frozenset(("context", "width", "heads", "depth", "hidden"))
#: What shapes each kind of network; all other fields of a job apply to every kind.
SHAPES: dict[str, frozenset[str]] = {
    "mlp": frozenset(("hidden", "activation", "table")),
    "transformer": _SEQUENCE,
    "encoder": _SEQUENCE,
    "cnn": frozenset(("channels", "hidden")),
    "recommender": frozenset(("width", "hidden", "activation")),
}
_IDENTITY = frozenset(("name", "about", "data", "network"))


@dataclass(frozen=True, slots=True)
class Job:
    """A training job: what data, what network, how trained.

    `data` names one of `training.loaders`. `network` is `mlp` (with `hidden` sizes as `128-64`,
    and `activation`), `transformer` (a language model, with `context`, `width`, `heads`,
    `depth`), `encoder` (a transformer that classifies), `cnn` (with `channels` as `16-32`) or
    `recommender`; `SHAPES` has which field shapes which.
    Training stops after `epochs`, after `max_steps` (0: no limit), or when the validation
    `target_metric` reaches `target` (empty: no target). `table` is the path of a user's own
    table that replaces the data, empty for none. `workers` processes
    share each batch, their gradients summed around a ring. The first four fields are the job's
    identity; all others can be overridden.

    With a `clip` above 0 training is DP-SGD: gradients of examples are clipped to that norm,
    `noise` times it is the deviation of the noise, and `sampling` is `poisson` or `shuffled`.
    """

    name: str
    about: str
    data: str
    network: str = "mlp"
    hidden: str = "64"
    activation: str = "relu"
    channels: str = "16-32"
    context: int = 64
    width: int = 64
    heads: int = 4
    depth: int = 2
    optimiser: str = "adam"
    rate: float = 1e-3
    weight_decay: float = 0.0
    dropout: float = 0.0
    epochs: int = 10
    batch_size: int = 32
    max_steps: int = 0
    target_metric: str = ""
    target: float = 0.0
    dtype: str = "float64"
    seed: int = 0
    table: str = ""
    workers: int = 1
    parallel: str = "data"
    micro_batches: int = 4
    clip: float = 0.0
    noise: float = 0.0
    sampling: str = "poisson"

    def parameters(self) -> dict[str, Any]:
        """Every field that can be overridden and has an effect on this job, by name."""
        other = frozenset().union(*SHAPES.values()) - SHAPES[self.network]
        fixed = {"hidden", "table"} if self.data == "golden" else set()
        unused = _IDENTITY | other | fixed
        return {name: value for name, value in asdict(self).items() if name not in unused}

    def schedule(self) -> Schedule:
        """The part of the job that the loop needs."""
        return Schedule(
            epochs=self.epochs,
            batch_size=self.batch_size,
            seed=self.seed,
            max_steps=self.max_steps or None,
            target_metric=self.target_metric,
            target=self.target if self.target_metric else None,
        )


JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        Job(
            "mlp-3-5-2",
            "A perceptron with five tanh units tells points inside a ball from those outside",
            data="ball",
            hidden="5",
            activation="tanh",
            rate=0.02,
            epochs=20,
        ),
        Job(
            "golden-3-4-2",
            "One sample and fixed weights, whose gradients can be checked by hand",
            data="golden",
            hidden="4",
            activation="tanh",
            optimiser="sgd",
            rate=0.1,
            epochs=100,
            batch_size=1,
        ),
        Job(
            "medical-classifier",
            "A 128-64-1 perceptron tells malignant from benign biopsies",
            data="breast-cancer",
            hidden="128-64",
            weight_decay=1.0,
        ),
        Job(
            "digits-mlp",
            "A perceptron reads handwritten digits of 8 × 8 grey levels",
            data="digits",
            hidden="128-64",
            epochs=15,
        ),
        Job(
            "char-transformer",
            "A small transformer continues the Python manual, character by character",
            data="python-manual",
            network="transformer",
            hidden="256",
            rate=3e-3,
            weight_decay=0.1,
            epochs=1,
            batch_size=16,
            dtype="float32",
        ),
        Job(
            "text-classifier",
            "A transformer tells which part of the Python library a passage is from",
            data="python-passages",
            network="encoder",
            hidden="64",
            context=64,
            width=32,
            depth=1,
            rate=4e-4,
            weight_decay=1.0,
            dropout=0.6,
            epochs=10,
            dtype="float32",
        ),
        Job(
            "digits-cnn",
            "A convolutional network reads handwritten digits of 8 × 8 grey levels",
            data="digit-images",
            network="cnn",
            channels="16-32",
            hidden="64",
            rate=2e-3,
            weight_decay=0.1,
            dropout=0.3,
            epochs=30,
            dtype="float32",
        ),
        Job(
            "recommender",
            "Embeddings and a perceptron recommend the next call for a Python function",
            data="python-calls",
            network="recommender",
            hidden="64",
            width=64,
            rate=2e-3,
            weight_decay=0.1,
            dropout=0.5,
            epochs=8,
            batch_size=128,
            dtype="float32",
        ),
        Job(
            "fraud-detector",
            "A perceptron finds the 1.5 % of card payments that are fraud",
            data="payments",
            hidden="64-32",
            rate=2e-3,
            weight_decay=0.1,
            epochs=10,
            batch_size=128,
            dtype="float32",
        ),
    )
}

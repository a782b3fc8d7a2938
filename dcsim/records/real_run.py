"""What one real training job measured on this machine."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from dcsim.records.operators import OperatorCall


@dataclass(frozen=True, slots=True)
class RealRun:
    """A real NumPy training job, as it was executed in a worker process.

    `step_s`, `losses` and `epochs` have one entry for each training step in order: wall
    time, mean loss of the batch, epoch from 0. `metrics` holds the final figures
    (`test_accuracy`, `validation_loss`, ...), `evaluations` one entry for each epoch (`step`,
    `epoch` and figures on the validation data), `operators` the NumPy calls of one step with
    `batch_size` samples. `startup_s` is from starting the process until it could work,
    `load_s` reading and splitting the data, `checkpoint_s` writing one checkpoint of
    `checkpoint_bytes`, `evaluation_s` everything outside steps after loading. `stopped` is
    `target`, `limit` or `diverged`. `exchange_s` is, for each step of several workers, what
    their exchanges took (a part of `step_s`, waiting included, the mean over workers), empty
    for one worker; `exchanged` has the values of the first worker's exchanges in one step, and
    `operators` are that worker's. `cached` says that the timings were read
    from the user's cache directory and not measured just now; `measured_at` is when they
    were (ISO 8601, UTC). `interpretation` says what the predictions rest on, in the form of
    `training.interpret.interpret`, empty unless it was asked for.
    """

    name: str
    job: str
    parameters: Mapping[str, Any]
    step_s: tuple[float, ...]
    losses: tuple[float, ...]
    epochs: tuple[int, ...]
    metrics: Mapping[str, float]
    loss_name: str
    metric_name: str
    operators: tuple[OperatorCall, ...]
    batch_size: int
    parameter_count: int
    training_samples: int
    data_bytes: int
    checkpoint_bytes: int
    checkpoint_s: float
    startup_s: float
    load_s: float
    evaluation_s: float
    stopped: str
    data_source: str
    machine: str
    source_hash: str
    measured_at: str
    cached: bool = False
    notes: tuple[str, ...] = ()
    evaluations: tuple[Mapping[str, float], ...] = ()
    exchange_s: tuple[float, ...] = ()
    exchanged: tuple[int, ...] = ()
    interpretation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total_s(self) -> float:
        """Start-up, loading, all steps and evaluation."""
        return self.startup_s + self.load_s + sum(self.step_s) + self.evaluation_s

    def renamed(self, name: str) -> "RealRun":
        """The same measurement under the name that a scenario gives the job."""
        return replace(self, name=name)

    def to_json(self) -> dict[str, Any]:
        """All fields by name, JSON types only."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "RealRun":
        """The inverse of `to_json`; raises TypeError or KeyError on another form."""
        values = {item.name: document[item.name] for item in fields(cls)}
        for name in (
            "step_s",
            "losses",
            "epochs",
            "notes",
            "evaluations",
            "exchange_s",
            "exchanged",
        ):
            values[name] = tuple(values[name])
        values["operators"] = tuple(OperatorCall.from_json(op) for op in values["operators"])
        return cls(**values)

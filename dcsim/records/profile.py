"""What calibration leaves behind: the machine's operator curves and the training fit."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dcsim.records.errors import InputError
from dcsim.records.measurements import Measurements

#: Version of the JSON form; a profile of another version is refused.
PROFILE_VERSION = 1


@dataclass(frozen=True, slots=True)
class OperatorParameters:
    """Parameters of one operator class in the common operator form.

    The form itself is `dcsim.cost.operators.operator_time`. `peak_flops` is the rate at
    a shape large in every dimension (a data sheet's peak times the attainable share).
    `bandwidth_bytes_per_s` holds one rate for each level of the memory hierarchy, the
    fastest first; `level_bytes` the working sets at which one level gives way to the
    next (one fewer). `shape_knee` (m, n, k) is dimensionless: a dimension that equals
    knee × ridge, where ridge = peak / slowest bandwidth in FLOP per byte, costs as much
    again as the saturated product. `spread` is the standard deviation of log(measured /
    predicted) over the class's own observations, `median_error` the median absolute
    relative error of the same. `uncertainty` holds the standard deviation of the
    logarithm of fitted fields, by field name: what new observations may move.
    """

    name: str
    overhead_s: float
    peak_flops: float
    bandwidth_bytes_per_s: tuple[float, ...]
    level_bytes: tuple[float, ...] = ()
    shape_knee: tuple[float, float, float] = (0.0, 0.0, 0.0)
    smoothness: float = 3.0
    level_sharpness: float = 2.0
    median_error: float = 0.0
    spread: float = 0.0
    uncertainty: Mapping[str, float] = field(default_factory=dict)

    @property
    def ridge_flop_per_byte(self) -> float:
        """Peak over the slowest bandwidth: FLOP per byte at which both limits meet."""
        return self.peak_flops / self.bandwidth_bytes_per_s[-1]


@dataclass(frozen=True, slots=True)
class MachineIdentity:
    """What makes two machines the same for a profile; names no host and no user."""

    cpu: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    numpy: str
    blas: str

    def differences(self, other: "MachineIdentity") -> tuple[str, ...]:
        """One phrase for each field that matters to speed and differs from `other`."""
        watched = ("cpu", "cores", "system", "numpy", "blas")
        return tuple(
            f"{name} is {getattr(other, name)}, the profile has {getattr(self, name)}"
            for name in watched
            if getattr(self, name) != getattr(other, name)
        )


@dataclass(frozen=True, slots=True)
class HeldOutRow:
    """A whole training step of a model the fit has not seen, measured twice.

    `measured_s` is the geometric mean of both measurements, `repeat` second ÷ first − 1.
    """

    name: str
    measured_s: float
    predicted_s: float
    low_s: float
    high_s: float
    repeat: float


@dataclass(frozen=True, slots=True)
class HostProfile:
    """How fast a machine runs the operators of a NumPy training step.

    `operators` maps class names to parameters. `noise` is the standard deviation of the
    logarithm of a repeated measurement; `step_spread` that of log(measured / predicted)
    over whole training steps, on which the prediction interval of a step rests.
    Two figures carry operator curves, measured call by call, into a step: a call's fixed
    cost is `overhead_factor` times as large between other calls (instructions and
    operands are not in the nearest cache), and `reuse_share` of the bytes that a step
    moves passes between two uses of one array. `uncertainty` is about these two.
    `other_spread` has what `step_spread` is, for steps in other settings than one thread
    on memory in use: `threads` and `fresh`, as far as those were measured.
    """

    machine: MachineIdentity
    operators: Mapping[str, OperatorParameters]
    noise: float
    step_spread: float
    held_out: tuple[HeldOutRow, ...] = ()
    measured_in_s: float = 0.0
    overhead_factor: float = 1.0
    reuse_share: float = 0.1
    uncertainty: Mapping[str, float] = field(default_factory=dict)
    other_spread: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrainingFit:
    """Parameters of accelerators, software and kernels fitted to published runs.

    `parameters` maps dotted names to values, `spread` names to residual standard
    deviations (logarithmic), `fit_report` is free-form metadata (row counts, errors).
    """

    parameters: Mapping[str, float] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)
    fit_report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything measured or fitted that a prediction reads; JSON both ways."""

    host: HostProfile
    training: TrainingFit = field(default_factory=TrainingFit)
    sources: Mapping[str, str] = field(default_factory=dict)
    measured: Measurements = field(default_factory=Measurements)

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries and lists; `from_json` reads back an equal profile."""
        return {
            "version": PROFILE_VERSION,
            "host": host_to_json(self.host),
            "training": asdict(self.training),
            "sources": dict(self.sources),
            "measured": self.measured.to_json(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Profile":
        """Read what `to_json` wrote; InputError when it is not such a document."""
        if not isinstance(document, Mapping) or document.get("version") != PROFILE_VERSION:
            raise InputError(
                f"not a dcsim profile of version {PROFILE_VERSION}; "
                "write one with `dcsim calibrate --out FILE`"
            )
        try:
            training = document.get("training") or {}
            return cls(
                host=host_from_json(document["host"]),
                training=TrainingFit(**_known(TrainingFit, training)),
                sources=dict(document.get("sources") or {}),
                measured=Measurements.from_json(document.get("measured") or {}),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"the profile is incomplete or damaged ({error}); "
                "write it again with `dcsim calibrate --out FILE`"
            ) from error


def host_to_json(host: HostProfile) -> dict[str, Any]:
    """The host part of a profile document."""
    return {
        "machine": asdict(host.machine),
        "operators": [_plain(asdict(host.operators[name])) for name in sorted(host.operators)],
        "noise": host.noise,
        "step_spread": host.step_spread,
        "held_out": [asdict(row) for row in host.held_out],
        "measured_in_s": host.measured_in_s,
        "overhead_factor": host.overhead_factor,
        "reuse_share": host.reuse_share,
        "uncertainty": dict(host.uncertainty),
        "other_spread": dict(host.other_spread),
    }


def host_from_json(document: Mapping[str, Any]) -> HostProfile:
    """Read what `host_to_json` wrote; KeyError or TypeError where something is missing."""
    operators = [_operator(entry) for entry in document["operators"]]
    return HostProfile(
        machine=MachineIdentity(**_known(MachineIdentity, document["machine"])),
        operators={operator.name: operator for operator in operators},
        noise=float(document["noise"]),
        step_spread=float(document["step_spread"]),
        held_out=tuple(HeldOutRow(**_known(HeldOutRow, row)) for row in document["held_out"]),
        measured_in_s=float(document["measured_in_s"]),
        overhead_factor=float(document["overhead_factor"]),
        reuse_share=float(document["reuse_share"]),
        uncertainty={k: float(v) for k, v in document["uncertainty"].items()},
        other_spread={k: float(v) for k, v in document.get("other_spread", {}).items()},
    )


def _operator(entry: Mapping[str, Any]) -> OperatorParameters:
    values = _known(OperatorParameters, entry)
    for name in ("bandwidth_bytes_per_s", "level_bytes", "shape_knee"):
        if name in values:
            values[name] = tuple(float(v) for v in values[name])
    return OperatorParameters(**values)


def _known(record: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Only the fields that `record` has, so that a later minor addition still reads."""
    names = {f.name for f in fields(record)}
    return {name: value for name, value in values.items() if name in names}


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in entry.items()}

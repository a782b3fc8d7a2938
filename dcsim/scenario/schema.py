"""What may stand in a scenario file: one class a mapping, one field a key.

These hold what the user wrote, checked value by value; `checks` looks across them and
`resolve` fills the gaps. `None` means that a key was left out.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from dcsim import catalogue
from dcsim.scenario.part import Count, Duration, Part, PositiveDuration
from dcsim.scenario.schema_policies import (
    LemonsPart,
    QuotaPart,
    SpotPart,
    StragglersPart,
    TogetherPart,
    TuningPart,
    WindowPart,
)
from dcsim.scenario.targets import Target, read_target
from dcsim.scenario.values import Flag, Known, Name, Quantity, Sides, Text, Whole, listed, named
from dcsim.scenario.vary import Vary, VaryReader
from dcsim.workload.software import generations, software

_LATER = "is not part of this version of dcsim; leave it out"

NodeName = Annotated[str, Known("node type", listed("nodes"), catalogue.node)]
ModelName = Annotated[str, Known("model", listed("models"), catalogue.model)]
StorageName = Annotated[str, Known("storage system", listed("storage"), catalogue.storage_system)]
Region = Annotated[str, Known("region", listed("sites"), catalogue.site, key="region")]
SoftwareName = Annotated[str, Known("training software", generations, software)]
Rates = Annotated[
    str, Known("set of failure rates", listed("failures"), catalogue.failure_rates, extra=("none",))
]
Degree = Annotated[int, Whole(1, 1_000_000)]


class SitePart(Part):
    """Where the cluster stands."""

    region: Region | None = None
    power: Annotated[float, Quantity("power", positive=True)] | None = None
    racks: Count | None = None
    rack_power: Annotated[float, Quantity("power", positive=True)] | None = None
    pue: Annotated[float, Quantity("count", least=1.0, most=10.0)] | None = None
    tariff: Annotated[float, Quantity("energy-price", most=100.0)] | None = None
    carbon: Annotated[float, Quantity("carbon-intensity", most=10.0)] | None = None


class NodesPart(Part):
    """Nodes of one type under one name."""

    name: Annotated[str, Name()]
    node: NodeName
    count: Count
    spot: SpotPart | None = None


class NetworkPart(Part):
    """The fabric between the nodes."""

    topology: Annotated[str, named("topology")] | None = None
    radix: Annotated[int, Whole(2, 4096)] | None = None
    oversubscription: Annotated[float, Quantity("count", least=1.0, most=64.0)] | None = None
    nic: Annotated[float, Quantity("rate", positive=True)] | None = None
    nics: Annotated[int, Whole(1, 1024)] | None = None
    planes: Annotated[int, Whole(1, 64)] | None = None
    rails: Annotated[int, Whole(1, 1024)] | None = None
    dims: Annotated[str, Sides()] | None = None
    routing: Annotated[str, named("routing")] | None = None
    relay: Annotated[bool, Flag()] | None = None
    reduces: Annotated[bool, Flag()] | None = None

    later: ClassVar[Mapping[str, str]] = {"file": _LATER}


class LostServerPart(Part):
    """One storage server is lost at a set time; servers count from 0."""

    server: Annotated[int, Whole(0, 999_999)]
    at: Duration


class LossPart(Part):
    """How storage servers are lost, and how what they held is rebuilt."""

    mttf: PositiveDuration | None = None
    servers: list[LostServerPart] | None = None
    fill: Annotated[float, Quantity("share", most=1.0)] | None = None
    rebuild: Literal["declustered", "single"] | None = None
    rate: Annotated[float, Quantity("rate", positive=True)] | None = None
    detect: Duration | None = None
    replace: Duration | None = None


class StoragePart(Part):
    """The shared storage that jobs read from and save to."""

    system: StorageName | None = None
    servers: Count | None = None
    redundancy: Annotated[str, Text()] | None = None
    metadata_servers: Annotated[int, Whole(1, 1_000_000)] | None = None
    origin: Annotated[float, Quantity("rate", positive=True)] | None = None
    cache: Literal["none", "node-local", "host-memory", "all"] | None = None
    prefetch: Annotated[int, Whole(0, 1000)] | None = None
    loss: LossPart | None = None


class ClusterPart(Part):
    """What is installed."""

    nodes: list[NodesPart] = Field(min_length=1)
    network: NetworkPart | None = None
    storage: StoragePart | None = None


class LayoutPart(Part):
    """Degrees of parallelism that are not left to the planner."""

    tp: Degree | None = None
    pp: Degree | None = None
    vp: Degree | None = None
    dp: Degree | None = None
    cp: Degree | None = None
    ep: Degree | None = None
    zero: Annotated[int, Whole(0, 3)] | None = None
    sequence_parallel: Annotated[bool, Flag()] | None = None


class TrainingPart(Part):
    """Train a model on so many tokens."""

    name: Annotated[str, Name()]
    kind: Literal["training"]
    model: ModelName
    tokens: Annotated[float, Quantity("count", positive=True, most=1e18)]
    global_batch: Annotated[int, Whole(1, 10**8)]
    seq_len: Annotated[int, Whole(1, 10**8)] | None = None
    precision: Annotated[str, named("precision")] | None = None
    parallelism: LayoutPart | None = None
    micro_batch: Degree | None = None
    recompute: Annotated[str, named("recompute")] | None = None
    software: SoftwareName | None = None
    accelerators: Count | None = None
    group: Annotated[str, Name()] | None = None
    user: Annotated[str, Text()] | None = None
    submit: Duration | None = None
    priority: Annotated[int, Whole(0, 1000)] | None = None
    bytes_per_token: Annotated[float, Quantity("count", positive=True, most=1e9)] | None = None
    dataset: Annotated[float, Quantity("count", positive=True, most=1e18)] | None = None
    file: Annotated[float, Quantity("data", positive=True)] | None = None
    shuffle: Annotated[bool, Flag()] | None = None

    later: ClassVar[Mapping[str, str]] = {"growth": _LATER, "deadline": _LATER}


class RealParametersPart(Part):
    """What of a real job can be changed; left out, as the job is defined."""

    epochs: Annotated[int, Whole(1, 100_000)] | None = None
    batch_size: Annotated[int, Whole(1, 1_000_000)] | None = None
    max_steps: Annotated[int, Whole(1, 10**9)] | None = None
    rate: Annotated[float, Quantity("count", positive=True, most=1e3)] | None = None
    seed: Annotated[int, Whole(0, 2**32 - 1)] | None = None
    hidden: Annotated[str, Text()] | None = None
    context: Annotated[int, Whole(1, 4096)] | None = None
    width: Annotated[int, Whole(1, 4096)] | None = None
    heads: Annotated[int, Whole(1, 256)] | None = None
    depth: Annotated[int, Whole(1, 128)] | None = None
    workers: Annotated[int, Whole(1, 64)] | None = None


class RealPart(Part):
    """Run a real NumPy job on this machine, beside what is simulated."""

    name: Annotated[str, Name()]
    kind: Literal["real"]
    job: Annotated[str, named("job")]
    submit: Duration | None = None
    priority: Annotated[int, Whole(0, 1000)] | None = None
    repeats: Annotated[int, Whole(1, 1000)] | None = None
    parameters: RealParametersPart | None = None
    kill: PositiveDuration | None = None


class TracePart(Part):
    """Jobs of a trace: times, sizes and owners, without what they compute.

    They save every `checkpoint` (left out: a failure starts them anew) and, stopped or
    failed, stand for `resume` before they go on.
    """

    name: Annotated[str, Name()]
    kind: Literal["trace"]
    file: Annotated[str, Text()]
    format: Annotated[str, Text()] | None = None
    group: Annotated[str, Name()] | None = None
    checkpoint: PositiveDuration | None = None
    resume: Duration | None = None


class CheckpointPart(Part):
    """When a training job saves its state."""

    interval: Annotated[float, Quantity("time", positive=True, most=3.2e10)] | Literal["optimal"]
    blocking: Annotated[bool, Flag()] | None = None
    sharded: Annotated[bool, Flag()] | None = None
    local: PositiveDuration | None = None
    copies: Annotated[int, Whole(1, 16)] | None = None


class FailuresPart(Part):
    """How often things break, and what follows; left out, as the set of rates says."""

    rates: Rates
    detect: Duration | None = None
    restart: Duration | None = None
    repair: Duration | None = None
    shape: Annotated[float, Quantity("count", positive=True, most=10.0)] | None = None
    lemons: LemonsPart | None = None
    together: list[TogetherPart] = Field(default_factory=list)
    stragglers: StragglersPart | None = None


class PoliciesPart(Part):
    """What decides while the cluster runs."""

    scheduler: Annotated[str, named("scheduler")] | None = None
    placement: Annotated[str, named("placement")] | None = None
    checkpoint: CheckpointPart | None = None
    failures: FailuresPart | None = None
    spares: Annotated[int, Whole(0, 1_000_000)] | None = None
    rack: Count | None = None
    migrate: Annotated[bool, Flag()] | None = None
    quotas: list[QuotaPart] = Field(default_factory=list)
    quota_by: Literal["user", "group"] | None = None
    windows: list[WindowPart] = Field(default_factory=list)
    tuning: TuningPart | None = None


class RehearsalPart(Part):
    """The cluster of worker processes on which `dcsim rehearse` runs the real jobs."""

    nodes: Annotated[int, Whole(1, 64)] | None = None
    processors: Annotated[int, Whole(1, 64)] | None = None
    storage: Annotated[float, Quantity("rate", positive=True)] | None = None
    load: Annotated[float, Quantity("count", positive=True, most=100.0)] | None = None


class MoneyPart(Part):
    """How the hardware is paid for."""

    terms: Annotated[str, named("terms")] | None = None
    lifetime: PositiveDuration | None = None
    residual: Annotated[float, Quantity("share", most=1.0)] | None = None


class PlanPart(Part):
    """What the planner may choose from."""

    vary: Annotated[Vary, VaryReader()] | None = None
    finalists: Annotated[int, Whole(1, 1000)] | None = None
    seeds: Annotated[int, Whole(1, 10_000)] | None = None


class ObjectivePart(Part):
    """A bound on one metric: exactly one of `by`, `at_most` and `at_least`."""

    name: Annotated[str, Text()] | None = None
    metric: Annotated[str, Text()]
    by: Any = None
    at_most: Any = None
    at_least: Any = None
    confidence: Annotated[float, Quantity("share", positive=True, most=1.0)] | None = None
    hard: Annotated[bool, Flag()] | None = None

    @model_validator(mode="after")
    def _has_a_target(self) -> "ObjectivePart":
        self.target()
        return self

    def target(self) -> Target:
        """The bound in the unit of its metric; ValueError says what is wrong."""
        return read_target(
            self.metric, {"by": self.by, "at_most": self.at_most, "at_least": self.at_least}
        )


class ScenarioFile(Part):
    """The whole file."""

    name: Annotated[str, Name()]
    title: Annotated[str, Text()] | None = None
    seed: Annotated[int, Whole(0, 2**32 - 1)] | None = None
    start: Annotated[str, Text()] | None = None
    site: SitePart | None = None
    cluster: ClusterPart
    workload: list[Annotated[TrainingPart | RealPart | TracePart, Field(discriminator="kind")]] = (
        Field(min_length=1)
    )
    policies: PoliciesPart | None = None
    rehearsal: RehearsalPart | None = None
    money: MoneyPart | None = None
    plan: PlanPart | None = None
    objectives: list[ObjectivePart] = Field(default_factory=list)

    later: ClassVar[Mapping[str, str]] = {"offers": _LATER, "tenants": _LATER, "include": _LATER}


#: Kinds of workload of the design that this version does not read yet.
LATER_KINDS = ("serving",)
